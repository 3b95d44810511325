"""What is sampled and counted: perf is asked before the screen opens, and when it is changed."""

from __future__ import annotations

from kvtop.collectors.events_list import check_sampling, split_events
from kvtop.collectors.perf_stat import default_events, with_sampled
from kvtop.config import Config, UsageError


async def check_options(config: Config) -> None:
    """UsageError where perf cannot sample what the options ask for; nothing is asked of perf
    where they ask for nothing special."""
    if config.event is None and config.call_graph != "lbr":
        return
    if problem := await problem_of(config.event, config):
        raise UsageError(problem)


async def problem_of(event: str | None, config: Config) -> str:
    """One sentence on why perf cannot sample this event under these options; '' where it can."""
    options: tuple[str, ...] = ()
    if config.period:
        options += ("-c", str(config.period))
    if config.call_graph != "auto":
        options += ("--call-graph", config.call_graph)
    return await check_sampling(event, options)


def counted_events(event: str | None) -> tuple[str, ...]:
    """What perf stat counts while ``event`` is sampled."""
    return with_sampled(default_events(), split_events(event or ""))
