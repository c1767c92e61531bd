"""A real browser on a real `gyakusan web`, and what it saw."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CHROMIUM = shutil.which("chromium")
ROOT = Path(__file__).parents[2]
AXE = Path(os.environ.get("GYAKUSAN_AXE", ROOT / ".venv/axe/node_modules/axe-core/axe.min.js"))
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
"""Chromium asks for nothing on its own."""


@contextmanager
def pages_served(*options: str) -> Iterator[str]:
    """Yield the address of `gyakusan web`, which ends afterwards."""
    command = [sys.executable, "-P", "-m", "gyakusan", "web", "--port", "0", "--no-open", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stderr is not None
        found = re.search(r"http://\S+", process.stderr.readline())
        assert found, "it does not start"
        try:
            yield found[0].rstrip("/")
        finally:
            process.terminate()
            process.wait(20)


class Tab:
    """One page of a browser: what it asked for, and what its console said."""

    def __init__(self, context: Any) -> None:
        self.page = context.new_page()
        self.hosts: set[str] = set()
        self.said: list[str] = []
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))

    def text(self, selector: str) -> str:
        """Return the words of a part of the page."""
        return str(self.page.inner_text(selector)).strip()

    def follow(self, selector: str) -> None:
        """Click what leads to another page and wait for that page: a click alone returns before its body is there."""
        with self.page.expect_navigation():
            self.page.click(selector)

    def settle(self) -> None:
        """Wait until the server's answer stands in the page."""
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_selector(".busy", state="detached")
