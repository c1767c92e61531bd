"""Processes of tests of real servers: none outlives its test, and none can keep a test waiting for ever."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Timer
from typing import Any


@contextmanager
def bounded(words: Sequence[str], seconds: float, **more: Any) -> Iterator[subprocess.Popen[Any]]:
    """A process that is killed at the end of the block, and after `seconds` at the latest: whoever reads from it sees an end."""
    with subprocess.Popen(words, **more) as process:
        patience = Timer(seconds, process.kill)
        patience.start()
        try:
            yield process
        finally:
            patience.cancel()
            process.kill()
