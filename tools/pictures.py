"""Takes the pictures of the pages that the docs show: python tools/pictures.py [NAME ...]

They are of the figures of today's catalogue; look at them before they are committed. Needs Debian's chromium and playwright.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]
FIT = "/fit?model=gpt-oss-20b&device=RTX+4090&context=131072&users=2"
PICTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "fit": (FIT, {"viewport": {"width": 1280, "height": 1000}}),
    "fit-ja": (FIT, {"viewport": {"width": 1280, "height": 1000}, "locale": "ja-JP"}),
    "fit-phone": (FIT, {"viewport": {"width": 360, "height": 740}, "locale": "ja-JP", "color_scheme": "dark"}),
    "plan": ("/plan?budget=1000000JPY&users=2", {"viewport": {"width": 1280, "height": 1000}, "locale": "ja-JP"}),
    "computer": ("/computer", {"viewport": {"width": 1280, "height": 1250}}),
    "computer-ja": ("/computer", {"viewport": {"width": 1280, "height": 1250}, "locale": "ja-JP"}),
    "compare": ("/compare", {"viewport": {"width": 1280, "height": 1000}, "color_scheme": "dark"}),
}
"""Name of a picture -> address, and what the browser is like."""


SERVE = ("serve", "smollm2", "--cpu", "--context", "2048", "--users", "2", "--port", "0", "--detach")
BENCH = ("bench", "smollm2", "--users", "1,2", "--seconds", "4s", "--prompt", "200", "--answer", "50")
LOOKS = 12.0
"""How long the memory of a running server is watched. [s]"""


@contextmanager
def a_server() -> Iterator[None]:
    """Run the smallest model, benched twice, in a state folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        command = [sys.executable, "-P", "-m", "gyakusan"]
        try:
            for words in (SERVE, BENCH, BENCH):
                subprocess.run([*command, *words], check=True, stdout=subprocess.DEVNULL)
            yield
        finally:
            subprocess.run([*command, "stop"], check=False, stdout=subprocess.DEVNULL)


def main(names: Sequence[str]) -> int:
    """Write docs/pictures/*.png. names: those to take, all if there are none."""
    from playwright.sync_api import sync_playwright
    from tests.web.browser import CHROMIUM, QUIET, pages_served

    folder = ROOT / "docs/pictures"
    folder.mkdir(exist_ok=True)
    with a_server(), pages_served() as site, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        for name, (path, looks) in PICTURES.items():
            if names and name not in names:
                continue
            page = browser.new_context(**looks).new_page()
            page.goto(site + path)
            page.wait_for_load_state("networkidle" if path != "/computer" else "load")  # that one asks every second
            time.sleep(LOOKS if path == "/computer" else 0)
            page.screenshot(path=folder / f"{name}.png")
            print(f"wrote docs/pictures/{name}.png")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
