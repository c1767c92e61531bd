"""Where drawings go: colours by --color / --no-color, else as the terminal and NO_COLOR say."""

from __future__ import annotations

from rich.console import Console


def console(*, colour: bool | None = None, stderr: bool = False) -> Console:
    """A console. colour: True forces colours, False removes them, None asks the terminal."""
    if colour is None:
        return Console(stderr=stderr, highlight=False)
    return Console(stderr=stderr, highlight=False, no_color=not colour, force_terminal=colour or None)
