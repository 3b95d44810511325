"""A Raft key-value store that stands alone, and the load that stresses it."""
