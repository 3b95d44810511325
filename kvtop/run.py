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
from collections.abc import Callable
from dataclasses import replace
from types import FrameType

from kvtop.config import Config
from kvtop.session import Session, StartError

_log = logging.getLogger("kvtop.run")


def run(config: Config) -> int:
    """Run to the end; the return value is the exit code."""
    with asyncio.Runner() as runner:
        return runner.run(_run(config))


async def _run(config: Config) -> int:
    ending = _Ending()
    if config.pick:
        picked = await _pick(config, ending)
        if not picked:
            return ending.code
        config = replace(config, pick=False, attach=picked)
    session = _make_session(config)
    headless = config.headless
    try:
        start = asyncio.create_task(session.start())
        ending.cancel_on_signal(start)
        # The screen's modules take 0.4 s to load: in a thread, while the cluster elects a leader.
        if not headless:
            await asyncio.to_thread(importlib.import_module, "kvtop.app")
        await start
        if not headless:
            return await _screen(session, ending)
        main = asyncio.create_task(_headless(session, config))
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


def _make_session(config: Config) -> Session:
    if config.ssh is None:
        return Session(config)
    from kvtop.remote.session import RemoteSession

    return RemoteSession(config)


async def _pick(config: Config, ending: _Ending) -> tuple[int, ...]:
    from kvtop.picker import PickerApp, pick

    app = PickerApp(config.theme)
    ending.on_signal(lambda code: app.exit(()))
    return await pick(app, config)


async def _headless(session: Session, config: Config) -> int:
    from kvtop.batch import print_reports

    code = await print_reports(session, config)
    return code or int(session.failed)


async def _screen(session: Session, ending: _Ending) -> int:
    from kvtop.app import KvtopApp

    app = KvtopApp(session)
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
