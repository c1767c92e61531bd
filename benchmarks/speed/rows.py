"""Rows -> observations: one timed thing each, with everything a prediction needs as plain numbers.

A row may give several: decode (time for each token of one user), prefill (time of a prompt), ttft, throughput.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.speed.resolve import SERVERS, Row, Subject, flags, number, subject
from gyakusan.core.traffic import cache_bytes

LOOSE = ("llmfit-community", "geerling", "localscore")
"""Sources that say nothing of the prompt: about 300 tokens are assumed (localscore: 1200, its own mixture)."""
STEADY = ("aiconfigurator-silicon", "gpustack-lab", "4x3090", "hogeheer-strixhalo")
"""Load generators that keep users busy; others start all users together."""


@dataclass(frozen=True, slots=True)
class Observation:
    """kind: decode, prefill, ttft or throughput; seconds: measured (throughput: for each answer token of all users) [s];

    users: at one replica; context: mean length while decoding [tokens]; prompt, depth, answer [tokens]; piece: tokens
    computed at once in prefill; parallel: tensor parallel degree; style: wave, steady or single; cache: bytes of one
    cached value; row: its number in the file; backend: as written there.
    """

    kind: str
    seconds: float
    source: str
    subject: Subject
    users: float
    context: float
    prompt: float
    depth: float
    answer: float
    piece: float
    parallel: float
    devices: float
    style: str
    cache: float
    row: int
    backend: str

    @property
    def cell(self) -> tuple[str, ...]:
        """source x device x model x backend x quantisation."""
        s = self.subject
        return (self.source, s.chip.name, s.model, f"{s.engine}-{s.api}", s.quant.label)


@dataclass(slots=True)
class Table:
    """What a file gave. rows: read; resolved: of them; unknown: why not, with names; rejected: reasons with examples."""

    rows: int = 0
    resolved: int = 0
    observations: list[Observation] = field(default_factory=list)
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """Share of the rows whose device, model and quantisation are known."""
        return self.resolved / max(1, self.rows)


def read(path: Path) -> list[Row]:
    """The rows of a .csv or .csv.gz file."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def table(rows: Iterable[Row]) -> Table:
    """Every observation of the rows, junk rejected and counted."""
    from benchmarks.speed.junk import by_flags, by_physics, suspect

    out, impossible = Table(), []
    for index, row in enumerate(rows):
        out.rows += 1
        found = subject(row)
        if isinstance(found, str):
            out.unknown[found, row["hardware"] if found == "hardware" else row["model"][-60:]] += 1
            continue
        out.resolved += 1
        reason = by_flags(row, found)
        if reason:
            out.rejected[reason, _label(row)] += 1
            continue
        for seen in observations(row, found, index):
            reason = by_physics(seen)
            if reason:
                out.rejected[reason, _label(row)] += 1
                impossible.append(seen)
            else:
                out.observations.append(seen)
    spoilt = suspect(out.observations, impossible)
    for place, reason in spoilt.items():
        out.rejected[reason, " ".join(out.observations[place].cell)] += 1
    out.observations = [o for i, o in enumerate(out.observations) if i not in spoilt]
    return out


def observations(row: Row, what: Subject, index: int) -> Iterator[Observation]:
    """What one row timed."""
    said = flags(row)
    server = what.engine in SERVERS
    devices = max(1.0, number(row, "n_gpu") or 1)
    parallel = _parallel(row, what, devices) if server else 1.0
    replicas = max(1.0, devices // parallel) if server and row["source_id"] != "aiconfigurator-silicon" else 1.0
    users = max(1.0, float(said.get("batch_size") or (number(row, "concurrency") or 1) / replicas))
    prompt, answer, depth = number(row, "n_prompt"), number(row, "n_gen") or 200.0, number(row, "depth") or 0.0
    source = row["source_id"]
    if source == "djangodevreng-spark":
        depth = 0.0
    usual = {"localscore": 1200.0}.get(source, 300.0 if source in LOOSE else 512.0)
    about = dict(
        source=source,
        subject=what,
        users=users,
        depth=depth,
        answer=answer,
        piece=_piece(row, what),
        parallel=parallel,
        devices=devices,
        style="steady" if source in STEADY else "wave",
        cache=_cache(said),
        row=index,
        backend=row["backend"],
    )
    batched = row["tg_tps_scope"] == "aggregate"
    bench = "llama" in what.engine and not row["ttft_ms"] and not batched
    held = depth if bench and source != "xiongjiedai" else depth + (prompt if prompt is not None else usual)
    if "depth=n_prompt" in row["notes"]:
        held = prompt or 0.0
    context = held + answer / 2
    each = _each(row, source, users, batched)
    if each and not (bench and answer < 32) and not (source == "localmaxxing" and users > 1):
        yield Observation("decode", each, context=context, prompt=0 if bench or batched else prompt or usual, **about)
    speed = number(row, "pp_tps")
    length = {"localscore": 1000.0}.get(source, prompt or 0.0)
    if speed and length >= 128 and users == 1 and source not in ("4x3090",):
        yield Observation("prefill", length / speed, context=0, prompt=length, **about)
    first = number(row, "ttft_ms")
    if first and prompt and prompt >= 64 and server and source not in ("localmaxxing", "llmfit-community"):
        yield Observation("ttft", first / 1000, context=context, prompt=prompt, **about)
    whole = number(row, "total_out_tps")
    if whole and prompt and row["n_gen"] and row["concurrency"] and server:
        yield Observation("throughput", 1 / whole * replicas, context=context, prompt=prompt, **about)


def _each(row: Row, source: str, users: float, batched: bool) -> float | None:
    """Time for each token of one user. [s]"""
    tpot, speed = number(row, "tpot_ms"), number(row, "tg_tps")
    if tpot and source not in ("localscore",):
        return tpot / 1000
    if not speed:
        return None
    return users / speed if batched else 1 / speed


def _parallel(row: Row, what: Subject, devices: float) -> float:
    said = flags(row)
    for key in ("tp", "tp_size"):
        if said.get(key):
            return max(1.0, float(said[key]))
    found = re.search(r"-(?:tp|-tp-size|-tensor-parallel-size|tp-size|tp_size)[ =](\d+)", str(said.get("cmd", "")))
    return float(found[1]) if found else devices


def _piece(row: Row, what: Subject) -> float:
    """Tokens that prefill computes at once. [tokens]"""
    if what.engine in SERVERS:
        return 8192.0
    if what.engine in ("mlx", "exllama"):
        return 2048.0
    said = flags(row)
    for key in ("ub", "n_ubatch"):
        try:
            return float(said[key])
        except (KeyError, TypeError, ValueError):
            continue
    return 512.0


def _cache(said: dict[str, object] | object) -> float:
    kind = str(said.get("kv") or "") if isinstance(said, dict) else ""
    try:
        return cache_bytes(kind)
    except Exception:  # a spelling that nobody else uses: the usual 16 bits
        return 2.0


def _label(row: Row) -> str:
    return f"{row['source_id']} {row['hardware'][:30]} {row['model'][-40:]} {row['quant'][-14:]}".strip()


def dump(out: Table) -> str:
    """What was left out, as JSON."""
    return json.dumps({"rejected": [[*k, n] for k, n in out.rejected.most_common()]}, indent=1)
