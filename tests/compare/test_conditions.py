"""The little language of --fail-on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtop.compare.conditions import ConditionError, Of, parse_condition


def test_a_metric() -> None:
    found = parse_condition(" cpu/op > 5% ")
    assert (found.of, found.name, found.above, found.limit) == (Of.METRIC, "cpu/op", True, 0.05)
    assert found.beyond(0.051) and not found.beyond(0.05)
    found = parse_condition("ops/s<-5%")
    assert found.beyond(-0.06) and not found.beyond(0.5)
    assert parse_condition("fdatasync p99>0%").name == "fdatasync p99"


def test_functions_by_regex_which_may_hold_the_signs() -> None:
    found = parse_condition("self:operator<<|vector<int>::at>2pp")
    assert found.of is Of.SELF and found.points and found.limit == pytest.approx(0.02)
    assert found.regex is not None and found.regex.search("vector<int>::at")
    found = parse_condition("total:Encode>10%")
    assert found.regex is not None and not found.regex.search("encode")
    found = parse_condition("total:encode>10%")
    assert found.regex is not None and found.regex.search("Encode")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cpu/op",
        "cpu/op=5%",
        "cpu/op>5",
        "cpu/op>5pp",
        "cpu/op>-5%",
        "ops/s<5%",
        "self:>2pp",
        "self:(>2pp",
        ">5%",
        "cpu/op>.%",
        "cpu/op>1.2.3%",
        "cpu/op>5%x",
    ],
)
def test_a_bad_one_is_told_in_one_line(text: str) -> None:
    with pytest.raises(ConditionError) as error:
        parse_condition(text)
    assert "\n" not in str(error.value)


@given(st.text(max_size=40))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        parse_condition(text)
    except ConditionError:
        pass
