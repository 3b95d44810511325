"""What goes wrong while kvtop runs: it goes on, or says in one sentence why it cannot.

Tested elsewhere, beside what they belong to: a perf record or perf script that is killed, a target
that exits or forks (``tests/collectors/test_perf_record.py``), perf that is missing
(``tests/test_session.py``), a full disk under a node (``tests/workload/test_full_disk_e2e.py``),
kvtop itself killed in every way (``tests/e2e/test_exits.py``).
"""
