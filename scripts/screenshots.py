"""Makes the README's screenshots from a real run: ``python scripts/screenshots.py [SECONDS]``.

kvtop runs its cluster without a terminal; what it would draw is rendered to docs/images/*.png.
Needs the ``test`` extra (resvg) and the font DejaVu Sans Mono.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import resvg_py

from kvtop.app import KvtopApp
from kvtop.config import Config
from kvtop.session import Session

IMAGES = Path(__file__).parent.parent / "docs" / "images"
SIZE = (150, 46)


def save(app: KvtopApp, name: str) -> None:
    """Render the screen as it is now."""
    svg = app.export_screenshot(title="")
    svg = re.sub(r"@font-face\s*{[^}]*}", "", svg).replace("Fira Code", "DejaVu Sans Mono")
    png = resvg_py.svg_to_bytes(svg_string=svg, zoom=1, font_family="DejaVu Sans Mono")
    IMAGES.mkdir(parents=True, exist_ok=True)
    (IMAGES / name).write_bytes(bytes(png))
    print(IMAGES / name)


async def main(seconds: float) -> None:
    """Start a cluster, kill its leader on the way, and save two screens."""
    session = Session(Config())
    try:
        await session.start()
        app = KvtopApp(session)
        async with app.run_test(size=SIZE) as pilot:
            await pilot.pause(seconds * 0.6)
            leader = session.store.cluster.leader
            if leader is not None:
                await session.kill(leader)
                await pilot.pause(3)
                await session.restart(leader)
            await pilot.pause(seconds * 0.4)
            save(app, "dashboard.png")
            await pilot.press("f")
            await pilot.pause(1.5)
            for _ in range(3):
                await pilot.press("down")
            await pilot.pause(0.5)
            save(app, "flamegraph.png")
    finally:
        await session.stop()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 40))
