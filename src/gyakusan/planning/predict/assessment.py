"""How fast and how good: what a ledger does not say, for one model on one machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gyakusan.catalog import quality as scores
from gyakusan.catalog.quality import Quality
from gyakusan.core.dtypes import dtype
from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.model import Experts, Model
from gyakusan.core.quality import Score, less
from gyakusan.errors import UnknownName
from gyakusan.message import Message, say
from gyakusan.planning.predict.speed import SpeedEstimate, TurnShape, estimate_speed

PROMPT, ANSWER = 1024, 256
"""A turn of a conversation where nobody says: prompt and answer. [tokens]"""


@dataclass(frozen=True, slots=True)
class Assessment:
    """pace: None where it cannot be predicted; asked: the turn it is for; quality: of the usual mode, None if the name
    says nothing; overall: its score less what the quantisation costs; unknown: why there is no pace.
    """

    pace: SpeedEstimate | None
    asked: TurnShape
    quality: Quality | None
    overall: Score | None
    unknown: Message | None = None


def assess(ledger: Ledger, machine: Machine, settings: Any = None) -> Assessment:
    """Pace and quality of what a ledger describes. settings: the engine's own, for what of them changes time. Scalars only."""
    model, engine = ledger.model, ledger.engine.name
    read, held = _from_ram(ledger, settings)
    asked = replace(turn_shape(machine, ledger.load, engine, settings), host_bytes=read, host_held=held)
    if getattr(settings, "backend", "") == "cpu" or not machine.gpus:
        machine, asked = replace(machine, gpus=()), replace(asked, stages=1)
    found = estimate_speed(model, machine, engine, asked)
    return Assessment(found, asked, *_quality(model), None if found else _unknown(machine))


def _unknown(machine: Machine) -> Message:
    if machine.gpus:
        return say("Speed is not known: nobody wrote down the memory bandwidth of this device.")
    return say("Speed is not known: nothing says how fast this computer's memory is. Name it with --bandwidth 80GB/s.")


def _from_ram(ledger: Ledger, settings: Any) -> tuple[float, float]:
    """Weights in RAM beside a GPU: those that every step reads (of experts the share used), and all. Not tables. [B]"""
    model = ledger.model
    tables = sum(t.bytes for t in model.tensors if t.name in model.tables)
    held = sum(a.of("weights") for a in ledger.accounts if a.device.kind == "host")
    if len(ledger.accounts) < 2 or held <= tables * 1.01 + 1e6:
        return 0.0, 0.0
    mixed = next((f for f in model.feed_forward if isinstance(f, Experts)), None)
    experts_only = bool(getattr(settings, "n_cpu_moe", 0))
    share = mixed.used / mixed.count if mixed is not None and experts_only else 1.0
    return float((held - tables) * share), float(held - tables)


def turn_shape(machine: Machine, load: Load, engine: str, settings: Any = None) -> TurnShape:
    """A turn of a conversation under the engine's settings: how much is computed at once, by how many devices."""
    prompt = min(PROMPT, max(1, int(load.context) * 3 // 4))
    answer = min(ANSWER, max(1, int(load.context) - prompt))
    asked = TurnShape(users=int(load.users), prompt=prompt, answer=answer)
    batch = getattr(settings, "ubatch", None) or getattr(settings, "max_num_batched_tokens", None)
    if isinstance(batch, int):
        asked = replace(asked, piece=float(batch))
    kind = getattr(settings, "key_type", None)
    if isinstance(kind, str):
        asked = replace(asked, value_bytes=dtype(kind).bits / 8)
    parallel = getattr(settings, "tensor_parallel", 1)
    stages = len(machine.gpus) if getattr(settings, "split_mode", "none") == "layer" else 1
    return replace(asked, parallel=parallel if isinstance(parallel, int) else 1, stages=stages)


def _quality(model: Model) -> tuple[Quality | None, Score | None]:
    name = model.source.removeprefix("catalog:") if model.source.startswith("catalog:") else model.name
    try:
        found = scores.find(name, parameters=model.parameters, active=model.active_parameters)
    except UnknownName:
        return None, None
    best = found[0]
    bits = 8 * model.bytes / model.parameters if model.parameters else 16.0
    cost = scores.penalty(model.quantization, bits, model.parameters, model=name)
    return best, less(best.overall, cost)
