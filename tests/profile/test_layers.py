"""Rules: the first frame from the leaf decides, every sample is in one layer, files are checked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.layers_config import BUILT_IN
from kvtop.profile import layers
from kvtop.profile.frames import Frame, Kind, make_frame
from kvtop.profile.layers import Layers, RuleError, layer_names, parse_rules
from kvtop.profile.stacks import StackTable

BUILT_IN_RULES = parse_rules(BUILT_IN.read_text())
KERNEL = "[kernel.kallsyms]"
PYTHON = "/usr/lib/libpython3.13.so.1.0"
LIBC = "/usr/lib/libc.so.6"


def judge(text: str) -> tuple[StackTable, Layers]:
    table = StackTable()
    return table, Layers(table, parse_rules(text))


def stack(table: StackTable, names: str) -> int:
    """A stack of functions of one program, root first."""
    return table.stack_id([table.intern(make_frame(name, "/bin/app")) for name in names.split()])


RULES = """
[[rule]]
layer = "transparent"
symbol = '^memcpy$'
[[rule]]
layer = "lock"
name = "held"
symbol = '^wait$'
under = '^worker$'
[[rule]]
layer = "idle"
symbol = '^wait$'
[[rule]]
layer = "network"
name = "socket"
symbol = '^send'
[[rule]]
layer = "scheduler"
symbol = '^switch$'
[[rule]]
layer = "mine"
symbol = '^(work|memcpy)'
"""


@pytest.mark.parametrize(
    ("names", "layer"),
    [
        ("main work send", "network"),
        ("main send work", "mine"),
        ("main send helper", "network"),
        ("main send memcpy", "network"),
        ("main work memcpy", "mine"),
        ("main helper", "other"),
        ("memcpy", "other"),
        ("main worker wait", "lock"),
        ("main wait", "idle"),
        ("main wait helper", "idle"),
        ("main send switch", "scheduler"),
    ],
)
def test_the_first_frame_from_the_leaf_with_a_rule_decides(names: str, layer: str) -> None:
    table, judged = judge(RULES)
    assert judged.layer(stack(table, names)) == layer


def test_an_empty_stack_is_other() -> None:
    table, judged = judge(RULES)
    assert judged.layer(table.stack_id([])) == "other"
    assert judged.decider(table.stack_id([])) is None


def test_waits_pass_over_the_scheduler() -> None:
    table, judged = judge(RULES)
    waits = stack(table, "main send switch")
    assert judged.layer(waits, waiting=True) == "network"
    assert judged.layer(waits) == "scheduler"
    assert judged.layer(stack(table, "main switch"), waiting=True) == "other"


def test_the_frame_that_decided_is_named() -> None:
    table, judged = judge(RULES)
    decider = judged.decider(stack(table, "main work helper memcpy"))
    assert decider is not None and table.frame(decider).symbol == "work"
    decider = judged.decider(stack(table, "main worker wait"))
    assert decider is not None and table.frame(decider).symbol == "worker", "what it is under"


def test_layers_are_shown_in_a_fixed_order_with_own_ones_before_other() -> None:
    assert layer_names(parse_rules(RULES)) == (
        *("network", "scheduler", "lock", "idle"),
        *("mine", "other"),
    )


def test_own_rules_before_the_built_in_ones_win() -> None:
    own = parse_rules("[[rule]]\nlayer = 'payments'\nsymbol = '^tcp_sendmsg$'\n")
    table = StackTable()
    frames = [table.intern(make_frame("tcp_sendmsg", KERNEL))]
    assert Layers(table, BUILT_IN_RULES).layer(table.stack_id(frames)) == "network"
    assert Layers(table, own + BUILT_IN_RULES).layer(table.stack_id(frames)) == "payments"


NAMES = ("main", "work", "send", "wait", "worker", "switch", "memcpy", "x")


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(NAMES)),
            st.integers(1, 1000),
        )
    ),
    st.booleans(),
)
def test_every_sample_is_in_exactly_one_layer(
    stacks: list[tuple[list[str], int]], waiting: bool
) -> None:
    table, judged = judge(RULES)
    counts: dict[int, int] = {}
    for names, weight in stacks:
        one = stack(table, " ".join(names))
        counts[one] = counts.get(one, 0) + weight
    split = judged.split(counts, waiting)
    assert split.total == sum(counts.values())
    assert sum(split.layers.values()) == split.total
    assert sum(split.names.values()) == split.total
    assert set(split.layers) <= set(judged.names)
    parts = [judged.only(counts, layer, waiting) for layer in judged.names]
    assert sum(len(part) for part in parts) == len(counts)
    merged = {s: n for part in parts for s, n in part.items()}
    assert merged == counts


def test_named_parts_of_a_layer() -> None:
    table, judged = judge(RULES)
    counts = {stack(table, "main send"): 3, stack(table, "main worker wait"): 2}
    split = judged.split(counts)
    assert split.named("network", "socket") == 3 and split.named("network", "x") == 0
    assert judged.only_named(counts, "lock", "held") == {stack(table, "main worker wait"): 2}
    assert split.share("network") == 0.6


def test_each_frame_is_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Frame] = []
    real = layers.Rule.matches

    def counting(self: layers.Rule, frame: Frame) -> bool:
        asked.append(frame)
        return real(self, frame)

    monkeypatch.setattr(layers.Rule, "matches", counting)
    table, judged = judge(RULES)
    names = [f"f{n % 50}" for n in range(2000)]
    counts = {stack(table, f"main {a} {b}"): 1 for a, b in zip(names, names[7:], strict=False)}
    for _ in range(3):
        judged.split(counts)
        for one in counts:
            table.retain(one)
        table.compact()
    assert len(asked) <= 51 * len(judged.rules), "also after the table was compacted"


def test_ids_that_were_forgotten_are_judged_anew() -> None:
    table, judged = judge(RULES)
    judged.split({stack(table, "main send"): 1})
    for _ in range(3):
        table.compact()
    with pytest.raises(KeyError):
        judged.rule(0)
    assert judged.layer(stack(table, "main send")) == "network"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[rule]\n", "is not valid TOML"),
        ("rules = 1\n", "'rules'; there is nothing but [[rule]]"),
        ("rule = 1\n", "is no [[rule]]"),
        ("[[rule]]\nsymbol = 'a'\n", "rule 1 (line 1): needs a layer"),
        ("[[rule]]\nlayer = 'other'\nsymbol = 'a'\n", "cannot be 'other'"),
        ("\n\n[[rule]]\nlayer = 'x'\n", "rule 1 (line 3): needs a symbol"),
        (
            "[[rule]]\nlayer='x'\nsymbol='a'\n[[rule]]\nlayer='x'\nsymbol='('\n",
            "rule 2 (line 4): symbol '(' is no regex",
        ),
        ("[[rule]]\nlayer='x'\nsymbols='a'\n", "there is no 'symbols'; there are file, kind"),
        ("[[rule]]\nlayer='x'\nkind='rust'\n", "kind must be one or a list of python, native"),
        ("[[rule]]\nlayer='x'\nkind=[1]\n", "kind must be text in quotes"),
        ("[[rule]]\nlayer='x'\nsymbol=1\n", "symbol must be text in quotes"),
        ("[[rule]]\nlayer=1\nsymbol='a'\n", "layer must be text in quotes"),
    ],
)
def test_a_bad_rule_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(RuleError) as error:
        parse_rules(text)
    assert said in str(error.value)


@given(st.text())
def test_any_text_gives_rules_or_a_sentence(text: str) -> None:
    try:
        parse_rules(text)
    except RuleError as error:
        assert str(error).isprintable()


def test_names_of_layers_are_safe_text() -> None:
    (rule,) = parse_rules('[[rule]]\nlayer = "a\\u001b[31m"\nsymbol = "x"\n')
    assert rule.layer == "a\\x1b[31m"


# ---- the built-in rules ----------------------------------------------------------------------

MAIN = [
    ("_start", "/usr/bin/python3"),
    ("Py_RunMain", PYTHON),
    ("_PyEval_EvalFrameDefault", PYTHON),
]
KV = "py::{}:/srv/kvtop/workload/{}"


@pytest.mark.parametrize(
    ("frames", "layer"),
    [
        ([(KV.format("Core.append", "raft/core.py"), "")], "consensus"),
        ([(KV.format("Core.append", "raft/core.py"), ""), ("PyDict_GetItem", PYTHON)], "consensus"),
        ([(KV.format("Core.append", "raft/core.py"), ""), ("_PyObject_Malloc", PYTHON)], "memory"),
        ([(KV.format("WAL.append", "wal.py"), "")], "log I/O"),
        (
            [
                (KV.format("WAL.flush", "wal.py"), ""),
                ("fdatasync", LIBC),
                ("do_syscall_64", KERNEL),
                ("ext4_sync_file", KERNEL),
            ],
            "log I/O",
        ),
        ([(KV.format("Machine.apply", "statemachine.py"), "")], "state machine"),
        (
            [(KV.format("f", "raft_messages.py"), ""), ("upb_Encode", "/x/_message.abi3.so")],
            "serialisation",
        ),
        ([("sock_send", PYTHON), ("do_syscall_64", KERNEL), ("tcp_sendmsg", KERNEL)], "network"),
        ([("tcp_sendmsg", KERNEL), ("_raw_spin_lock_bh", KERNEL)], "network"),
        ([("ep_poll", KERNEL), ("schedule", KERNEL), ("finish_task_switch", KERNEL)], "scheduler"),
        ([("take_gil", PYTHON), ("pthread_cond_timedwait", LIBC), ("futex_wait", KERNEL)], "lock"),
        ([("_queue_SimpleQueue_get", "_queue.so"), ("do_futex", KERNEL)], "idle"),
        ([("gc_collect_main", PYTHON)], "memory"),
        ([("py::handler:/srv/app/views.py", "")], "interpreter"),
        ([("py::loads:/usr/lib/python3.13/json/__init__.py", "")], "serialisation"),
        (
            [("py::BaseEventLoop._run_once:/usr/lib/python3.13/asyncio/base_events.py", "")],
            "scheduler",
        ),
        ([("PyDict_GetItem", PYTHON)], "interpreter"),
    ],
)
def test_where_the_built_in_rules_put_python(frames: list[tuple[str, str]], layer: str) -> None:
    table = StackTable()
    ids = [table.frame_id(*frame) for frame in (*MAIN, *frames)]
    assert Layers(table, BUILT_IN_RULES).layer(table.stack_id(ids)) == layer


@pytest.mark.parametrize(
    ("symbol", "layer"),
    [
        ("runtime.gcBgMarkWorker", "memory"),
        ("runtime.mallocgc", "memory"),
        ("runtime.findRunnable", "scheduler"),
        ("runtime.lock2", "lock"),
        ("sync.(*RWMutex).Lock", "lock"),
        ("google.golang.org/grpc/internal/transport.(*loopyWriter).run", "network"),
        ("go.etcd.io/etcd/raft.(*raft).Step", "consensus"),
        ("go.etcd.io/etcd/raft/v3.(*raft).Step", "consensus"),
        ("go.etcd.io/bbolt.(*DB).Update", "state machine"),
        ("go.etcd.io/etcd/mvcc.(*store).Write", "state machine"),
        ("go.etcd.io/etcd/wal.(*WAL).Save", "log I/O"),
        ("go.etcd.io/etcd/server/v3/storage/wal.(*WAL).Save", "log I/O"),
        ("github.com/gogo/protobuf/proto.Marshal", "serialisation"),
        ("go.etcd.io/etcd/raft/raftpb.(*Message).Size", "serialisation"),
        ("main.work", "other"),
    ],
)
def test_where_the_built_in_rules_put_go(symbol: str, layer: str) -> None:
    table = StackTable()
    ids = [
        table.intern(Frame(name, "etcd", Kind.NATIVE)) for name in ("runtime.goexit.abi0", symbol)
    ]
    found = Layers(table, BUILT_IN_RULES)
    assert found.layer(table.stack_id(ids[1:])) == layer


@pytest.mark.parametrize(
    ("symbol", "layer"),
    [
        ("readQueryFromClient", "network"),
        ("aeProcessEvents", "network"),
        ("feedAppendOnlyFile", "log I/O"),
        ("dictFind", "state machine"),
        ("processCommand", "state machine"),
    ],
)
def test_where_the_built_in_rules_put_redis(symbol: str, layer: str) -> None:
    table = StackTable()
    ids = [table.intern(make_frame(symbol, "/usr/bin/redis-check-rdb"))]
    assert Layers(table, BUILT_IN_RULES).layer(table.stack_id(ids)) == layer
    ids = [table.intern(make_frame(symbol, "/usr/bin/other"))]
    assert Layers(table, BUILT_IN_RULES).layer(table.stack_id(ids)) == "other", "names are common"


def test_every_layer_of_the_issue_has_rules() -> None:
    assert set(layers.BUILT_IN) <= set(layer_names(BUILT_IN_RULES))


def test_the_interpreter_is_its_own_code_and_what_it_runs() -> None:
    table = StackTable()
    judged = Layers(table, ())
    of = {
        ("_PyEval_EvalFrameDefault", PYTHON): True,
        ("PyDict_GetItem", "/usr/bin/python3.13"): True,
        ("py::f:/srv/app.py", ""): True,
        ("tcp_sendmsg", KERNEL): False,
        ("upb_Encode", "/x/_message.abi3.so"): False,
    }
    for frame, yes in of.items():
        assert judged.interpreted({table.stack_id([table.frame_id(*frame)]): 2}) == 2 * yes
