"""Speeds of many variants on one kind of device: predict.speed_inputs with columns in place of numbers.

Arrays have the shape (counts, contexts, rows), or 1 along axes on which they do not depend. Measurements of the very same
thing move the confirmed plan (predict.speed), not the columns.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import msgspec
import numpy as np
from msgspec import Struct

from gyakusan.catalog.speed_constants import Labels
from gyakusan.core.arrays import FloatArray, IntArray, Number
from gyakusan.core.machine import Machine
from gyakusan.core.roofline import ModelDemand
from gyakusan.engines.registry import engine as find_engine
from gyakusan.planning.candidates.model_table import CatalogModel, ModelTable, VariantTable
from gyakusan.planning.predict.learned import learned_speed
from gyakusan.planning.predict.speed_inputs import (
    NO_HOST_WEIGHTS,
    UNKNOWN_CHIP_FACTOR,
    HostWeights,
    SpeedInputs,
    chip_of,
    situation_of,
    speed_inputs,
    take,
)


class BatchSpeeds(Struct, frozen=True):
    """Speeds of some candidates, each with its careful end of the 80 % interval; arrays (candidates,).

    tokens_per_s: output tokens per second of one user, all active [tokens/s]
    tokens_per_s_low: its lower end [tokens/s]
    ttft: time to first token [s]
    ttft_high: its upper end [s]
    """

    tokens_per_s: FloatArray
    tokens_per_s_low: FloatArray
    ttft: FloatArray
    ttft_high: FloatArray


class WorkloadCosts(Struct):
    """What every model reads and computes for one workload, worked out once for a sweep.

    columns: the models
    models: places of the models that are asked about (asked,)
    users: conversations that are answered at once
    prompt: length of a prompt [tokens]
    answer: output tokens [tokens]
    contexts: lengths that conversations may reach (contexts,) [tokens]
    """

    columns: ModelTable
    models: IntArray
    users: int
    prompt: float
    answer: float
    contexts: IntArray
    _costs: dict[Hashable, FloatArray] = msgspec.field(default_factory=dict)

    @property
    def depth(self) -> FloatArray:
        """Mean length of a conversation before the prompt (contexts,) [tokens]."""
        return np.asarray(np.maximum(0, self.contexts - self.prompt - self.answer) / 2)

    @property
    def _middle(self) -> FloatArray:
        """Mean length of a conversation while it is answered (contexts,) [tokens]."""
        return self.depth + self.prompt + self.answer / 2

    def cache(self, value_bytes: float) -> FloatArray:
        """Return keys and values that a step reads for one conversation (contexts, models) [B]."""
        return self._once(("cache", value_bytes), lambda m: m.traffic.cache(self._middle, value_bytes))

    def attend(self) -> FloatArray:
        """Return the attention of one new token (contexts, models) [FLOP]."""
        return self._once("attend", lambda m: m.traffic.attention(1, self._middle))

    def attention(self, absorbed: bool) -> FloatArray:
        """Return the attention of a prompt (contexts, models). [FLOP] absorbed: see Traffic.attention."""
        return self._once(("attention", absorbed), lambda m: m.traffic.attention(self.prompt, self.depth, absorbed))

    def state(self) -> FloatArray:
        """Return the recurrent state of one conversation (contexts, models) [B]."""
        return self._once("state", lambda m: m.traffic.state)

    def together(self, engine: str) -> FloatArray:
        """Return the users whom an engine answers at once, inf for all (models,)."""

        def most(model: CatalogModel) -> float:
            return float(find_engine(engine).at_once(model.outline.architecture) or np.inf)

        return np.asarray(self._once(("together", engine), most)[0])

    def _once(self, key: Hashable, cost: Callable[[CatalogModel], Number]) -> FloatArray:
        if key not in self._costs:
            out = np.zeros((len(self.contexts), len(self.columns.models)))
            for place in self.models:
                out[:, place] = cost(self.columns.models[place])
            self._costs[key] = out
        return self._costs[key]


class BatchTiming(Struct):
    """Times of some rows of a table on some numbers of one device; what nobody asks for is not computed.

    inputs: what the times follow from
    slow: factor of the 80 % interval of tokens per second (rows,)
    late: factor of the 80 % interval of the first token (rows,)
    """

    inputs: SpeedInputs
    slow: FloatArray
    late: FloatArray
    _prefill: FloatArray | None = None
    _step: FloatArray | None = None

    @property
    def prefill(self) -> FloatArray:
        """Time of one prompt [s]."""
        if self._prefill is None:
            self._prefill = np.asarray(self.inputs.prefill_time())
        return self._prefill

    @property
    def step(self) -> FloatArray:
        """Time of one step of all users [s]."""
        if self._step is None:
            self._step = np.asarray(self.inputs.step_time(self.inputs.gpu_step()))
        return self._step

    def tokens_per_s_low(self) -> FloatArray:
        """Return the careful end of the output tokens per second of each user [tokens/s]."""
        needs_prefill = self.inputs.interleaved and self.inputs.users > 1
        token = self.inputs.token_time(self.step, self.prefill if needs_prefill else 0.0)
        return np.asarray(1 / (token * self.slow))

    def ttft_high(self) -> FloatArray:
        """Return the careful end of the time to first token [s]."""
        return np.asarray(self.inputs.first_token(self.step, self.prefill) * self.late)

    def speeds(self, low: FloatArray, places: tuple[IntArray, ...], shape: tuple[int, ...]) -> BatchSpeeds:
        """Return every speed of some candidates.

        low: what `tokens_per_s_low` returned; places: of counts, contexts and rows, each (candidates,); shape: of all.
        """
        rows = places[-1]
        low, step = (np.broadcast_to(x, shape)[places] for x in (low, self.step))
        some = take(self.inputs, places)  # a prompt is computed for few candidates only
        prefill = some.prefill_time() if self._prefill is None else np.broadcast_to(self._prefill, shape)[places]
        first = np.asarray(some.first_token(step, prefill))
        return BatchSpeeds(low * self.slow[rows], low, first, first * self.late[rows])


def batch_timing(
    costs: WorkloadCosts,
    table: VariantTable,
    rows: IntArray,
    machine: Machine,
    engine: str,
    parallel: Number,
    stages: Number,
    value_bytes: float,
    host: HostWeights = NO_HOST_WEIGHTS,
) -> BatchTiming | None:
    """Return the timing of some rows of a table, None where the bandwidth is not known.

    parallel: devices that share a layer (counts, 1, rows) or 1; stages: devices that hold some layers each (counts, 1, 1)
    or 1; value_bytes: of one cached value [B]; host: weights in RAM (counts, contexts, rows)
    """
    chip = chip_of(machine)
    if chip is None:
        return None
    place, columns = table.model[rows], costs.columns
    quants = Labels(table.groups, table.group_of[rows])
    situation = situation_of(machine, chip, engine, quants, Labels(columns.speed_names, place))
    here = learned_speed(chip, situation, costs.users, machine.cores)
    inputs = speed_inputs(
        _demand(costs, table, rows, value_bytes),
        np.take(costs.attention(not situation.server), place, axis=1),
        chip,
        situation,
        users=costs.users,
        prompt=costs.prompt,
        answer=costs.answer,
        chunk=find_engine(engine).prefill_chunk(machine),
        parallel=parallel,
        stages=stages,
        threads=machine.cores,
        host=host,
        learned=here.corrections,
        together=_together(costs.together(engine)[place], costs.users),
    )
    return BatchTiming(inputs, *(_doubt(here.factors[kind], host, len(rows)) for kind in ("decode", "ttft")))


def _together(most: FloatArray, users: int) -> Number:
    """Return the users of each row who are answered at once (rows,); one number for all rows where nobody waits."""
    return np.minimum(most, users) if (most < users).any() else users


def _doubt(factor: Number, host: HostWeights, rows: int) -> FloatArray:
    """Return the factor of an interval for each row: no measurement of ours has weights in two memories."""
    return np.broadcast_to((UNKNOWN_CHIP_FACTOR if host.any else 1.0) * factor, rows)


def _demand(costs: WorkloadCosts, table: VariantTable, rows: IntArray, value_bytes: float) -> ModelDemand:
    """Return what a step of each row reads and computes."""
    place = table.model[rows]
    return ModelDemand(
        shape=take(costs.columns.shapes, (place,)),
        dense_bytes=table.dense_bytes[rows],
        expert_bytes=table.expert_bytes[rows],
        cache=np.take(costs.cache(value_bytes), place, axis=1),
        attend=np.take(costs.attend(), place, axis=1),
        state=costs.state()[0, place],
    )
