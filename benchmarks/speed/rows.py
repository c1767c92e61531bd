"""Rows -> observations: one timed thing each, with everything a prediction needs as plain numbers.

A row may give several: decode (time for each token of one user), prefill (time of a prompt), ttft, throughput.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.speed.gains import gains, twins
from benchmarks.speed.junk import SPECULATIVE, by_flags, by_physics, suspect
from benchmarks.speed.observation import Observation
from benchmarks.speed.resolve import SERVERS, Row, Subject, flags, number, subject
from gyakusan.core.traffic import cache_value_bytes
from gyakusan.errors import GyakusanError

SILICON = "aiconfigurator-silicon"
"""Rows of InferenceMAX and others. Users of its client all start together and ask ten times each (README.md,
num-prompts and max-concurrency), so that a tenth of its mean first tokens waits for the prompts of all."""
OPENING = 0.1
"""That share; of the other rows of SILICON it is assumed."""
RANDOM = (("1024", "1024"), ("1024", "8192"), ("8192", "1024"))
"""Lengths of prompt and answer that InferenceMAX names. They are the most: each is drawn from 0.8 of it upwards
(README.md, random-range-ratio; kimbochen/bench_serving, sample_random_requests)."""
MEAN_LENGTH = 0.9
"""Mean length where the rows name the most."""
LOOSE = ("llmfit-community", "geerling", "localscore")
"""Sources that say nothing of the prompt: about 300 tokens are assumed (localscore: 1200, its own mixture)."""
LENGTHS = {"localscore": 1000.0}
"""Prompts of sources that don't write them down. [tokens]"""
SHORTEST = 128
"""A shorter prompt times the start, not the prompt. [tokens]"""
STEADY = (SILICON, "gpustack-lab", "4x3090", "hogeheer-strixhalo")
"""Load generators that keep users busy and don't say so in their rows; others start all users together."""
UNTOLD = ("localmaxxing", "llmfit-community")
"""Sources whose first tokens belong to prompts of another length than the row names."""


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


_TENSOR = re.compile(r"-sm tensor|tensor split")
"""How notes say that every device computes its share of each layer."""
COLUMNS = frozenset(
    (
        "source_id",
        "hardware",
        "n_gpu",
        "vram_gb",
        "model",
        "hf_id",
        "quant",
        "weights_gib",
        "engine",
        "backend",
        "n_prompt",
        "n_gen",
        "depth",
        "concurrency",
        "pp_tps",
        "tg_tps",
        "tg_tps_scope",
        "ttft_ms",
        "tpot_ms",
        "total_out_tps",
        "flags",
        "spec_decode",
        "notes",
    )
)
"""Columns that are read; others may stand beside them."""


