"""What an expert answers for boxes (November 2026), and whether an answer's first three plans hold one of these.

The boxes with their reasons are data: `experts.toml`. `benchmarks/experts.py` asks all of them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from gyakusan.planning.select.plan import Plan

BOXES = Path(__file__).with_name("experts.toml")
FIRST = 3
"""Plans of an answer that a person reads."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box, its people, and what an expert names.

    values: options of `gyakusan plan`
    models: beginnings of accepted names
    not_first: beginnings of names that would be wrong as the first plan
    devices: parts of the names of accepted machines, empty = any
    why: the expert's reason
    source: "field" or "own"
    disagree: why we answer otherwise, with evidence; "" = we should not
    """

    values: dict[str, Any] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    not_first: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    why: str = ""
    source: str = "own"
    disagree: str = ""

    @property
    def command(self) -> str:
        """The question as one types it."""
        return "gyakusan plan " + " ".join(_option(k, v) for k, v in self.values.items())


def _option(name: str, value: object) -> str:
    if value is True:
        return f"--{name}"
    text = str(value)
    return f'--{name} "{text}"' if " " in text else f"--{name} {text}"


@cache
def boxes() -> tuple[Box, ...]:
    """Return every box of the data."""
    data = tomllib.loads(BOXES.read_text("utf-8"))
    return tuple(_box(entry, data["sets"]) for entry in data["box"])


def _box(entry: dict[str, Any], sets: dict[str, list[str]]) -> Box:
    accept = entry["accept"]
    return Box(
        values=entry["ask"],
        models=tuple(sets[accept] if isinstance(accept, str) else accept),
        not_first=tuple(entry.get("not_first", ())),
        devices=tuple(entry.get("devices", ())),
        why=entry["why"],
        source=entry["source"],
        disagree=entry.get("disagree", ""),
    )


def plain(name: str) -> str:
    """Return a name without capitals, dots and hyphens: "gemma-4-26B-A4B" and "gemma4-26b-a4b" are one model."""
    return "".join(c for c in name.casefold() if c.isalnum())


def called(name: str, beginnings: Sequence[str]) -> bool:
    """Return True if a name begins as one of some names does."""
    return plain(name).startswith(tuple(map(plain, beginnings)))


def accepted(box: Box, plan: Plan) -> bool:
    """Return True if an expert names this model, on a machine that he names."""
    machine = plan.offer.machine.name
    return called(plan.name, box.models) and (not box.devices or any(d in machine for d in box.devices))


def fault(box: Box, plans: Sequence[Plan]) -> str:
    """Return what an expert objects to in an answer, "" if nothing."""
    if not plans:
        return "no plan"
    if box.not_first and called(plans[0].name, box.not_first):
        return f"{plans[0].name} comes first"
    return "" if any(accepted(box, p) for p in plans[:FIRST]) else "none of the expert's in the first three"
