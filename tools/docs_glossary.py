"""The table of the page "Glossary", from docs/glossary.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent / "docs" / "glossary.toml"
Table = Callable[[Sequence[str], Iterable[Sequence[str]]], str]


def glossary(language: str, table: Table) -> str:
    """Return the words with their meaning, in the order of the language that reads them."""
    words = [w for w in tomllib.loads(FILE.read_text("utf-8"))["word"] if "means" in w]
    if language == "ja":
        return table(("用語", "英語", "意味"), [(w["ja"], w["en"], w["means_ja"]) for w in words])
    return table(("word", "meaning"), [(w["en"], w["means"]) for w in sorted(words, key=lambda w: w["en"].casefold())])
