"""The web server: one kvtop for each browser window, on 127.0.0.1, for who has the link alone."""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import secrets
import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import psutil
from aiohttp import web
from textual_serve.server import Server

HOST = "127.0.0.1"
_ENDING_STEPS = 200
"""Looks, 50 ms apart, whether every window's kvtop has ended."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebServer(Server):
    """textual-serve's, with a page that loads nothing from elsewhere, and a key to its door.

    Whoever may open the page runs kvtop as this user; other users of the machine and other
    pages of the browser must not. The link has a token; the browser keeps it as a cookie that
    it sends to this host alone, and with no request that another site makes.
    """

    def __init__(self, arguments: Sequence[str], port: int) -> None:
        child = (sys.executable, "-m", "kvtop.web.screen", str(os.getpid()), *arguments)
        # It goes through a shell, which textual-serve starts; the shell becomes kvtop.
        super().__init__(
            f"exec {shlex.join(child)}",
            host=HOST,
            port=port,
            title=shlex.join(("kvtop", *arguments)),
            templates_path=Path(__file__).parent,
        )
        self.token = secrets.token_urlsafe(24)
        self.cookie = f"kvtop-token-{port}"
        """Its name; cookies do not tell ports apart."""
        self._windows: set[asyncio.Task[object]] = set()

    @property
    def link(self) -> str:
        """What to open."""
        return f"{self.public_url}/?token={self.token}"

    def initialize_logging(self) -> None:
        """Only what went wrong."""
        logging.basicConfig(level=logging.ERROR, format="kvtop serve: %(message)s")

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._only_invited)
        return app

    @web.middleware
    async def _only_invited(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.query.get("token", "")
        if not any(
            hmac.compare_digest(token.encode(), self.token.encode())
            for token in (given, request.cookies.get(self.cookie, ""))
        ):
            raise web.HTTPForbidden(text="Open the link that kvtop serve has printed.\n")
        response = await handler(request)
        if given and not response.prepared:
            response.set_cookie(self.cookie, self.token, httponly=True, samesite="Strict")
        return response

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """One window: its kvtop runs until it is closed."""
        task = asyncio.current_task()
        assert task is not None
        self._windows.add(task)
        try:
            return await super().handle_websocket(request)
        finally:
            self._windows.discard(task)

    async def on_startup(self, app: web.Application) -> None:
        """Say where it is."""
        print(f"{self.title} is at {self.link}\nCtrl-C ends it.", flush=True)

    async def on_shutdown(self, app: web.Application) -> None:
        """End the kvtop of every window before the server."""
        windows = tuple(self._windows)
        for task in windows:
            task.cancel()
        await asyncio.gather(*windows, return_exceptions=True)
        for _ in range(_ENDING_STEPS):
            if not psutil.Process().children():
                break
            await asyncio.sleep(0.05)
