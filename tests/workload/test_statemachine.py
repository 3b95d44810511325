"""Commands, sessions and snapshots of the replicated state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.workload import statemachine
from kvtop.workload.rpc import kv_pb2 as kv
from kvtop.workload.statemachine import StateMachine

KEY = b"key"


def _do(machine: StateMachine, **fields: object) -> kv.Result:
    command = kv.Command(**fields)  # type: ignore[arg-type]
    return kv.Result.FromString(machine.apply_data(command.SerializeToString()))


def _open(machine: StateMachine, client: int) -> None:
    assert _do(machine, operation=kv.OPEN_SESSION, client=client).status == kv.OK


def test_put_append_delete() -> None:
    machine = StateMachine()
    assert _do(machine, operation=kv.PUT, key=KEY, value=b"a").status == kv.OK
    assert _do(machine, operation=kv.APPEND, key=KEY, value=b"bc").number == 3
    assert machine.map.get(KEY) == b"abc"
    assert _do(machine, operation=kv.DELETE, key=KEY).number == 1
    assert _do(machine, operation=kv.DELETE, key=KEY).status == kv.NO_KEY
    assert _do(machine, operation=kv.APPEND, key=KEY, value=b"x").number == 1


def test_put_many_and_delete_many() -> None:
    machine = StateMachine()
    pairs = [kv.Pair(key=b"a", value=b"1"), kv.Pair(key=b"b", value=b"2")]
    _do(machine, operation=kv.PUT_MANY, pairs=pairs)
    assert list(machine.map.items()) == [(b"a", b"1"), (b"b", b"2")]
    assert _do(machine, operation=kv.DELETE_MANY, keys=[b"a", b"b", b"c"]).number == 2


def test_compare_and_set() -> None:
    machine = StateMachine()
    cas = {"operation": kv.COMPARE_AND_SET, "key": KEY}
    assert _do(machine, **cas, value=b"1").status == kv.OK
    refused = _do(machine, **cas, value=b"2")
    assert (refused.status, refused.value, refused.present) == (kv.MISMATCH, b"1", True)
    assert _do(machine, **cas, value=b"2", expected=b"1").status == kv.OK
    assert _do(machine, **cas, value=b"3", expected=b"1").value == b"2"
    absent = _do(machine, operation=kv.COMPARE_AND_SET, key=b"no", value=b"", expected=b"")
    assert (absent.status, absent.present) == (kv.MISMATCH, False)


@pytest.mark.parametrize("value", [b"x", b"", b" 1", b"+1", b"01", b"1_0", b"9" * 30])
def test_increment_refuses_what_is_no_integer(value: bytes) -> None:
    machine = StateMachine()
    _do(machine, operation=kv.PUT, key=KEY, value=value)
    assert _do(machine, operation=kv.INCREMENT, key=KEY, delta=1).status == kv.INVALID
    assert machine.map.get(KEY) == value


def test_increment_counts_and_does_not_overflow() -> None:
    machine = StateMachine()
    assert _do(machine, operation=kv.INCREMENT, key=KEY, delta=5).number == 5
    assert _do(machine, operation=kv.INCREMENT, key=KEY, delta=-7).number == -2
    _do(machine, operation=kv.PUT, key=KEY, value=b"%d" % (2**63 - 1))
    assert _do(machine, operation=kv.INCREMENT, key=KEY, delta=1).status == kv.INVALID


def test_a_repeated_command_is_answered_and_not_repeated() -> None:
    machine = StateMachine()
    _open(machine, 7)
    append = {"operation": kv.APPEND, "key": KEY, "value": b"x", "client": 7}
    assert _do(machine, **append, sequence=1).number == 1
    assert _do(machine, **append, sequence=1).number == 1
    assert _do(machine, **append, sequence=2).number == 2
    assert _do(machine, **append, sequence=1).status == kv.INVALID
    assert machine.map.get(KEY) == b"xx"


def test_a_command_of_an_unknown_session_is_not_carried_out() -> None:
    machine = StateMachine()
    result = _do(machine, operation=kv.PUT, key=KEY, value=b"x", client=9, sequence=1)
    assert result.status == kv.SESSION_EXPIRED
    assert machine.map.get(KEY) is None


def test_opening_twice_does_not_forget() -> None:
    machine = StateMachine()
    _open(machine, 7)
    _do(machine, operation=kv.APPEND, key=KEY, value=b"x", client=7, sequence=1)
    _open(machine, 7)
    _do(machine, operation=kv.APPEND, key=KEY, value=b"x", client=7, sequence=1)
    assert machine.map.get(KEY) == b"x"


def test_the_longest_unused_session_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statemachine, "MAX_SESSIONS", 2)
    machine = StateMachine()
    _open(machine, 1)
    _open(machine, 2)
    _do(machine, operation=kv.PUT, key=KEY, value=b"x", client=1, sequence=1)
    _open(machine, 3)
    put = {"operation": kv.PUT, "key": KEY, "value": b"y"}
    assert _do(machine, **put, client=2, sequence=1).status == kv.SESSION_EXPIRED
    assert _do(machine, **put, client=1, sequence=2).status == kv.OK


def test_a_closed_session_is_gone() -> None:
    machine = StateMachine()
    _open(machine, 1)
    assert _do(machine, operation=kv.CLOSE_SESSION, client=1, sequence=1).status == kv.OK
    assert machine.sessions == 0


def test_a_value_cannot_grow_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statemachine, "MAX_VALUE", 4)
    machine = StateMachine()
    assert _do(machine, operation=kv.APPEND, key=KEY, value=b"1234").status == kv.OK
    assert _do(machine, operation=kv.APPEND, key=KEY, value=b"5").status == kv.INVALID
    assert machine.map.get(KEY) == b"1234"


@given(st.binary(max_size=60))
def test_any_bytes_are_applied_without_an_exception(data: bytes) -> None:
    kv.Result.FromString(StateMachine().apply_data(data))


@given(
    st.dictionaries(st.binary(max_size=5), st.binary(max_size=5)),
    st.lists(st.integers(1, 2**64 - 1), unique=True, max_size=5),
)
def test_a_snapshot_holds_keys_and_sessions(pairs: dict[bytes, bytes], clients: list[int]) -> None:
    machine = StateMachine()
    for client in clients:
        _open(machine, client)
        _do(machine, operation=kv.APPEND, key=b"log", value=b".", client=client, sequence=1)
    for key, value in pairs.items():
        _do(machine, operation=kv.PUT, key=key, value=value)
    data = b"".join(machine.snapshot_pieces())
    restored = StateMachine.from_snapshot(data)
    assert list(restored.map.items()) == list(machine.map.items())
    length = len(restored.map.get(b"log") or b"")
    for client in clients:
        _do(restored, operation=kv.APPEND, key=b"log", value=b".", client=client, sequence=1)
    assert len(restored.map.get(b"log") or b"") == length
    assert b"".join(restored.snapshot_pieces()) == data


def test_a_snapshot_is_of_the_moment_it_was_asked_for() -> None:
    machine = StateMachine()
    _do(machine, operation=kv.PUT, key=KEY, value=b"old")
    pieces = machine.snapshot_pieces()
    _do(machine, operation=kv.PUT, key=KEY, value=b"new")
    assert StateMachine.from_snapshot(b"".join(pieces)).map.get(KEY) == b"old"


def test_cut_sessions_are_refused() -> None:
    machine = StateMachine()
    _open(machine, 1)
    with pytest.raises(ValueError):
        StateMachine.from_snapshot(b"".join(machine.snapshot_pieces())[:10])
