"""Raft without input or output: messages, ticks and proposals in; a ``Ready`` at a time out."""
