"""For all tests: how long an example of hypothesis takes is no reason to fail on a busy machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("kvtop", deadline=None)
settings.load_profile("kvtop")
