"""Remote calls: length-prefixed protobuf frames over TCP, many in flight on one connection.

``provider`` is the serving side (a registry of methods), ``channel`` the calling side.
"""
