"""Signals that ask a measurement to end: they end it as Ctrl-C does, in order and with what was measured until then."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

from gyakusan.posix import EndsInOrder, ending_signals

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 and the number of SIGINT, as shells count."""


@dataclass(slots=True)
class Ending(EndsInOrder):
    """Which signal asked for the end.

    number: of the signal, 0 = none but Ctrl-C
    over: True once the command ends: what comes then changes nothing
    """

    number: int = 0
    over: bool = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Do what Ctrl-C would at the moment: an exception inside a step of asyncio would be printed with its traceback."""
        if self.over:
            return
        self.number = number
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):  # a shell starts what runs in the background without Ctrl-C
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)

    def code(self, code: int) -> int:
        """Return the exit code: that of an interruption becomes the signal's own, 143 for SIGTERM."""
        return 128 + self.number if self.number and code == INTERRUPTED else code


@contextmanager
def asked_to_end() -> Iterator[Ending]:
    """Let SIGTERM and its like do what Ctrl-C would at the moment: a load ends early, all else is left in order."""
    ending = Ending()
    before = {}
    with suppress(ValueError):  # not the main thread: nobody sends it signals
        before = {number: signal.signal(number, ending) for number in ending_signals()}
    try:
        yield ending
    except KeyboardInterrupt:
        if not ending.number:
            raise
        ending.over = True
        raise SystemExit(128 + ending.number) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
