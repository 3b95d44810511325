"""What the header says of a cluster's load."""

from __future__ import annotations

import pytest

from kvtop.cluster_kind import stress_text
from kvtop.config import Config


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (Config(), "8 clients"),
        (Config(clients=1), "1 client"),
        (Config(clients=4, rate=300), "4 clients at 300 ops/s"),
        (Config(no_stress=True, rate=300), "no stress"),
    ],
)
def test_the_load_is_told_as_it_was_asked_for(config: Config, text: str) -> None:
    assert stress_text(config) == text
