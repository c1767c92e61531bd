"""Python's `accuracy_*`: how right the predictions are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gyakusan.errors import unknown
from gyakusan.message import say
from gyakusan.python.answer import Answer

if TYPE_CHECKING:
    from gyakusan.catalog.accuracy import Section


@dataclass(frozen=True, slots=True, repr=False)
class MemoryAccuracy(Answer):
    """What `gyakusan accuracy memory` answers.

    sections: one for each file of recorded truth
    """

    sections: tuple[Section, ...]

    def document(self) -> object:
        """Return the document of `gyakusan accuracy memory --json`."""
        from gyakusan.documents.accuracy import MemoryAccuracyJson

        return MemoryAccuracyJson(memory=self.sections)

    def summary(self) -> Iterator[str]:
        """Yield one line for each section."""
        yield from (f"{s.engine}, {s.id}: {s.rows} rows" for s in self.sections)


@dataclass(frozen=True, slots=True, repr=False)
class SpeedAccuracy(Answer):
    """What `gyakusan accuracy speed` answers.

    speed: as it was measured, None before
    """

    speed: Mapping[str, Any] | None

    def document(self) -> object:
        """Return the document of `gyakusan accuracy speed --json`."""
        from gyakusan.documents.accuracy import SpeedAccuracyJson

        return SpeedAccuracyJson(speed=self.speed)

    def summary(self) -> Iterator[str]:
        """Yield the number of rows."""
        yield "not measured" if self.speed is None else f"{self.speed['rows']} measurements"


def accuracy_memory(*, engine: str | None = None) -> MemoryAccuracy:
    """Return the errors of the memory against recorded truth. engine: only this one. Raises UnknownName."""
    from gyakusan.catalog import accuracy

    sections = accuracy.memory()
    if engine is not None:
        chosen = tuple(s for s in sections if _plain(s.engine) == _plain(engine))
        if not chosen:
            raise unknown(say("engine"), engine, sorted({s.engine for s in sections}), choices=True)
        sections = chosen
    return MemoryAccuracy(sections)


def _plain(name: str) -> str:
    return name.casefold().removesuffix("-lm")


def accuracy_speed() -> SpeedAccuracy:
    """Return the errors of the speeds against published measurements."""
    from gyakusan.catalog import accuracy

    return SpeedAccuracy(accuracy.speed())
