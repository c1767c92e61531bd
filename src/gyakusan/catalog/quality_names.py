"""What a model's name tells: family, release month, size, and whether it reasons. Facts: data/quality/names.json.

The same rules serve the fit (tools/fit_quality.py) and the prior of models without scores, so that they cannot differ.
Names tell less than sources do: whatever the caller knows (size, date) goes before what the name says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

Mode = Literal["on", "off"]
"""Reasoning on or off."""

QUALITY = Path(__file__).parent / "data" / "quality"

_SIZE = re.compile(r"(?<![\d.a-z])e?(\d+(?:\.\d+)?)(b|m|t)(?![a-z])")
_ACTIVE = re.compile(r"(?<![a-z])a(\d+(?:\.\d+)?)(b|m)(?![a-z])")
_MIXTURE = re.compile(r"(\d+)x(\d+)b")
_UNIT = {"m": 1e6, "b": 1e9, "t": 1e12}
_SHARED = 0.87
"""Share of n x m that a mixture named "8x7B" holds: attention is not repeated (Mixtral 8x7B has 46.7e9)."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What the prior looks at.

    parameters, active: weights, all and used for a token, None = unknown; released: as a year with a fraction, None = unknown;
    family: "other" = none of ours; base: not tuned to follow instructions; special: made for one task, not for conversation.
    """

    parameters: float | None
    active: float | None
    released: float | None
    family: str
    mode: Mode
    coder: bool
    math: bool
    vision: bool
    base: bool
    special: bool


def traits(
    repository: str,
    mode: Mode,
    *,
    parameters: float | None = None,
    active: float | None = None,
    released: str | None = None,
) -> Traits:
    """Traits of a model. repository: "org/name" or any name; released: ISO 8601 date or month; None = let the name say."""
    name = short(repository)
    said, said_active = sizes_in(name)
    total = parameters or said
    used = active or said_active or total
    return Traits(
        parameters=total,
        active=None if total is None or used is None else min(used, total),
        released=year(released) if released else _released(name),
        family=first("families", repository.casefold(), "other"),
        mode=mode,
        coder=says("coder", name),
        math=says("math", name),
        vision=says("vision", name),
        base=says("base", name),
        special=says("special", name),
    )


def short(repository: str) -> str:
    """ "Qwen/Qwen3_8B" -> "qwen3-8b"."""
    return repository[:200].rsplit("/", 1)[-1].casefold().replace("_", "-").replace(" ", "-")


def sizes_in(name: str) -> tuple[float | None, float | None]:
    """Weights that a short name speaks of: all, and used for a token. "qwen3-30b-a3b" -> (3e10, 3e9)."""
    used = _ACTIVE.search(name)
    active = float(used[1]) * _UNIT[used[2]] if used else None
    if mixture := _MIXTURE.search(name):
        count, each = int(mixture[1]), int(mixture[2]) * 1e9
        return count * each * _SHARED, active or 2 * each * _SHARED
    size = _SIZE.search(name)
    return (float(size[1]) * _UNIT[size[2]] if size else None), active


def year(date: str) -> float:
    """ "2025-04-28" -> 2025.32. A month counts from its middle, a year too."""
    parts = [int(p) for p in date.split("-")[:3]]
    month = parts[1] - 1 if len(parts) > 1 else 5.5
    day = (parts[2] - 1) / 30.4 if len(parts) > 2 else 0.5
    return parts[0] + (month + day) / 12


def default_mode(repository: str) -> Mode:
    """Whether a model reasons when nobody says anything."""
    name = short(repository)
    return "on" if says("reasons_by_default", name) and not says("never_reasons", name) else "off"


def native_bits(repository: str) -> float | None:
    """Bits per weight that a model was trained or released at, None = 16. Nothing is lost at this width or above."""
    found = _row("native_bits", short(repository))
    return None if found is None else float(found[1])


def thinking(repository: str) -> tuple[float, float, float, str, str]:
    """Answer tokens with reasoning on over those with it off: usual, low, high, basis (measured or assumed), source."""
    _, usual, low, high, basis, source = _row("thinking", short(repository)) or rules()["thinking"][-1]
    return float(usual), float(low), float(high), str(basis), str(source)


def says(rule: str, name: str) -> bool:
    """Whether a pattern of names.json is found in a short name."""
    return re.search(str(rules()[rule]), name) is not None


def first(table: str, name: str, otherwise: str) -> str:
    """Second column of the first row whose pattern is found in `name`."""
    found = _row(table, name)
    return otherwise if found is None else str(found[1])


@cache
def rules() -> Mapping[str, Any]:
    """names.json."""
    found: Mapping[str, Any] = json.loads((QUALITY / "names.json").read_text("utf-8"))
    return found


def _released(name: str) -> float | None:
    found = _row("released", name)
    return None if found is None else year(str(found[1]))


def _row(table: str, name: str) -> list[Any] | None:
    return next((row for row in rules()[table] if re.search(row[0], name)), None)
