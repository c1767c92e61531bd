"""Load: what people do to the server."""

from __future__ import annotations

from dataclasses import dataclass

from gyakusan.core.arrays import Number


@dataclass(frozen=True, slots=True)
class Load:
    """users: conversations served at the same time; context: tokens one of them may reach, prompt and answer. [tokens]

    Both may be arrays; shapes broadcast.
    """

    users: Number
    context: Number
