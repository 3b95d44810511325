"""The call tree against sums over the stacks it was made of."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from kvtop.profile.frames import Kind
from kvtop.profile.stacks import StackTable
from kvtop.profile.tree import ROOT, CallTree, TreeOptions

GLUE = "_PyEval_EvalFrameDefault"
STACKS = st.dictionaries(
    st.lists(st.sampled_from(["a", "b", "c", GLUE]), max_size=6).map(tuple),
    st.integers(1, 9),
    max_size=12,
)
OPTIONS = st.builds(TreeOptions, st.booleans(), st.booleans(), st.booleans())
Stacks = dict[tuple[str, ...], int]


def fold(table: StackTable, stacks: Stacks) -> dict[int, int]:
    """A fold of named stacks."""
    return {table.stack_id([table.frame_id(n, "x") for n in s]): w for s, w in stacks.items()}


def paths(stacks: Stacks, options: TreeOptions) -> Counter[tuple[str, ...]]:
    """Weight per path, by the words of TreeOptions."""
    found: Counter[tuple[str, ...]] = Counter()
    for stack, weight in stacks.items():
        path = [s for s in stack if not (options.fold_glue and s == GLUE)]
        if options.fold_recursion:
            path = [s for at, s in enumerate(path) if not at or path[at - 1] != s]
        found[tuple(path[::-1] if options.inverted else path)] += weight
    return found


def own_weights(tree: CallTree) -> Counter[tuple[str, ...]]:
    """Weight per path as the tree tells it."""
    tree.open()
    return Counter(
        {
            tuple(f.symbol for f in tree.names(node)): tree.self_weight(node)
            for node in range(len(tree))
            if tree.self_weight(node)
        }
    )


def check(tree: CallTree) -> None:
    """Every total is the node's own weight and its children's totals; children are in order."""
    tree.open()
    for node in range(len(tree)):
        children = tree.children(node)
        assert tree.total[node] == tree.self_weight(node) + sum(tree.total[c] for c in children)
        names = [tree.frame(c).symbol for c in children]
        assert names == sorted(names)
        assert all(tree.parent[c] == node for c in children)
        assert all(tree.depth[c] == tree.depth[node] + 1 for c in children)


@given(STACKS, OPTIONS)
def test_a_tree_holds_what_its_stacks_hold(stacks: Stacks, options: TreeOptions) -> None:
    table = StackTable()
    tree = CallTree(table, options)
    tree.update(fold(table, stacks))
    check(tree)
    assert tree.weight == sum(stacks.values())
    assert own_weights(tree) == +paths(stacks, options)


@given(st.lists(STACKS, min_size=2, max_size=5), OPTIONS, st.integers(0, 4), st.integers(1, 20))
def test_following_a_fold_equals_building_it_anew(
    versions: list[Stacks], options: TreeOptions, looked: int, least: int
) -> None:
    table = StackTable()
    tree = CallTree(table, options)
    for number, stacks in enumerate(versions):
        tree.update(fold(table, stacks))
        if number == looked:
            tree.open(ROOT, least)
    check(tree)
    assert own_weights(tree) == +paths(versions[-1], options)


@given(STACKS, STACKS)
def test_groups_stand_under_the_root(one: Stacks, two: Stacks) -> None:
    table = StackTable()
    tree = CallTree(table)
    tree.update_groups({"node0": fold(table, one), "node\x1b1": fold(table, two)})
    check(tree)
    totals = {tree.frame(n).symbol: tree.total[n] for n in tree.children(ROOT)}
    assert totals.get("node0", 0) == sum(one.values())
    assert totals.get("node\\x1b1", 0) == sum(two.values())
    assert all(tree.frame(n).kind is Kind.GROUP for n in tree.children(ROOT))
    tree.update_groups({"node0": fold(table, one)})
    assert tree.weight == sum(one.values())
    check(tree)


def test_recursion_and_depth_have_no_limit() -> None:
    table = StackTable()
    deep = table.stack_id([table.frame_id(f"f{n % 7}", "x") for n in range(5000)])
    tree = CallTree(table)
    tree.update({deep: 3})
    tree.open()
    leaf = len(tree) - 1
    assert tree.depth[leaf] == 5000 and len(tree.path(leaf)) == 5001
    assert tree.find(tree.names(leaf)) == leaf


def test_only_what_is_looked_at_is_sorted() -> None:
    table = StackTable()
    tree = CallTree(table)
    stacks: Stacks = {("main", "hot", f"f{n}"): 10 for n in range(5)}
    stacks |= {("main", "cold", f"g{n}", "h"): 1 for n in range(5)}
    tree.update(fold(table, stacks))
    assert len(tree) == 1
    tree.open(ROOT, 10)
    assert len(tree) == 1 + 1 + 2 + 5
    (main,) = tree.children(ROOT)
    cold, hot = tree.children(main)
    assert (tree.total[cold], tree.total[hot]) == (5, 50)
    assert len(tree.children(cold)) == 5


def test_a_stack_that_the_table_forgot_ends_where_it_is_known() -> None:
    table = StackTable()
    tree = CallTree(table)
    tree.update(fold(table, {("a", "b"): 3}))
    table.compact()
    table.compact()
    assert tree.children(ROOT) == ()
    assert tree.self_weight(ROOT) == tree.weight == 3
    tree.update({})
    assert tree.weight == 0


def test_a_selection_is_found_again_by_name() -> None:
    table = StackTable()
    tree = CallTree(table)
    tree.update(fold(table, {("a", "b", "c"): 1}))
    tree.open()
    names = tree.names(3)
    other = CallTree(table)
    other.update(fold(table, {("a", "a"): 1, ("a", "b", "b"): 1}))
    found = other.find(names)
    assert [f.symbol for f in other.names(found)] == ["a", "b"]


def test_it_does_not_grow_with_the_run() -> None:
    table = StackTable()
    tree = CallTree(table)
    epoch = tree.epoch
    for n in range(30_000):
        tree.update(fold(table, {("a", f"f{n}"): 1}))
        tree.open()
    assert len(tree) < 15_000
    assert tree.epoch > epoch
    assert tree.weight == 1
    check(tree)


def test_frames_outlive_the_table() -> None:
    table = StackTable()
    tree = CallTree(table)
    tree.update(fold(table, {("a", "b"): 1}))
    tree.open()
    table.compact()
    table.compact()
    assert len(table) == 0
    assert [f.symbol for f in tree.names(2)] == ["a", "b"]
    tree.update({})
    assert tree.weight == 0


@given(STACKS, STACKS, STACKS, OPTIONS)
def test_a_copy_has_a_life_of_its_own(
    first: Stacks, second: Stacks, third: Stacks, options: TreeOptions
) -> None:
    table = StackTable()
    tree = CallTree(table, options)
    tree.update(fold(table, first))
    copied = tree.copy()
    assert own_weights(copied) == own_weights(tree)
    tree.update(fold(table, second))
    copied.update(fold(table, third))
    check(copied)
    check(tree)
    assert own_weights(tree) == +paths(second, options)
    assert own_weights(copied) == +paths(third, options)
