"""Accuracy as measured on recorded truth. Facts: data/accuracy.json, written by tools/accuracy.py, checked in CI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gyakusan.catalog.entry import bad_record
from gyakusan.catalog.places import DATA
from gyakusan.doors.files import packaged

FILE = DATA / "accuracy.json"


@dataclass(frozen=True, slots=True)
class Figures:
    """Relative errors of one part of the memory.

    n: values compared
    exact: values without any error, beyond the digits of the truth
    median: error that half of the values keep [fraction]
    p95: error that 95 % of the values keep [fraction]
    worst: largest error [fraction]
    """

    n: int
    exact: int
    median: float
    p95: float
    worst: float


@dataclass(frozen=True, slots=True)
class Group:
    """Errors of the rows that have one property in common.

    by: the property: all, architecture, backend, kind or model
    name: its value, "" for all
    rows: number of rows
    parts: errors by part of the memory
    range_holds: share of rows whose truth lies in our range, None where no range is given [fraction]
    """

    by: str
    name: str
    rows: int
    parts: Mapping[str, Figures]
    range_holds: float | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One row that is far off.

    name: of the row
    part: of the memory
    error: relative [fraction]
    why: the known reason, "" = none
    """

    name: str
    part: str
    error: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Accuracy on one file of recorded truth.

    id: name of the section
    engine: whose memory it is
    file: in tests/truth
    rows: number of rows compared
    left_out: number of rows that are not compared, by reason
    groups: errors by property; the first group has all rows
    worst: the rows that are most off
    """

    id: str
    engine: str
    file: str
    rows: int
    left_out: Mapping[str, int]
    groups: tuple[Group, ...]
    worst: tuple[Case, ...]

    def by(self, label: str) -> tuple[Group, ...]:
        """Return the groups of one property."""
        return tuple(g for g in self.groups if g.by == label)


def memory(path: Path = FILE) -> tuple[Section, ...]:
    """Return the accuracy of memory by section. Raises BadRecord for a file of another form."""
    return tuple(_section(path, entry) for entry in _read(path)["memory"])


def speed(path: Path = FILE) -> Mapping[str, Any] | None:
    """Return the accuracy of speeds as the file has it, None before it was measured.

    Keys: rows, resolved_share; left_out by device and by architecture: lists of slices with n, median, p90, within20,
    within30, coverage80; usual_rule: the same without coverage. Errors are relative.
    """
    errors: Mapping[str, Any] | None = _read(path).get("speed")
    return errors


@cache
def _read(path: Path) -> Mapping[str, Any]:
    try:
        document: Mapping[str, Any] = json.loads(packaged(path))
    except (OSError, ValueError) as error:
        raise bad_record(path, "", str(error)) from error
    return document


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
