"""Profiles as pure data: frames, stacks, the ring of samples, call trees. No I/O, no screen."""
