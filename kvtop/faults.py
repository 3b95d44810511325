"""What the keys of the cluster do: kill, pause and restart nodes, after a question where one ends.

What cannot be done is refused with a sentence.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from kvtop.events import NodeState
from kvtop.session import FaultError
from kvtop.widgets.dialogs import ConfirmScreen

if TYPE_CHECKING:
    from kvtop.app import KvtopApp


def kill_leader(app: KvtopApp) -> None:
    """Ask, then ``kill -9`` the leader."""
    leader = app.session.store.cluster.leader
    if app.session.no_faults:
        _refuse(app, FaultError(app.session.no_faults))
        return
    if leader is None:
        _refuse(app, FaultError("there is no leader at the moment"))
        return
    status = app.session.store.cluster.nodes[leader]
    question = f"kill -9 the leader {leader} (PID {status.pid})?"
    kill = partial(app.session.kill, leader)
    _ask(app, question, "Kill the leader", kill, f"{leader} is killed")


def pause_node(app: KvtopApp) -> None:
    """SIGSTOP the selected node, or SIGCONT it."""
    name = app.dashboard.cluster.selected_node
    if name is None:
        _refuse(app, FaultError("select a node in the cluster pane first"))
    elif app.session.store.cluster.nodes[name].state is NodeState.PAUSED:
        _start(app, app.session.resume(name), f"{name} goes on")
    else:
        _start(app, app.session.pause(name), f"{name} is paused")


def restart_node(app: KvtopApp) -> None:
    """Start the selected node again, or the one that is down; asks before it ends one."""
    nodes = app.session.store.cluster.nodes
    down = [node.name for node in nodes.values() if node.state is NodeState.DOWN]
    name = app.dashboard.cluster.selected_node
    if down and name not in down:
        name = down[0]
    if app.session.no_faults:
        _refuse(app, FaultError(app.session.no_faults))
    elif name is None:
        _refuse(app, FaultError("select a node in the cluster pane first"))
    elif name in down:
        _start(app, app.session.restart(name), f"{name} is started")
    else:
        question = f"kill -9 {name} (PID {nodes[name].pid}), which runs, and start it again?"
        restart = partial(app.session.restart, name)
        _ask(app, question, "Restart", restart, f"{name} restarts")


def _ask(
    app: KvtopApp, question: str, title: str, act: Callable[[], Awaitable[None]], done: str
) -> None:
    """Do it only where the answer is yes."""

    def answered(yes: bool | None) -> None:
        if yes:
            _start(app, act(), done)

    app.push_screen(ConfirmScreen(question, title), answered)


def _start(app: KvtopApp, act: Awaitable[None], done: str) -> None:
    app.run_worker(_do(app, act, done), group="fault")


async def _do(app: KvtopApp, act: Awaitable[None], done: str) -> None:
    try:
        await act
    except FaultError as error:
        _refuse(app, error)
    else:
        app.notify(done, timeout=3, markup=False)


def _refuse(app: KvtopApp, error: FaultError) -> None:
    text = str(error)
    sentence = f"{text[:1].upper()}{text[1:].rstrip('.')}."
    app.notify(sentence, severity="warning", markup=False)
