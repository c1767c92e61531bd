"""Read the log of mlx_lm.server: how many conversations its prompt cache has, and their size.

Source: mlx-lm 0.32.2, mlx_lm/server.py (log_cache_stats, run).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_LONGEST = 2000
_CACHE = re.compile(r"Prompt Cache: (\d{1,9}) sequences, (\d{1,9}\.\d{1,4}) GB")
_KIND = re.compile(r"- (\w{1,20}): (\d{1,9}) sequences, (\d{1,9}\.\d{1,4}) GB")
_ADDRESS = re.compile(r"Starting httpd at (\S{1,200}) on port (\d{1,5})")


@dataclass(frozen=True, slots=True)
class Reported:
    """The last state that mlx_lm.server printed; None for what it did not print.

    sequences: finished conversations in its cache
    bytes: size of those conversations, printed to 0.01 GB [B]
    largest: largest size so far [B]
    port: on which it listens
    """

    sequences: int | None = None
    bytes: float | None = None
    largest: float | None = None
    port: int | None = None


def read(lines: Iterable[str]) -> Reported:
    """Return the facts in a log. Never raises on any text."""
    sequences = size = largest = port = None
    for line in lines:
        line = line[:_LONGEST]
        if match := _CACHE.search(line):
            sequences, size = int(match[1]), float(match[2]) * 1e9
            largest = size if largest is None else max(largest, size)
        elif match := _ADDRESS.search(line):
            port = int(match[2])
    return Reported(sequences, size, largest, port)
