"""The screen in a real browser: the same text, keys that work, nothing left when it is closed."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyte
import pytest
from playwright.sync_api import Page, WebSocket, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
MAIN = r"self %\s+total %\s+samples"
"""On the main screen, where no dialog hides it."""
pytestmark = pytest.mark.e2e
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")


@dataclass
class Served:
    """A running ``kvtop serve`` over a process that burns CPU."""

    process: subprocess.Popen[str]
    link: str
    target: int

    def screens(self) -> list[psutil.Process]:
        """Every kvtop that it runs for a window."""
        return psutil.Process(self.process.pid).children()


def _wait_until_it_listens(port: int) -> None:
    """The link is told just before."""
    for _ in range(200):
        with socket.socket() as caller:
            if not caller.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.05)
    raise AssertionError("nobody listens")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    argv = ["serve", "--port", str(port), "--", "--attach", str(busy.pid)]
    server = subprocess.Popen(
        [sys.executable, "-m", "kvtop", *argv],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        link = re.search(rf"http://127\.0\.0\.1:{port}/\?token=\S+", line)
        assert link, line
        _wait_until_it_listens(port)
        yield Served(server, link[0], busy.pid)
    finally:
        for process in (server, busy):
            process.send_signal(signal.SIGINT if process is server else signal.SIGKILL)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Window:
    """A page, and the terminal screen that its socket was sent."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.screen = pyte.Screen(300, 100)
        self._stream = pyte.ByteStream(self.screen)
        self.elsewhere: list[str] = []
        page.on("websocket", self._opened)
        page.on("request", lambda request: self._asked(request.url))

    def _opened(self, opened: WebSocket) -> None:
        opened.on("framereceived", self._received)

    def _received(self, payload: str | bytes) -> None:
        if isinstance(payload, bytes):
            self._stream.feed(payload)

    def _asked(self, url: str) -> None:
        if not url.startswith(("http://127.0.0.1:", "data:")):
            self.elsewhere.append(url)

    def wait_for(self, pattern: str) -> None:
        """Wait until the screen shows it."""
        end = time.monotonic() + 30
        while not re.search(pattern, text := "\n".join(self.screen.display)):
            assert time.monotonic() < end, re.sub(r"\s*\n\s*", "\n", text)
            self.page.wait_for_timeout(100)


@needs_chromium
def test_the_screen_in_a_browser(served: Served) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 760})
        window = Window(page)
        page.goto(served.link)
        window.wait_for(MAIN)
        page.wait_for_selector("body.-first-byte")
        page.keyboard.press("?")
        window.wait_for("help: every key")
        page.keyboard.press("Escape")
        window.wait_for(MAIN)
        page.keyboard.press("f")
        window.wait_for(r"all · [\d,.]+k? samples")
        (screen,) = served.screens()
        family = [screen, *screen.children(recursive=True)]
        assert any(process.name() == "perf" for process in family)
        page.keyboard.press("Escape")
        window.wait_for(MAIN)
        page.keyboard.press("q")
        page.wait_for_selector("body.-closed", timeout=20_000)
        psutil.wait_procs(family, timeout=10)
        assert [process for process in family if process.is_running()] == []
        assert window.elsewhere == []
        browser.close()


@needs_chromium
def test_a_closed_window_and_an_ended_server_leave_nothing(served: Served) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        families = []
        for _ in range(2):
            page = browser.new_page()
            window = Window(page)
            page.goto(served.link)
            window.wait_for(MAIN)
            screen = served.screens()[-1]
            families.append([screen, *screen.children(recursive=True)])
        closed, other = families
        browser.contexts[0].pages[0].close()
        psutil.wait_procs(closed, timeout=15)
        assert [process for process in closed if process.is_running()] == []
        assert other[0].is_running()
        served.process.send_signal(signal.SIGINT)
        served.process.wait(20)
        psutil.wait_procs(other, timeout=10)
        assert [process for process in other if process.is_running()] == []
        browser.close()


def test_nobody_enters_without_the_link(served: Served) -> None:
    page = served.link.partition("?")[0]
    for path in ("", "?token=wrong", "ws", "static/js/textual.js", "download/x"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(page + path, timeout=10)
        assert caught.value.code == 403
        caught.value.close()
    assert served.screens() == []
    with urllib.request.urlopen(served.link, timeout=10) as answer:
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
        assert "googleapis" not in answer.read().decode()
