"""etcd's HTTP interface: what the workload and the collectors both need of it.

``http`` is the connection, ``api`` the gateway's JSON, ``prometheus`` the text of ``/metrics``.
"""
