"""A cell -> a plan: the whole model, the engine's own ledger and command, and the pace with what others measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, cast

from gyakusan.catalog.models import find
from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.model import Model
from gyakusan.core.quality import Score
from gyakusan.engines.base import Command
from gyakusan.engines.registry import engine
from gyakusan.errors import BadSetting
from gyakusan.models.assemble import plain
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import FAMILY, ReasoningMode
from gyakusan.planning.candidates.model_variants import variant
from gyakusan.planning.evaluate.batch_speed import PREFILL_CHUNK
from gyakusan.planning.evaluate.engine_memory import cache_setting
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.predict.speed import SpeedEstimate, TurnShape, estimate_speed
from gyakusan.planning.request.request import PlanRequest

_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Plan:
    """One answer. roles: what it is best at; quantization: as the engine calls it; base: what `inspect --quant` is given;

    score: quality after the quantisation [points]; mode: of the model, and what its quality rests on; bottleneck: what limits it.
    """

    roles: tuple[str, ...]
    name: str
    quantization: str
    base: str
    engine: str
    offer: HardwareOption
    ledger: Ledger
    command: Command
    pace: SpeedEstimate | None
    score: Score
    mode: ReasoningMode
    bottleneck: str

    @property
    def left(self) -> int | None:
        """Usable bytes that are left on the device that binds. [B]"""
        known = [a.device.usable - int(a.total) for a in self.ledger.accounts if a.device.usable is not None]
        return min(known) if known else None


def confirm_candidate(
    question: PlanRequest, grid: SweepResult, place: int, changes: Mapping[str, Any] = _NONE
) -> Plan | None:
    """The plan of a cell, None if the engine's ledger or the measured pace says otherwise than the columns.

    changes: of the engine's settings, besides the type of the cache.
    """
    cells = grid.cells
    name = grid.engines[int(cells.engine[place])]
    table, row = grid.columns.tables[FAMILY[name]], int(cells.row[place])
    known = grid.columns.models[int(table.model[row])]
    offer = grid.offers[int(cells.offer[place])]
    kv = question.kv_types[int(cells.kv[place])]
    load = Load(question.users, question.workload.context)
    priced = exact_ledger(known.name, table.base[row], name, offer.machine, load, kv, changes)
    if priced is None or not priced[0].fits:
        return None
    ledger, command, settings = priced
    found = exact_speed(question, known.name, table.base[row], name, offer.machine, settings, kv)
    if found is not None and question.speed and found.decode_each.low < question.speed:
        return None
    if found is not None and question.max_ttft is not None and found.ttft.high > question.max_ttft:
        return None
    score = Score(float(cells.quality[place]), float(cells.error[place]))
    mode = known.modes[int(cells.mode[place])]
    made = Plan((), known.name, table.name[row], table.base[row], name, offer, ledger, command, found, score, mode, "")
    return replace(made, bottleneck=bottleneck(question, made))


def exact_ledger(
    name: str, base: str, engine_name: str, machine: Machine, load: Load, kv: str, more: Mapping[str, Any] = _NONE
) -> tuple[Ledger, Command, Any] | None:
    """Ledger, command and settings, exactly as `inspect` has them; None if the engine refuses. more: changes of settings."""
    rules, changes = engine(engine_name), cache_setting(engine_name, kv)
    if changes is None:
        return None
    model = _model(name, base)
    try:
        settings = rules.settings(model, load, machine, **{**changes, **more})
        if rules.refusals(model, machine, settings):
            return None
        return rules.ledger(model, load, machine, settings), _command(rules, name, base, machine, settings), settings
    except BadSetting:
        return None


def exact_speed(
    question: PlanRequest, name: str, base: str, engine_name: str, machine: Machine, settings: Any, kv: str
) -> SpeedEstimate | None:
    """Speeds with what others measured, None where the bandwidth is not known."""
    made = variant(engine_name, base, _plain(name))
    if made is None:
        return None
    workload = question.workload
    count = max(1, len(machine.gpus))
    return estimate_speed(
        made.model,
        machine,
        engine_name,
        TurnShape(
            users=question.users,
            prompt=workload.prompt_tokens,
            answer=workload.output_tokens,
            depth=max(0, workload.context - workload.prompt_tokens - workload.output_tokens) / 2,
            piece=PREFILL_CHUNK[engine_name],
            parallel=getattr(settings, "tensor_parallel", 1),
            stages=count if FAMILY[engine_name] == "gguf" else 1,
            value_bytes=2 if kv == "F16" else 1.0625,
        ),
    )


def bottleneck(question: PlanRequest, made: Plan) -> str:
    """What limits a plan: memory, budget, bandwidth, compute, software or unknown."""
    account = made.ledger.accounts[0]
    if account.device.usable and account.total > 0.92 * account.device.usable:
        return "memory"
    if made.pace is None:
        return "unknown"
    kinds = {
        "weights": "bandwidth",
        "cache": "bandwidth",
        "state": "bandwidth",
        "host": "bandwidth",
        "compute": "compute",
    }
    return kinds.get(made.pace.bottleneck, "software")


def _command(rules: Any, name: str, base: str, machine: Machine, settings: Any) -> Command:
    """The engine's command with a repository in place of our own name for the model, where one is known."""
    record, model = find(name), _model(name, base)
    if rules.NAME == "MLX-LM":
        fitting = [r for r in record.mlx if r.casefold().endswith(settings.weights.casefold())]
        original = next((a for a in record.aliases if "/" in a), name)
        repository = fitting[0] if fitting else f"<{settings.weights} MLX conversion of {original}>"
        return cast(Command, rules.command(replace(model, source=repository), machine, settings))
    made: Command = rules.command(model, machine, settings)
    if rules.NAME != "llama.cpp":
        return made
    argv = [a for a in made.argv if a != "--offline"]
    at = argv.index("--model")
    where = ["-hf", f"{record.gguf[0]}:{base}"] if record.gguf else ["--model", f"{name}-{base}.gguf"]
    return replace(made, argv=(*argv[:at], *where, *argv[at + 2 :]))


@lru_cache(maxsize=64)
def _plain(name: str) -> Model:
    return plain(find(name))


@lru_cache(maxsize=64)
def _model(name: str, base: str) -> Model:
    from gyakusan.core import recipe

    return recipe.apply(base, _plain(name))
