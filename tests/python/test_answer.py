"""A repr never grows beyond a screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gyakusan.python.answer import MOST_LINES, Answer, quality_words, speed_words


@dataclass(frozen=True, slots=True, repr=False)
class Long(Answer):
    count: int

    def document(self) -> object:
        return [self.count]

    def summary(self) -> Iterator[str]:
        yield from (str(i) for i in range(self.count))


def test_long_answers_are_cut_and_say_so() -> None:
    assert repr(Long(MOST_LINES)).splitlines() == [str(i) for i in range(MOST_LINES)]
    lines = repr(Long(MOST_LINES + 5)).splitlines()
    assert len(lines) == MOST_LINES
    assert lines[-1] == "... and 6 more"
    assert Long(3).to_dict() == [3]


def test_what_is_not_known_is_said() -> None:
    assert speed_words(None) == "speed unknown"
    assert quality_words(None) == "quality unknown"
