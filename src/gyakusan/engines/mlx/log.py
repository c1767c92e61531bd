"""Read the log of mlx_lm.server: how many conversations its prompt cache has, and their size; where it stands.

Source: mlx-lm 0.32.2, mlx_lm/server.py (log_cache_stats, run).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gyakusan.engines.server import ReportedBuffer
from gyakusan.message import Message, say

_LONGEST = 2000
_CACHE = re.compile(r"Prompt Cache: (\d{1,9}) sequences, (\d{1,9}\.\d{1,4}) GB")
_KIND = re.compile(r"- (\w{1,20}): (\d{1,9}) sequences, (\d{1,9}\.\d{1,4}) GB")
_VERSION = re.compile(r"^gyakusan: MLX-LM (\d[\w.+-]{0,40}),")
_ADDRESS = re.compile(r"Starting httpd at (\S{1,200}) on port (\d{1,5})")


@dataclass(frozen=True, slots=True)
class Reported:
    """The last state that mlx_lm.server printed; None for what it did not print.

    sequences: finished conversations in its cache
    bytes: size of those conversations, printed to 0.01 GB [B]
    largest: largest size so far [B]
    port: on which it listens
    version: of MLX-LM, where we started it
    """

    sequences: int | None = None
    bytes: float | None = None
    largest: float | None = None
    port: int | None = None
    version: str | None = None

    @property
    def buffers(self) -> tuple[ReportedBuffer, ...]:
        """Nothing: MLX-LM prints no memory of weights or of running requests."""
        return ()

    @property
    def build(self) -> None:
        """None: it has no build numbers."""
        return


def read(lines: Iterable[str]) -> Reported:
    """Return the facts in a log. Never raises on any text."""
    sequences = size = largest = port = version = None
    for line in lines:
        line = line[:_LONGEST]
        if match := _CACHE.search(line):
            sequences, size = int(match[1]), float(match[2]) * 1e9
            largest = size if largest is None else max(largest, size)
        elif match := _ADDRESS.search(line):
            port = int(match[2])
        elif match := _VERSION.search(line):
            version = match[1]
    return Reported(sequences, size, largest, port, version)


def listens(line: str, port: int) -> bool:
    """Return True if this line says that the server listens on `port`; the model may still be loading then."""
    match = _ADDRESS.search(line[:_LONGEST])
    return match is not None and int(match[2]) == port


def stage(line: str) -> Message | None:
    """Return what begins with this line: the model is loaded in a thread of its own while the server listens."""
    return say("Loading the weights.") if line.startswith("gyakusan: MLX-LM ") else None


def works(line: str) -> bool:
    """Return True if this line says that a prompt is being read or an answer has gone into the cache."""
    return "Prompt processing progress:" in line[:_LONGEST] or "Prompt Cache:" in line[:_LONGEST]


def gave_up(line: str) -> bool:
    """Return True where the thread that computes has died: /health answers 503 from then on, and the process stays."""
    return "generation thread died" in line[:_LONGEST]
