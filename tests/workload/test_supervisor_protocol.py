"""Commands and events as lines, both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.workload import supervisor_protocol as protocol

texts = st.text(max_size=20)
numbers = st.floats(0, 1e9)
counts = st.integers(0, 10**9)
commands = st.one_of(
    st.builds(
        protocol.Start,
        nodes=st.integers(1, 9),
        mix=st.tuples(counts, counts),
        dir=st.none() | texts,
        ports=st.lists(counts, max_size=3).map(tuple),
    ),
    st.builds(protocol.Kill, name=texts),
    st.builds(protocol.RemoveOnExit, paths=st.lists(texts, max_size=3).map(tuple)),
    st.builds(protocol.Stop),
)
events = st.one_of(
    st.builds(protocol.Started, time=numbers, name=texts, kind=texts, pid=counts),
    st.builds(protocol.Exited, time=numbers, name=texts, kind=texts, pid=counts, signal=counts),
    st.builds(protocol.Log, time=numbers, source=texts, level=texts, text=texts),
    st.builds(protocol.Serving, time=numbers, leader=texts, term=counts),
    st.builds(protocol.Stopped, time=numbers),
)


@given(commands)
def test_commands_round_trip(command: protocol.Command) -> None:
    line = protocol.command_to_json(command)
    assert "\n" not in line
    assert protocol.command_from_json(line) == command


@given(events)
def test_events_round_trip(event: protocol.Event) -> None:
    line = protocol.event_to_json(event)
    assert "\n" not in line
    assert protocol.event_from_json(line) == event


@pytest.mark.parametrize(
    "line",
    ["", "[]", "7", "{}", '{"cmd":"fly"}', '{"cmd":"kill"}', '{"cmd":"kill","name":1,"x":2}'],
)
def test_bad_lines_are_refused(line: str) -> None:
    with pytest.raises(protocol.ProtocolError):
        protocol.command_from_json(line)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_command_or_refused(line: bytes) -> None:
    try:
        protocol.command_from_json(line)
    except protocol.ProtocolError:
        pass
