"""The load of a server: how many people use it, and how long their conversations are."""

from __future__ import annotations

from msgspec import Struct

from gyakusan.core.arrays import Number


class Load(Struct, frozen=True):
    """The load that a server has to bear. Both figures may be arrays; their shapes broadcast.

    users: conversations served at the same time
    context: tokens that one conversation may reach, prompt and output together [tokens]
    """

    users: Number
    context: Number
