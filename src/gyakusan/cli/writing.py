"""Answers on stdout: JSON for programs, drawings for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gyakusan.cli.options import Output


def write_json(value: object) -> None:
    """One JSON value, readable."""
    import json

    print(json.dumps(value, ensure_ascii=False, indent=2))


def draw(*parts: RenderableType, output: Output) -> None:
    """Drawings, one below the other."""
    from gyakusan.show.console import console

    screen = console(colour=output.color)
    for part in parts:
        screen.print(part)
