"""A seeded simulator of a Raft cluster: virtual time, one seed decides everything."""
