"""Starts a session, then the screen or the batch output over it, and always ends both."""

from __future__ import annotations

import asyncio
import importlib
import signal
import sys
from collections.abc import Callable

from kvtop.config import Config
from kvtop.session import Session, StartError

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def run(config: Config) -> int:
    """Run to the end; the return value is the exit code."""
    with asyncio.Runner() as runner:
        return runner.run(_run(config))


async def _run(config: Config) -> int:
    ending = _Ending()
    session = Session(config)
    headless = config.batch or config.json
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
        print(f"kvtop: {error}", file=sys.stderr)
        return 1
    finally:
        ending.ignore_further_signals()
        await session.stop()


async def _headless(session: Session, config: Config) -> int:
    from kvtop.batch import print_reports

    return await print_reports(session, config)


async def _screen(session: Session, ending: _Ending) -> int:
    from kvtop.app import KvtopApp

    app = KvtopApp(session)
    ending.on_signal(lambda code: app.exit(return_code=code))
    await app.run_async()
    return ending.code or app.return_code or 0


class _Ending:
    """Turns signals into an orderly end with exit code 128 + signal."""

    def __init__(self) -> None:
        self.code = 0
        self._act: Callable[[int], object] = lambda code: None
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._receive, number)

    def _receive(self, number: signal.Signals) -> None:
        self.code = 128 + number
        self._act(self.code)

    def on_signal(self, act: Callable[[int], object]) -> None:
        self._act = act
        if self.code:
            act(self.code)

    def cancel_on_signal(self, task: asyncio.Task[object]) -> None:
        self.on_signal(lambda code: task.cancel())

    def ignore_further_signals(self) -> None:
        self._act = lambda code: None