def read(path: Path) -> list[Row]:
    """The rows of a .csv or .csv.gz file. Raises ValueError for a file that is no such table."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", newline="") as file:
            found = csv.DictReader(file)
            missing = COLUMNS - set(found.fieldnames or ())
            if missing:
                raise ValueError(f"{path} has no column {', '.join(sorted(missing))}")
            return list(found)
    except (gzip.BadGzipFile, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no table of measurements: {error}") from error


def table(rows: Iterable[Row]) -> Table:
    """Every observation of the rows, junk rejected and counted."""
    out, impossible = Table(), []
    rows = list(rows)
    without = twins(rows)
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
            if reason == SPECULATIVE:
                out.observations += gains(row, _about(row, found, index), without)
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
    about = _about(row, what, index)
    source, bench = row["source_id"], _bench(row, what)
    if flags(row).get("rows_per_step"):
        yield from _rows_of_one(row, about)
        return
    if _waiting(row):
        yield from _of_slots(row, about)
        return
    each = _each(row, source, about.users)
    if each and not (bench and about.answer < 32) and not (source == "localmaxxing" and about.users > 1):
        apart = bench or row["tg_tps_scope"] == "aggregate"
        yield replace(about, kind="decode", seconds=each, prompt=0.0 if apart else about.prompt)
    speed, length = number(row, "pp_tps"), LENGTHS.get(source, number(row, "n_prompt") or 0.0)
    if speed and length >= SHORTEST and about.users == 1 and source != "4x3090":
        yield replace(about, kind="prefill", seconds=length / speed, prompt=length)
    told = (number(row, "n_prompt") or 0) >= 64 and source not in UNTOLD
    first, whole = number(row, "ttft_ms"), number(row, "total_out_tps")
    if told and first:
        yield replace(about, kind="ttft", seconds=first / 1000)
    if told and whole and row["n_gen"] and row["concurrency"]:
        yield replace(about, kind="throughput", seconds=about.replicas / whole)


def _rows_of_one(row: Row, about: Observation) -> Iterator[Observation]:
    """A prompt in pieces of a few rows times decode steps of as many rows, which read cache and state of one conversation."""
    count, speed = float(flags(row)["rows_per_step"]), number(row, "pp_tps")
    if speed:
        context = about.prompt / 2 / count
        yield replace(
            about, kind="decode", seconds=count / speed, users=count, context=context, prompt=0.0, conversations=1.0
        )


def _waiting(row: Row) -> bool:
    """True if more users asked than are answered at once: what one of them sees has his waiting in it."""
    return (number(row, "concurrency") or 1) > _slots(flags(row))


def _of_slots(row: Row, about: Observation) -> Iterator[Observation]:
    """All that such a row tells is what its slots give together."""
    whole = number(row, "total_out_tps")
    if whole and row["n_gen"]:
        yield replace(about, kind="throughput", seconds=about.replicas / whole)


def _slots(said: Mapping[str, Any]) -> float:
    """Conversations that are answered at once, where the row says it: --parallel, OLLAMA_NUM_PARALLEL."""
    return float(said.get("slots") or said.get("num_parallel") or float("inf"))


def _about(row: Row, what: Subject, index: int) -> Observation:
    """An observation without its figure."""
    said, source = flags(row), row["source_id"]
    drawn = source == SILICON and (row["n_prompt"], row["n_gen"]) in RANDOM
    length = MEAN_LENGTH if drawn else 1.0
    devices = _devices(row, said)
    shared = what.engine in SERVERS or said.get("split") == "tensor" or _TENSOR.search(row["notes"])
    parallel = min(_parallel(said, devices), devices) if shared else 1.0
    alone = what.engine not in SERVERS or source == SILICON
    replicas = 1.0 if alone else max(1.0, devices // parallel)
    answer = length * (number(row, "n_gen") or 200.0)
    return Observation(
        kind="",
        seconds=0.0,
        source=source,
        subject=what,
        users=max(1.0, float(said.get("batch_size") or min(number(row, "concurrency") or 1, _slots(said)) / replicas)),
        context=_held(row, what) * length + answer / 2,
        prompt=length * (number(row, "n_prompt") or _usual(source)),
        depth=_depth(row),
        answer=answer,
        piece=_piece(said, what),
        parallel=parallel,
        devices=devices,
        replicas=replicas,
        style=_style(row, said),
        cache=_cache(said),
        row=index,
        backend=row["backend"],
        era=_era(row, what),
        opening=OPENING if source == SILICON else 0.0,
        even=source == SILICON and not drawn,
    )


def _devices(row: Row, said: Mapping[str, Any]) -> float:
    """Devices of one row.

    90 rows of SILICON multiply the GPUs by the groups of experts among them: their names say "tp4_ep4" where the columns
    have 16, and the figures of 45 stand there once more with 4 or 8 GPUs. 24 have no such name.
    """
    devices = max(1.0, number(row, "n_gpu") or 1)
    apart = tuple(float(said.get(k) or 0) for k in ("moe_tp_size", "moe_ep_size"))
    twice = row["source_id"] == SILICON and apart[0] == apart[1] and apart[0] ** 2 == devices
    named = re.search(r"_tp(\d+)\w*_ep(?:\d|none)", row["notes"])
    return (float(named[1]) if named else apart[0]) if twice else devices


def _style(row: Row, said: Mapping[str, Any]) -> str:
    """How users arrive: steady where a load generator keeps them apart, else all together.

    Answers of one length end together, so that users who ask again at once stay together (djangodevreng-spark).
    """
    closed = said.get("style") == "closed" or "style=steady" in row["notes"]
    return "steady" if closed or row["source_id"] in STEADY else "wave"


def _era(row: Row, what: Subject) -> str:
    """ "2025" for what llama.cpp and what is made of it did before 2026, "" later and where nobody says when."""
    return "2025" if what.engine in ("llama.cpp", "ollama") and "2000" < row["date"] < "2026" else ""


def _bench(row: Row, what: Subject) -> bool:
    """True for llama-bench and the like, which time decode and prompts apart."""
    said = flags(row)
    served = "slots" in said or "num_parallel" in said or said.get("style") in ("wave", "closed")
    return "llama" in what.engine and not row["ttft_ms"] and row["tg_tps_scope"] != "aggregate" and not served


def _usual(source: str) -> float:
    """The prompt where nobody wrote it down. [tokens]"""
    return 300.0 if source in LOOSE else 512.0


def _depth(row: Row) -> float:
    """Tokens that were there before the prompt. [tokens] One source writes the prompt into this field."""
    return 0.0 if row["source_id"] == "djangodevreng-spark" else number(row, "depth") or 0.0


def _held(row: Row, what: Subject) -> float:
    """Tokens of the conversation when its answer begins. [tokens]"""
    prompt, source = number(row, "n_prompt"), row["source_id"]
    if "depth=n_prompt" in row["notes"]:
        return prompt or 0.0
    if _bench(row, what) and source not in ("xiongjiedai", "localmaxxing"):
        return _depth(row)
    return _depth(row) + (prompt if prompt is not None else {"localscore": 1200.0}.get(source, _usual(source)))


def _each(row: Row, source: str, users: float) -> float | None:
    """Time for each token of one user. [s]"""
    tpot, speed = number(row, "tpot_ms"), number(row, "tg_tps")
    if tpot and source != "localscore":
        return tpot / 1000
    if not speed:
        return None
    return users / speed if row["tg_tps_scope"] == "aggregate" else 1 / speed


def _parallel(said: Mapping[str, Any], devices: float) -> float:
    """Devices that share each layer: as written, else all."""
    for key in ("tp", "tp_size"):
        if said.get(key):
            return max(1.0, float(said[key]))
    found = re.search(r"-(?:tp|-tp-size|-tensor-parallel-size|tp-size|tp_size)[ =](\d+)", str(said.get("cmd", "")))
    return float(found[1]) if found else devices


def _piece(said: Mapping[str, Any], what: Subject) -> float:
    """Tokens that prefill computes at once. [tokens]"""
    if what.engine in SERVERS:
        return 8192.0
    if what.engine in ("mlx", "exllama"):
        return 2048.0
    for key in ("ub", "n_ubatch"):
        try:
            return float(said[key])
        except (KeyError, TypeError, ValueError):
            continue
    return 512.0


def _cache(said: Mapping[str, Any]) -> float:
    """Bytes of one cached value. [B] A spelling that nobody else uses counts as the usual 16 bits."""
    try:
        return cache_value_bytes(str(said.get("kv") or ""))
    except GyakusanError:
        return 2.0


def _label(row: Row) -> str:
    return f"{row['source_id']} {row['hardware'][:30]} {row['model'][-40:]} {row['quant'][-14:]}".strip()


def dump(out: Table) -> str:
    """What was left out, as JSON."""
    return json.dumps({"rejected": [[*k, n] for k, n in out.rejected.most_common()]}, indent=1)
