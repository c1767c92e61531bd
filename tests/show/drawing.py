"""Screens as text, for tests."""

from __future__ import annotations

from rich.console import Console, Group

from gyakusan.show.terminal import drawn
from gyakusan.show.tree import Part
from gyakusan.text import Language


def text_of(*parts: Part, language: Language = "en", width: int = 140) -> str:
    """What a terminal of `width` cells shows."""
    console = Console(width=width, highlight=False)
    with console.capture() as captured:
        console.print(Group(*(drawn(part, language) for part in parts)))
    return captured.get()
