"""What a checked claim is made of, and the questions that several claims ask."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from gyakusan.engines.registry import DEFAULT
from gyakusan.message import Message
from gyakusan.planning.predict.capacity import find_capacity
from gyakusan.python.comparing import Comparison, compare
from gyakusan.python.inspection import Inspection, inspect
from gyakusan.python.options import deployed
from gyakusan.show.report import Picture, Report
from gyakusan.show.tree import Column, Part, Table, Text, Words
from gyakusan.web.rendering import address

Judged = Literal["right", "conditions", "corrected"]
"""Whether a claim holds: as it stands, under conditions, or not."""
CARD, BIG_CARD, SMALL_CARD = "RTX 4090", "RTX 5090", "RTX 5080"
PAIR = "2x RTX 3090"
MACHINES = (
    "RTX 5090",
    "RTX 4090",
    "Jetson AGX Orin 64GB",
    "DGX Spark",
    "Ryzen AI Max+ 395 128GB",
    "Mac Studio M4 Max 128GB",
)
"""The machines of the article's table, each with its largest memory."""
SHARED = ("DGX Spark", "Ryzen AI Max+ 395 128GB", "Mac Studio M4 Max 128GB")


class Found(Struct, frozen=True):
    """What gyakusan finds.

    words: sentences, each a line
    holds: True if the figures still support the verdict
    tables: parts below the sentences
    pictures: the article's figures, drawn anew
    """

    words: tuple[Message, ...]
    holds: bool
    tables: tuple[Part, ...] = ()
    pictures: tuple[Picture, ...] = ()

    @property
    def report(self) -> Report:
        """Return what a page draws."""
        return Report("", self.tables, self.pictures)


class Claim(Struct, frozen=True):
    """One claim of the article.

    name: of its place on the page
    said: what the article says, in a sentence
    judged: whether it holds
    find: works out what we find. Raises GyakusanError
    to: address of a page on which a reader can ask the same
    """

    name: str
    said: Message
    judged: Judged
    find: Callable[[], Found]
    to: str


@lru_cache(128)
def asked(
    model: str, context: int, users: int, device: str, engine: str = DEFAULT, quant: str | None = None
) -> Inspection:
    """Return the memory and speed of a model on a machine. Raises GyakusanError."""
    return inspect(model, context=context, users=users, device=device, engine=engine, quant=quant, offline=True)


@lru_cache(8)
def compared(devices: tuple[str, ...], *models: str) -> Comparison:
    """Return models on machines side by side, for one person. Raises GyakusanError."""
    found = compare(*devices, model=models)
    assert isinstance(found, Comparison)
    return found


@lru_cache(32)
def longest(model: str, users: int, device: str) -> int:
    """Return the longest context with which a model surely fits, 0 for none [tokens for each person]."""
    return int(find_capacity(deployed(model, {}, context=1024, users=users, device=device, offline=True)).context)


def fit(model: str, context: int, users: int, device: str) -> str:
    """Return the address of the page Fit for a question."""
    return address("/fit", model=model, context=context, users=users, device=device)


def named(rows: tuple[tuple[str, ...], ...], first: Words, *heads: Words) -> Table:
    """Return a table of figures with a name in the first column."""
    columns = (Column(first), *(Column(h, "number") for h in heads))
    return Table(columns, tuple(tuple(map(Text, row)) for row in rows))
