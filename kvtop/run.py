"""Starts a session, then the screen or the batch output over it, and always ends both."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING

from kvtop.config import Config
from kvtop.session import Session, StartError

if TYPE_CHECKING:
    from kvtop.app import KvtopApp

_log = logging.getLogger("kvtop.run")


Reports = Callable[[Session, Config], Coroutine[None, None, int]]
"""What goes on without a screen; returns the exit code."""


def run(config: Config, reports: Reports | None = None) -> int:
    """Run to the end; the return value is the exit code. With ``reports`` there is no screen."""
    with asyncio.Runner() as runner:
        return runner.run(_run(config, reports))


async def show(session: Session, make_app: Callable[[Session], KvtopApp]) -> int:
    """A session that needs no target, on the screen; the exit code."""
    ending = _Ending()
    try:
        start = asyncio.create_task(session.start())
        ending.cancel_on_signal(start)
        await start
        return await _screen(session, ending, make_app)
    except asyncio.CancelledError:
        if ending.code:
            return ending.code
        raise
    finally:
        ending.stopping()
        await session.stop()


async def _run(config: Config, reports: Reports | None) -> int:
    ending = _Ending()
    if config.pick:
        picked = await _pick(config, ending)
        if not picked:
            return ending.code
        config = replace(config, pick=False, attach=picked)
    if reports is None and config.headless:
        reports = _reports
    session = _make_session(config, on_screen=reports is None)
    try:
        start = asyncio.create_task(session.start())
        ending.cancel_on_signal(start)
        # The screen's modules take 0.4 s to load: in a thread, while the cluster elects a leader.
        if reports is None:
            await asyncio.to_thread(importlib.import_module, "kvtop.app")
        await start
        if reports is None:
            return await _screen(session, ending) or await recording_ended(session)
        main = asyncio.create_task(reports(session, config))
        ending.cancel_on_signal(main)
        return await main
    except asyncio.CancelledError:
        if ending.code:
            return ending.code
        raise
    except StartError as error:
        _log.error("%s", error)
        print(f"kvtop: {error}", file=sys.stderr)
        return 1
    except Exception:
        _log.exception("kvtop failed")
        raise
    finally:
        ending.stopping()
        await session.stop()
        if session.epilogue:
            print(f"kvtop: {session.epilogue}.", file=sys.stderr)
        _log.info("ended")


def _make_session(config: Config, on_screen: bool) -> Session:
    if config.ssh is None:
        return Session(config)
    from kvtop.remote.session import RemoteSession

    # A script is better told that a connection broke than served figures with a hole.
    return RemoteSession(config, again=on_screen)


async def _pick(config: Config, ending: _Ending) -> tuple[int, ...]:
    from kvtop.picker import PickerApp, pick

    app = PickerApp(config.theme)
    ending.on_signal(lambda code: app.exit(()))
    return await pick(app, config)


async def _reports(session: Session, config: Config) -> int:
    from kvtop.batch import print_reports

    code = await print_reports(session, config)
    return code or await recording_ended(session) or int(session.failed)


async def recording_ended(session: Session) -> int:
    """End the recording, if there is one; 1 where it holds less than the run, which is said."""
    recorder = session.recorder
    if recorder is None:
        return 0
    await recorder.stop()
    if recorder.problem:
        print(f"kvtop: {recorder.problem}", file=sys.stderr)
    return int(bool(recorder.problem))


async def _screen(
    session: Session, ending: _Ending, make_app: Callable[[Session], KvtopApp] | None = None
) -> int:
    app: KvtopApp = (make_app or importlib.import_module("kvtop.app").KvtopApp)(session)
    # Stacks and frames are many and live long: looking through them for cycles all the time
    # cost a twentieth of kvtop's CPU.
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    ending.on_signal(lambda code: app.exit(return_code=code))
    await app.run_async(mouse=not session.config.no_mouse)
    if app._exception is not None:
        _log.error("the screen failed", exc_info=app._exception)
    return ending.code or app.return_code or 0


class _Ending:
    """Turns signals into an orderly end with exit code 128 + signal.

    Plain handlers, not the loop's: they run even where a dead terminal holds up the main thread.
    Then, after ``PATIENCE`` seconds, the process ends as it is; the supervisor and the kernel
    (PR_SET_PDEATHSIG) end its children.
    """

    PATIENCE = 3.0

    def __init__(self) -> None:
        self.code = 0
        self._act: Callable[[int], object] = lambda code: None
        self._last_resort: threading.Timer | None = None
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.code = 128 + number
        if self._last_resort is None:
            self._last_resort = threading.Timer(self.PATIENCE, os._exit, (self.code,))
            self._last_resort.daemon = True
            self._last_resort.start()
        self._loop.call_soon_threadsafe(self._act, self.code)

    def on_signal(self, act: Callable[[int], object]) -> None:
        """Call this from now on, at once where a signal has come already."""
        self._act = act
        if self.code:
            act(self.code)

    def cancel_on_signal(self, task: asyncio.Task[object]) -> None:
        """Let a signal cancel the task."""
        self.on_signal(lambda code: task.cancel())

    def stopping(self) -> None:
        """The screen is gone: further signals do nothing, and what follows ends by itself."""
        self._act = lambda code: None
        if self._last_resort is not None:
            self._last_resort.cancel()
