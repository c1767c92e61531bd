"""What no calibration may use: rows that physics forbids, and rows whose flags say that something else was measured."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from benchmarks.speed.observation import Observation
from benchmarks.speed.resolve import SERVERS, Row, Subject, flags, number
from gyakusan.core.traffic import expected_distinct_expert_share

_SPECULATIVE = re.compile(
    r"\bmtp\b|[-_ ]mtp|mtp[-_ ]|draft|speculat|eagle|dflash|medusa|ngram|lookahead", re.IGNORECASE
)
_HARMLESS = re.compile(r"spec-none|no-spec|spec_none|without speculat|no draft|no mtp", re.IGNORECASE)

SPECULATIVE = "speculative decoding"
"""Reason of rows whose drafts were checked: of them only the gain counts."""
_BOARD = re.compile(r"^(raspberry )?pi (cm)?\d|^hifive|^radxa", re.IGNORECASE)


def by_flags(row: Row, what: Subject) -> str | None:
    """Why a row says itself that it cannot be used, else None."""
    source, said = row["source_id"], f"{row['flags']} {row['notes']}"
    names = f"{row['model']} {row['hf_id']} {row['quant']}"
    if _speculates(row, said, names):
        return SPECULATIVE
    if flags(row).get("interleaved"):
        return "the prompts of others are in the rate of its answers"
    if what.engine == "ollama" and "mlx" in row["model"]:
        return "speculative decoding (Ollama's -mlx tags draft)"
    if what.api == "cpu" or (number(row, "n_gpu") == 0):
        return "ran on the CPU"
    if _BOARD.search(row["hardware"]):
        return "a card in a single-board computer: its one PCIe lane and its CPU were measured"
    if re.search(r"n[-_]?cpu[-_]?moe|--cpu-moe|-ot |offload", said, re.IGNORECASE):
        return "partly on the CPU"
    if re.search(r"\"ngl\": \"?([0-9]|1[0-9]|2[0-9])\"?[,}]", row["flags"]) and what.traffic.shape.layers > 30:
        return "partly on the CPU"
    if "open loop" in said or "bench serve ShareGPT rate" in said:
        return "open loop: the number of users is not told"
    if source == "localmaxxing" and what.engine in SERVERS and (number(row, "n_prompt") or 0) > 4096:
        return "the time of its long prompt is in the rate of its answer"
    if source == "gpustack-lab" and (why := _of_gpustack(row)):
        return why
    if not 0.6 < _little(row) < 1.6:
        return "its own figures contradict each other (Little's law): another number of users"
    if source == "aiconfigurator-silicon" and what.engine == "sglang" and not row["quant"]:
        return "precision not told (SGLang)"
    if "prefix_cache" in said or re.search(r"prefix_hit_rate\": (0\.[1-9]|1)", said):
        return "prefix cache"
    if what.engine in SERVERS and what.quant.recipe:
        return "a GGUF in a server that was not made for it"
    if str(flags(row).get("pp_size", flags(row).get("pp", 1))) not in ("1", "None"):
        return "pipeline parallel"
    if what.model in ("muse-glimmer-30b",):
        return "the model's shape is not published"
    if what.engine == "hipfire":
        return "an engine with formats of its own"
    return None


def _of_gpustack(row: Row) -> str | None:
    """Why a row of this source cannot be used, else None: it tells neither its limit of users nor its drafts."""
    users, tpot = number(row, "concurrency"), number(row, "tpot_ms") or 0
    if users is None or users > 64:
        return "more users offered than served (unknown limit)"
    return "impossible time per token (unlabelled speculation)" if tpot < 1 else None


def _speculates(row: Row, said: str, names: str) -> bool:
    """True if drafts were checked: as the row says in so many words, else by what it mentions."""
    if str(flags(row).get("mtp_n", "")) == "0" and row["spec_decode"] in ("", "0"):
        return False
    found = row["spec_decode"] not in ("", "0") or _SPECULATIVE.search(_HARMLESS.sub("", said))
    return bool(found or _SPECULATIVE.search(names))


def _little(row: Row) -> float:
    """Users that throughput and times imply, over the users that are told; 1 where a figure is missing."""
    names = ("concurrency", "total_out_tps", "n_gen", "ttft_ms")
    users, whole, answer, first = (number(row, name) for name in names)
    each = (number(row, "tpot_ms") or 0) / 1000 or 1 / (number(row, "tg_tps") or float("inf"))
    if not (users and whole and answer and first and each):
        return 1.0
    return whole / answer * (first / 1000 + (answer - 1) * each) / users


def by_physics(seen: Observation) -> str | None:
    """Why an observation cannot be what it says, else None."""
    what, read = seen.subject, seen.subject.traffic
    chip = what.chip
    memory = chip.memory * seen.devices
    if memory and what.bytes * 1.02 + 0.4e9 > memory:
        return "weights larger than the memory: partly on the CPU"
    if what.engine not in SERVERS and seen.devices > 1 and what.engine in ("mlx", "exllama"):
        return "several devices, split unknown"
    if seen.kind == "decode":
        return _decode(seen)
    flops = 2 * (read.shape.active - read.shape.output_matrix) * seen.prompt + read.attention(
        seen.prompt, seen.depth, absorbed=False
    )
    peak = max(chip.half, chip.int8, chip.fp8, chip.fp4) * seen.parallel
    if seen.kind in ("prefill", "ttft") and seen.seconds < flops / peak:
        return "prompt faster than the arithmetic allows: cached"
    if seen.kind == "ttft" and seen.seconds < flops / (_native(seen) * seen.parallel) / 0.95:
        return "prompt faster than the arithmetic allows: cached"
    return None


def _native(seen: Observation) -> float:
    """Peak of the arithmetic that the stored type runs in. [FLOP/s]"""
    chip, group = seen.subject.chip, seen.subject.quant.group
    if group == "fp8":
        return chip.fp8 or chip.half
    if group == "fp4":
        return max(chip.fp8, chip.fp4) or chip.half
    return chip.half


def _decode(seen: Observation) -> str | None:
    read, chip = seen.subject.traffic, seen.subject.chip
    share = expected_distinct_expert_share(seen.users, read.shape.experts, read.shape.experts_used)
    touched = read.dense_bytes + read.expert_bytes * share
    efficiency = touched / (chip.bandwidth * seen.parallel * seen.seconds)
    if efficiency > 1 and seen.users == 1:
        return "weights read faster than the bandwidth allows: speculation or another quantisation"
    if efficiency < 0.04 and seen.users == 1:
        return "less than 4 % of the bandwidth: partly on the CPU"
    alone = seen.users == 1 and seen.context < 8192 and chip.link == "pcie" and seen.devices == 1
    if alone and touched > 4e9 and efficiency < 0.12:
        return "a card at the speed of the computer's memory (4 GB and more read, below 12 %): partly on the CPU"
    return None


def suspect(observations: Sequence[Observation], rejected: Sequence[Observation]) -> dict[int, str]:
    """Places of observations that others of the same campaign make useless, and why."""
    return {**_cached(observations, rejected), **_beaten(observations), **_continued(observations, rejected)}


def _cached(observations: Sequence[Observation], rejected: Sequence[Observation], share: float = 0.1) -> dict[int, str]:
    """First tokens and throughput of a cell in which more than `share` of the first tokens were impossible.

    The same prompts were sent again and again, and a prefix cache answered; the possible rows are no better.
    """
    bad = Counter(o.cell for o in rejected if o.kind == "ttft")
    every = bad + Counter(o.cell for o in observations if o.kind == "ttft")
    spoilt = {cell for cell, n in bad.items() if n > share * every[cell]}
    reason = "first tokens and throughput of a campaign with cached prompts"
    return {i: reason for i, o in enumerate(observations) if o.kind in ("ttft", "throughput") and o.cell in spoilt}


def _continued(
    observations: Sequence[Observation], rejected: Sequence[Observation], pieces: float = 4, factor: float = 1.2
) -> dict[int, str]:
    """Prompts that a server read faster than shorter ones, all else equal: their beginning was in its cache.

    Where both fill at least `pieces` pieces, a longer prompt has nothing left that goes faster, and more attention.
    """
    served = {o.row for some in (observations, rejected) for o in some if o.kind == "ttft"}
    groups: dict[Any, list[int]] = defaultdict(list)
    for i, o in enumerate(observations):
        if o.row in served and o.kind in ("prefill", "ttft") and o.users == 1 and o.prompt >= pieces * o.piece:
            groups[o.kind, o.cell, o.depth, o.piece, o.devices, o.parallel, o.backend].append(i)
    out: dict[int, str] = {}
    for places in groups.values():
        kept: list[Observation] = []
        for i in sorted(places, key=lambda i: observations[i].prompt):
            o = observations[i]
            shorter = [k.prompt / k.seconds for k in kept if 1.5 * k.prompt < o.prompt]
            if shorter and o.prompt / o.seconds > factor * max(shorter):
                out[i] = "a prompt whose beginning was cached: read faster than a shorter one"
            else:
                kept.append(o)
    return out


def _beaten(observations: Sequence[Observation], factor: float = 1.5) -> dict[int, str]:
    """Prompts that took `factor` times as long as with another build or flag of the same campaign, all else equal."""
    best: dict[Any, float] = {}
    for o in observations:
        if o.kind == "prefill":
            best[_same(o)] = min(o.seconds, best.get(_same(o), o.seconds))
    reason = "a build or a flag that the same campaign beat by half"
    return {
        i: reason
        for i, o in enumerate(observations)
        if o.kind == "prefill" and o.seconds > factor * best[_same(o)] and o.users == 1
    }


def _same(o: Observation) -> Any:
    return (o.cell, o.prompt, o.depth, o.piece, o.devices)
