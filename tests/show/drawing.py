"""Screens as text, for tests."""

from __future__ import annotations

from gyakusan.show.terminal import lines
from gyakusan.show.tree import Part
from gyakusan.text import Language


def text_of(*parts: Part, language: Language = "en", width: int = 140, ascii_only: bool = False) -> str:
    """What a terminal of `width` cells shows."""
    return "".join(f"{line.plain}\n" for line in lines(parts, language, width, ascii_only=ascii_only))
