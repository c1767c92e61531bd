"""Traits that a model's name tells: family, release month, size, reasoning. Facts: data/quality/names.json.

The same rules serve the fit (tools/fit_quality.py) and the prior of models without scores, so that they cannot differ.
Names tell less than sources do: whatever the caller knows (size, date) goes before what the name says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from gyakusan.doors.files import packaged
from gyakusan.patterns import late

Mode = Literal["off", "on", "low", "medium", "high"]
"""Reasoning off, on at the model's default effort, or at an effort that was asked for."""
EFFORTS: tuple[Mode, ...] = ("low", "medium", "high")
"""Modes that are an effort."""

QUALITY = Path(__file__).parent / "data" / "quality"

_SIZE = late(r"(?<![\d.a-z])e?(\d+(?:\.\d+)?)(b|m|t)(?![a-z])")
_ACTIVE = late(r"(?<![a-z])a(\d+(?:\.\d+)?)(b|m)(?![a-z])")
_MIXTURE = late(r"(\d+)x(\d+)b")
_UNIT = {"m": 1e6, "b": 1e9, "t": 1e12}
_SHARED = 0.87
"""Share of n x m that a mixture named "8x7B" holds: attention is not repeated (Mixtral 8x7B has 46.7e9)."""


class Traits(Struct, frozen=True):
    """Traits of a model in one mode, from which its quality is assumed.

    parameters: all weights, None = unknown [values]
    active: weights that work on one token, None = unknown [values]
    released: year with a fraction, None = unknown [years]
    family: one of quality_prior.FAMILIES, "ja", or "other"
    mode: reasoning off, on, or at an effort
    coder: tuned for programming
    math: tuned for mathematics
    vision: reads images
    base: not tuned to follow instructions
    special: made for one task, not for conversation
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
    """Return the traits of a model. repository: "org/name" or any name; released: ISO 8601; None = as the name tells."""
    name = short_name(repository)
    size, active_size = sizes_in(name)
    total = parameters or size
    used = active or active_size or total
    return Traits(
        parameters=total,
        active=None if total is None or used is None else min(used, total),
        released=as_year(released) if released else _released(name),
        family=first_match("families", repository.casefold(), "other"),
        mode=mode,
        coder=matches_rule("coder", name),
        math=matches_rule("math", name),
        vision=matches_rule("vision", name),
        base=matches_rule("base", name),
        special=matches_rule("special", name),
    )


def short_name(repository: str) -> str:
    """Fold the name of a repository without its owner: "Qwen/Qwen3_8B" -> "qwen3-8b"."""
    return repository[:200].rsplit("/", 1)[-1].casefold().replace("_", "-").replace(" ", "-")


def sizes_in(name: str) -> tuple[float | None, float | None]:
    """Return the weights that a short name tells, all and active: "qwen3-30b-a3b" -> (3e10, 3e9) [values]."""
    used = _ACTIVE.search(name)
    active = float(used[1]) * _UNIT[used[2]] if used else None
    if mixture := _MIXTURE.search(name):
        count, each = int(mixture[1]), int(mixture[2]) * 1e9
        return count * each * _SHARED, active or 2 * each * _SHARED
    size = _SIZE.search(name)
    return (float(size[1]) * _UNIT[size[2]] if size else None), active


def as_year(date: str) -> float:
    """Return a date as a year with a fraction: "2025-04-28" -> 2025.32. A month counts as its middle, a year too."""
    parts = [int(p) for p in date.split("-")[:3]]
    month = parts[1] - 1 if len(parts) > 1 else 5.5
    day = (parts[2] - 1) / 30.4 if len(parts) > 2 else 0.5
    return parts[0] + (month + day) / 12


def default_mode(repository: str) -> Mode:
    """Return whether a model reasons unless told otherwise."""
    name = short_name(repository)
    return "on" if matches_rule("reasons_by_default", name) and not matches_rule("never_reasons", name) else "off"


def default_effort(repository: str) -> str:
    """Return the effort that mode "on" stands for, "" where a model has one effort or its maker tells one only."""
    return first_match("default_effort", short_name(repository), "")


def mode_of(repository: str, mode: str, effort: str) -> Mode | None:
    """Return the mode that a score belongs to, None where it has none: an effort above those that we know.

    mode: on or off; effort: as its reporter says, "" = the default
    """
    if mode == "off":
        return "off"
    usual = default_effort(repository)
    if not effort or not usual or effort == usual:
        return "on"
    return next((m for m in EFFORTS if m == effort), None)


def native_bits(repository: str) -> float | None:
    """Return the width a model was trained at, None = 16; nothing is lost from there on [bits per weight]."""
    row = _row("native_bits", short_name(repository))
    return None if row is None else float(row[1])


def matches_rule(rule: str, name: str) -> bool:
    """Return whether a pattern of names.json is in a short name."""
    return re.search(str(rules()[rule]), name) is not None


def first_match(table: str, name: str, otherwise: str) -> str:
    """Return the second column of the first row whose pattern is in `name`."""
    row = _row(table, name)
    return otherwise if row is None else str(row[1])


@cache
def rules() -> Mapping[str, Any]:
    """Return what names.json says: patterns, and tables whose rows begin with a pattern."""
    document: Mapping[str, Any] = msgspec.json.decode(packaged(QUALITY / "names.json"))
    return document


def _released(name: str) -> float | None:
    row = _row("released", name)
    return None if row is None else as_year(str(row[1]))


def _row(table: str, name: str) -> list[Any] | None:
    return next((row for row in rules()[table] if re.search(row[0], name)), None)
