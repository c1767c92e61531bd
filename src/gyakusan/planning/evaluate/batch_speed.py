"""Speeds of many rows on one kind of device: the arithmetic of core.roofline with columns.

A constant is its base times multipliers of what is known (catalog.speed_constants). Those of the machine are scalars
here, those of the model and of the quantisation are columns. Measurements of the very same thing
move the final answer, not the columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from gyakusan.catalog import cpu
from gyakusan.catalog import speed_constants as fitted
from gyakusan.catalog.chips import Chip
from gyakusan.catalog.speed_constants import SERVERS, Situation
from gyakusan.core import roofline as core
from gyakusan.core.machine import Machine
from gyakusan.core.roofline import SpeedConstants
from gyakusan.planning.candidates.model_table import CatalogModel, ModelTable, VariantTable
from gyakusan.planning.predict.speed import ENGINES, UNKNOWN_CHIP_FACTOR, api, chip_of

Array = Any
QUANT_LEVELS = ("quant", "api quant", "engine quant", "family quant")
MODEL_LEVELS = ("model", "model api", "device model")
PREFILL_CHUNK = {"llama.cpp": 512, "Ollama": 512, "vLLM": 2048, "MLX-LM": 2048}
"""Tokens of a prompt that are computed at once. [tokens]"""
SHAPES = ("count", "used", "layers", "mixed", "recurrent", "width", "matrices", "output", "routed")


@dataclass(frozen=True, slots=True)
class BatchSpeeds:
    """each: answer tokens a second of one user, all active [tokens/s]; first: until the first token [s]; both also at the

    careful end of the 80 % interval.
    """

    tokens_per_s: Array
    tokens_per_s_low: Array
    ttft: Array
    ttft_high: Array


@dataclass(slots=True)
class WorkloadCosts:
    """What every model moves and computes for these people, worked out once. users; prompt, answer [tokens];

    contexts: that conversations may reach, an array [tokens].
    """

    columns: ModelTable
    models: Array
    users: int
    prompt: float
    answer: float
    contexts: Array
    _found: dict[Any, Any] = field(default_factory=dict)

    @property
    def depth(self) -> Array:
        """Mean length of what was said before the prompt. [tokens]"""
        return np.maximum(0, self.contexts - self.prompt - self.answer) / 2

    def cache(self, value_bytes: float) -> Array:
        """Keys and values of one conversation while it is answered, (contexts, models). [B]"""
        middle = self.depth + self.prompt + self.answer / 2
        return self._once(("cache", value_bytes), lambda m: m.traffic.cache(middle, value_bytes))

    def attend(self) -> Array:
        """Attention of one new token, (contexts, models). [FLOP]"""
        middle = self.depth + self.prompt + self.answer / 2
        return self._once("attend", lambda m: m.traffic.attention(1, middle))

    def attention(self, absorbed: bool) -> Array:
        """Attention of a prompt, (contexts, models). [FLOP]"""
        depth = self.depth
        return self._once(("attention", absorbed), lambda m: m.traffic.attention(self.prompt, depth, absorbed))

    def state(self) -> Array:
        """Recurrent state of one conversation, (contexts, models). [B]"""
        return self._once("state", lambda m: m.traffic.state)

    def shapes(self) -> Array:
        """SHAPES of every model, (shapes, models)."""
        if "shapes" not in self._found:
            every = np.array([m.facts["traffic"] for m in self.columns.models], float)
            self._found["shapes"] = np.ascontiguousarray(every.T)
        return self._found["shapes"]

    def factors(self, constant: str, level: str, factors: Mapping[str, float], before: str, after: str) -> Array:
        """A multiplier of a constant for each model, by what stands around its name in measurements."""
        key = (constant, level, before, after)
        if key not in self._found:
            names = (m.facts["speed_name"] for m in self.columns.models)
            self._found[key] = np.array([factors.get(f"{before}{n}{after}", 1.0) for n in names])
        return self._found[key]

    def seen(self) -> Array:
        """True for models that were measured anywhere."""
        if "seen" not in self._found:
            known = fitted.load().seen["models"]
            self._found["seen"] = np.array([m.facts["speed_name"] in known for m in self.columns.models])
        return self._found["seen"]

    def _once(self, key: Any, figure: Callable[[CatalogModel], Any]) -> Array:
        if key not in self._found:
            out = np.zeros((len(self.contexts), len(self.columns.models)))
            for place in self.models:
                out[:, place] = figure(self.columns.models[place])
            self._found[key] = out
        return self._found[key]


@dataclass(slots=True)
class BatchTiming:
    """Everything that time follows from, for some rows of a table on some numbers of one device.

    serves: prompts of the others are computed between the steps; slow, late: factors of the 80 % interval.
    """

    figures: WorkloadCosts
    load: core.ModelDemand
    attention: Array
    device: core.DeviceRates
    constants: SpeedConstants
    piece: float
    serves: bool
    slow: Array
    late: Array
    _prompt: Array = None
    _step: Array = None

    @property
    def prompt(self) -> Array:
        """Time of one prompt. [s]"""
        if self._prompt is None:
            self._prompt = core.prefill_time(
                self.load, self.figures.prompt, self.piece, self.attention, self.device, self.constants
            )
        return self._prompt

    @property
    def step(self) -> Array:
        """Time of one step of all users. [s]"""
        if self._step is None:
            self._step = core.decode_step(self.load, self.figures.users, self.device, self.constants).time
        return self._step

    @property
    def token(self) -> Array:
        """Time for each further token. [s]"""
        if not self.serves:
            return self.step
        return core.later_token(self.step, self.prompt, self.figures.users, self.figures.answer, self.constants)

    def careful(self) -> Array:
        """each_low of `speeds` alone. [tokens/s]"""
        return 1 / (self.token * self.slow)

    def late_first(self) -> Array:
        """first_high of `speeds` alone. [s]"""
        asked = self.figures
        return core.first_token(self.prompt, asked.users, self.step, asked.answer, self.constants) * self.late

    def speeds(self, low: Array, places: tuple[Array, ...], shape: tuple[int, ...]) -> BatchSpeeds:
        """Every figure of some cells. low: what `careful` said; places, shape: in the grid of counts, contexts, rows."""
        rows, asked = places[-1], self.figures
        low, step = (np.broadcast_to(x, shape)[places] for x in (low, self.step))
        k, mine = (_picked(x, places) for x in (self.constants, self.device))
        if self._prompt is None:  # of a few cells it is cheaper than of all
            work, attention = _picked(self.load, places), _at(self.attention, places)
            prompt = core.prefill_time(work, asked.prompt, self.piece, attention, mine, k)
        else:
            prompt = np.broadcast_to(self._prompt, shape)[places]
        first = core.first_token(prompt, asked.users, step, asked.answer, k)
        return BatchSpeeds(low * self.slow[rows], low, first, first * self.late[rows])


def _picked(value: Any, places: tuple[Array, ...]) -> Any:
    """Some cells of every figure of a dataclass."""
    return replace(value, **{f.name: _at(getattr(value, f.name), places) for f in fields(value)})


def _at(figure: Any, places: tuple[Array, ...]) -> Any:
    """Some cells of a figure, whose missing or single axes are the same for all."""
    if not np.ndim(figure):
        return figure
    axes = zip(figure.shape, places[-figure.ndim :], strict=True)
    return figure[tuple(p if n > 1 else 0 for n, p in axes)]


def batch_timing(
    figures: WorkloadCosts,
    table: VariantTable,
    rows: Array,
    machine: Machine,
    engine: str,
    ranks: Array,
    split: Array,
    kv_bytes: float,
) -> BatchTiming | None:
    """What times some rows of a table. None without a bandwidth.

    ranks: devices that share a layer, (counts, 1, rows) or 1; split: devices that hold some layers each, (counts, 1, 1).
    """
    found = chip_of(machine)
    if found is None:
        return None
    said = situation(found, machine, engine)
    absorbed, plain = said.engine not in SERVERS, found.family == cpu.CPU
    slow, late = (
        np.full(len(rows), cpu.SPREAD[kind]) if plain else _intervals(figures, table, rows, said, found, kind)
        for kind in ("decode", "ttft")
    )
    return BatchTiming(
        figures,
        _load(figures, table, rows, kv_bytes),
        np.take(figures.attention(absorbed), table.model[rows], axis=1),
        _device(found, said, table, rows, ranks, split),
        cpu.constants(machine.cores) if plain else constants(figures, table, rows, said),
        PREFILL_CHUNK[engine],
        said.engine in SERVERS and figures.users > 1,
        slow,
        late,
    )


def situation(found: Chip, machine: Machine, engine: str) -> Situation:
    """What the constants depend on, but for the model and its quantisation."""
    name = ENGINES.get(engine, engine)
    driven = api(machine.gpus[0], found) if machine.gpus else cpu.CPU
    return Situation(name, driven, found.family, found.name, "", link=found.link)


def constants(figures: WorkloadCosts, table: VariantTable, rows: Array, said: Situation) -> SpeedConstants:
    """The constants of every row, as columns; scalars where rows don't differ."""
    known, plain = fitted.load(), fitted.labels(said)
    place = table.model[rows]
    values: dict[str, Any] = {}
    for name, base in known.base.items():
        value: Any = base
        groups: Any = 1.0
        models: Any = 1.0
        for level, factors in known.levels.get(name, {}).items():
            if level in QUANT_LEVELS:
                groups = groups * _quants(factors, level, said, table.groups)
            elif level in MODEL_LEVELS:
                models = models * figures.factors(name, level, factors, *_around(level, said))
            else:
                value *= factors.get(plain[level], 1.0)
        if not isinstance(groups, float):
            value = value * groups[table.group_of[rows]]
        values[name] = value if isinstance(models, float) else value * models[place]
    return SpeedConstants(**values)


