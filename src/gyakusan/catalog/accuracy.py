"""How right we are, as measured on recorded truth. Written by tools/accuracy.py into data/accuracy.json, checked in CI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gyakusan.catalog.entry import bad_record
from gyakusan.catalog.places import DATA

FILE = DATA / "accuracy.json"


@dataclass(frozen=True, slots=True)
class Figures:
    """Errors of one part of the memory. n: values compared; exact: those without any error (beyond the digits of the
    truth); median, p95, worst: relative errors."""

    n: int
    exact: int
    median: float
    p95: float
    worst: float


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that have something in common. by: all, architecture, backend, kind or model; name: its value, "" for all;
    range_holds: share of rows whose truth lies in our range, None where no range is given."""

    by: str
    name: str
    rows: int
    parts: Mapping[str, Figures]
    range_holds: float | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One row that is far off. error: relative; why: the known reason, "" = none."""

    name: str
    part: str
    error: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """One truth. file: in tests/truth; rows: compared; left_out: rows that are not, by reason; groups[0] is all of them."""

    id: str
    engine: str
    file: str
    rows: int
    left_out: Mapping[str, int]
    groups: tuple[Group, ...]
    worst: tuple[Case, ...]

    def by(self, label: str) -> tuple[Group, ...]:
        """The groups of one label."""
        return tuple(g for g in self.groups if g.by == label)


def memory(path: Path = FILE) -> tuple[Section, ...]:
    """Accuracy of bytes. Raises BadRecord for a file of another form."""
    return tuple(_section(path, entry) for entry in _read(path)["memory"])


def speed(path: Path = FILE) -> Mapping[str, Any] | None:
    """Accuracy of speeds: {rows, resolved_share, left_out: {device, architecture: [{slice, n, median, p90, within20, within30,

    coverage80}]}, usual_rule: the same without coverage}; None before it was measured.
    """
    found: Mapping[str, Any] | None = _read(path).get("speed")
    return found


@cache
def _read(path: Path) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise bad_record(path, "", str(error)) from error
    return found


def _section(path: Path, entry: Mapping[str, Any]) -> Section:
    try:
        groups = tuple(_group(g) for g in entry["groups"])
        worst = tuple(Case(**c) for c in entry["worst"])
        return Section(**{**entry, "groups": groups, "worst": worst})
    except (KeyError, TypeError) as error:
        raise bad_record(path, str(entry.get("id", "")), str(error)) from error


def _group(entry: Mapping[str, Any]) -> Group:
    parts = {part: Figures(*figures) for part, figures in entry["parts"].items()}
    return Group(**{**entry, "parts": parts})
