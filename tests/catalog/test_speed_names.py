"""Names in published measurements: which patterns are tried."""

from __future__ import annotations

import re

import pytest

from gyakusan.catalog import speed_names
from gyakusan.catalog.models import model_records


def test_only_patterns_that_cannot_match_are_passed_over() -> None:
    """The first pattern of all that is in a name decides, as if each were tried."""
    names = [m.name for m in model_records()] + [target for _, _, target in speed_names._patterns() if target]
    for name in names:
        for words, pattern, _ in speed_names._patterns():
            if re.search(pattern, name):
                assert any(w in name for w in words), (name, pattern)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("phi-?3(-latest)?$", ("phi",)),
        ("^mistral$|^mistral-latest", ("mistral", "mistral")),
        ("jamba2?-.*mini", ("jamba",)),
        ("ab?c", ("a",)),
        ("(mistral|devstral)-small", ("", "devstral")),
    ],
)
def test_words_are_what_each_alternative_must_begin_with(pattern: str, words: tuple[str, ...]) -> None:
    """A letter that may be left out is none of them; what begins with a parenthesis is always tried."""
    assert speed_names._beginnings(pattern) == words