def _quants(factors: Mapping[str, float], level: str, s: Situation, groups: Sequence[str]) -> Array:
    before = {"quant": "", "api quant": f"{s.api} ", "engine quant": f"{s.engine} ", "family quant": f"{s.family} "}
    return np.array([factors.get(before[level] + g, 1.0) for g in groups])


def _around(level: str, s: Situation) -> tuple[str, str]:
    """What stands before and after a model's name in the labels of a level."""
    return {"model": ("", ""), "model api": ("", f" {s.api}"), "device model": (f"{s.device} {s.engine} ", "")}[level]


def _device(
    found: Chip, s: Situation, table: VariantTable, rows: Array, ranks: Array, split: Array
) -> core.DeviceRates:
    rates = np.array([fitted.peak_rates(found, s.engine, s.api, g) for g in table.groups]).reshape(-1, 2)
    decode, prefill = rates[table.group_of[rows]].T
    return core.DeviceRates(
        bandwidth=found.bandwidth,
        decode=decode,
        prefill=prefill,
        half=found.half,
        parallel=ranks,
        nvlink=1 if found.link == "nvlink" else 0,
        small_batch_kernels=0 if s.engine in SERVERS or s.engine == "mlx" else 1,
        stages=split,
    )


def _load(figures: WorkloadCosts, table: VariantTable, rows: Array, kv_bytes: float) -> core.ModelDemand:
    place = table.model[rows]
    shapes = np.take(figures.shapes(), place, axis=1)
    plain: dict[str, Any] = {name: shapes[i] for i, name in enumerate(SHAPES)}
    return core.ModelDemand(
        dense=table.dense[rows],
        experts=table.experts[rows],
        **plain,
        cache=np.take(figures.cache(kv_bytes), place, axis=1),
        attend=np.take(figures.attend(), place, axis=1),
        state=figures.state()[0, place],
    )


def _intervals(figures: WorkloadCosts, table: VariantTable, rows: Array, s: Situation, found: Chip, kind: str) -> Array:
    """Factor of the 80 % interval of each row."""
    known = fitted.load()
    wider = 1.0 if found.family else UNKNOWN_CHIP_FACTOR
    some = next(iter(known.seen["models"]), "")
    both = [
        fitted.interval_factor(kind, Situation(s.engine, s.api, s.family, s.device, s.quant, model=n), figures.users)[0]
        * wider
        for n in ("", some)
    ]
    return np.where(figures.seen()[table.model[rows]], both[1], both[0])
