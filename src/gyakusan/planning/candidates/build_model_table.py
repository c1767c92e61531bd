"""Write data/columns.json, which model_table reads, and find what is stale in it. Called by tools/plan_columns.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

from gyakusan.catalog import artifacts
from gyakusan.catalog.entry import Entry
from gyakusan.catalog.quality_names import QUALITY
from gyakusan.catalog.records import entries
from gyakusan.doors.files import packaged
from gyakusan.planning.candidates.model_table import (
    FILE,
    NOTHING_STORED,
    forget,
    measured_facts,
    score_rows,
    stored_file,
)

NEW: Mapping[str, Any] = {"crc": None}
"""A model that the file lacks."""


def stale(path: Path = FILE) -> tuple[str, ...]:
    """Return models of which the file says something else than their record, and models whose scores changed.

    Only records whose text changed since are worked out again: the rules may have changed without that (see `write`).
    """
    stored = stored_file(path)
    ours = {e.name: e for e in entries("model") if not e.own}
    wrong = [n for n, e in ours.items() if not _unchanged(e, stored)]
    gone = [n for n in stored["models"] if n not in ours]
    moved = (
        [] if stored["scores_crc"] == scores_crc() else [n for n in ours if stored["scores"].get(n) != score_rows(n)]
    )
    return (*wrong, *gone, *moved)


def _unchanged(entry: Entry, stored: Mapping[str, Any]) -> bool:
    known = stored["models"].get(entry.name)
    if known is None or _same_sources(known, entry):
        return known is not None
    fresh = json.loads(json.dumps(measured_facts(entry.name)))
    return bool(fresh == {k: v for k, v in known.items() if k not in ("crc", "files")})


def _same_sources(known: Mapping[str, Any], entry: Entry) -> bool:
    """Return True if neither the record nor what is published of the model changed since it was worked out."""
    return bool(known["crc"] == entry.crc and known.get("files") == artifacts.checksum(entry.name))


def write(path: Path = FILE, *, everything: bool = False) -> None:
    """Bring the file up to date. everything: work out again what did not change, too, for the rules may have."""
    stored = NOTHING_STORED if everything else stored_file(path)
    ours = [e for e in entries("model") if not e.own]
    known = stored["models"]
    models = {e.name: known[e.name] if _same_sources(known.get(e.name, NEW), e) else _worked_out(e) for e in ours}
    content = {"scores_crc": scores_crc(), "scores": {n: score_rows(n) for n in models}, "models": models}
    lines = [f'"{k}": {json.dumps(v)}' for k, v in content.items() if k != "models"]
    each = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in models.items())
    path.write_text("{" + ",\n".join(lines) + ',\n"models": {\n' + each + "\n}}\n", "utf-8")
    forget()


def _worked_out(entry: Entry) -> Mapping[str, Any]:
    return {**measured_facts(entry.name), "crc": entry.crc, "files": artifacts.checksum(entry.name)}


def scores_crc() -> int:
    """Return a checksum of what the scores come from."""
    return crc32(b"".join(packaged(QUALITY / name) for name in ("index.json", "names.json", "thinking.json")))
