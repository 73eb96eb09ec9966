"""The README's pictures of the page, taken anew from the demo: `python -m tests.tools.screenshots [FOLDER]`."""

from __future__ import annotations

import io
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from rich.console import Console

from asgi_sentry.tools.demo.page import opened
from asgi_sentry.tools.demo.run import measure
from tests.tools.browser import browsing, look
from tests.tools.sinks import page

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

    from asgi_sentry.tools.sink.serving import SinkServer

FOLDER = Path(__file__).parents[2] / ".github" / "images"
_QUALITY = 82


def take(driver: Chrome, server: SinkServer, folder: Path) -> list[Path]:
    """Take each picture: the overview, an error and its redactions, two payloads side by side, a phone."""
    compared = page(server, "/compare")
    failed = re.search(r"kind error.*?/compare/(\d+)", compared, re.DOTALL)
    (error,) = server.state.store.ask(
        "SELECT id FROM entries WHERE kind = 'error' AND sender NOT LIKE 'plain/%'"
        " ORDER BY title LIKE '%Authorization%' DESC, id DESC LIMIT 1"
    )
    wanted = [
        ("sink-overview", "/?errors=5000&transactions=100000", 1180, 860, False),
        ("sink-error", f"/items/{error['id']}", 1180, 1010, False),
        ("sink-compare", f"/compare/{failed[1]}" if failed else "/compare", 1180, 760, True),
        ("sink-phone", "/items?kind=error", 390, 760, True),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, path, width, height, dark in wanted:
        look(driver, width=width, height=height, dark=dark)
        driver.get(server.url.rstrip("/") + path)
        picture = Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")
        made.append(folder / f"{name}.webp")
        picture.save(made[-1], quality=_QUALITY, method=6)
    return made


def main() -> None:
    """Run the demo and take the pictures of its page."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    kept = []
    result = measure(dsn=None, requests=1500, seed=1, console=Console(file=io.StringIO()), kept=kept)
    with tempfile.TemporaryDirectory() as profile, opened(kept, result) as server, browsing(Path(profile)) as driver:
        while server.state.examiner.look():
            pass
        for file in take(driver, server, folder):
            sys.stdout.write(f"{file.name}: {file.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
