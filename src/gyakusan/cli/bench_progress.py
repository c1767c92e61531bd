"""The line that says how a bench gets on: replaced in place on a terminal, a new one now and then elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gyakusan.cli.writing import warn
from gyakusan.message import Message, duration, say
from gyakusan.show.bench_line import progress
from gyakusan.text import Language, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.status import Status

    from gyakusan.load_testing.drive import StepRun
    from gyakusan.load_testing.workload import Step

EVERY = 0.2
"""No more often is the line drawn on a terminal. [s]"""
SELDOM = 15.0
"""No more often is a line written to a file or a pipe, where every line stays. [s]"""


class LiveLine:
    """One line on standard error."""

    def __init__(self, language: Language, requests: int | None, seconds: str, loads: Sequence[Step] = ()) -> None:
        """Prepare it. requests, seconds: that end a load, as they were typed; loads: all, to number them."""
        from gyakusan.load_testing.workload import parse_seconds

        self._language, self._loads = language, loads
        self._limit = parse_seconds(seconds) if requests is None else None
        self._status: Status | None = None
        self._shown: float | None = None
        self._on = sys.stderr.isatty()

    def update(self, run: StepRun, now: float) -> None:
        """Draw it anew. now: by the client's clock, which begins anew with each round of loads [s]."""
        if self._shown is not None and 0 <= now - self._shown < (EVERY if self._on else SELDOM):
            return
        self._shown = now
        told = tell(progress(run, now, self._limit, self._loads), self._language)
        if self._on:
            self._draw(told)
        else:
            warn(told)

    def begin(self, loads: int = 0) -> None:
        """Say that it begins, on a terminal and elsewhere: a slow server answers its first request after a minute.

        loads: that are known, 0 = how many there are shows only later
        """
        sentence = say("Sending the first requests; Ctrl-C ends the bench and keeps what was measured.")
        if loads and self._limit is not None:
            sentence = say(
                "Sending the first requests; {loads} of {seconds} s take {time} or longer, as answers that have begun are "
                "waited for. Ctrl-C ends the bench and keeps what was measured.",
                loads=say("1 load") if loads == 1 else say("{n} loads", n=loads),
                seconds=f"{self._limit:.3g}", time=duration(loads * self._limit),
            )  # fmt: skip
        told = tell(sentence, self._language)
        if self._on:
            self._draw(told)
        else:
            warn(told)

    def say(self, template: str) -> None:
        """Say what begins."""
        if self._on:
            self._draw(tell(Message(template), self._language))

    def close(self) -> None:
        """Take the line away."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _draw(self, text: str) -> None:
        from rich.console import Console
        from rich.text import Text

        if self._status is None:
            self._status = Console(stderr=True).status("")
            self._status.start()
        self._status.update(Text(text))
