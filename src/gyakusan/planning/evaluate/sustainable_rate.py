"""The rate of randomly arriving requests that each candidate can sustain."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from gyakusan.catalog.speed_constants import constants_for
from gyakusan.core import queue
from gyakusan.core.arrays import FloatArray, IntArray
from gyakusan.core.machine import Device, Machine
from gyakusan.core.roofline import SpeedConstants
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.predict.speed_inputs import chip_of, situation_of
from gyakusan.planning.request.request import PlanRequest


def sustainable_rates(question: PlanRequest, grid: SweepResult) -> FloatArray:
    """Return the requests per second that each candidate sustains with its users as slots (candidates,) [1/s].

    At the careful end of its speeds; nan where they are not known.
    """
    prefill, work = solo_times(question, grid)
    return np.asarray(queue.sustainable_rate(prefill, work, question.users))


def solo_times(question: PlanRequest, grid: SweepResult) -> tuple[FloatArray, FloatArray]:
    """Return the time of a prompt alone, and of an answer while all slots are taken, each (candidates,) [s].

    At the careful end of its speeds, tokens of reasoning included; nan where they are not known.
    """
    cells, answer = grid.cells, question.workload.output_tokens
    prefill, step = np.full((2, len(cells)), np.nan)
    for timing, at in _by_timing(grid):
        prefill[at], step[at] = queue.solo_prefill_and_step(
            cells.ttft_high[at],
            1 / cells.tokens_per_s_low[at],
            question.users,
            answer,
            *timing,
            prompt=question.workload.prompt_tokens,
        )
    return prefill, step * answer * cells.tokens_per_s_low / cells.visible_tokens_per_s


def machine_timing(machine: Machine, engine: str) -> tuple[SpeedConstants, bool] | None:
    """Return the constants of a machine's GPU under an engine, and if it computes prompts between others' decode steps.

    What depends on model and quantisation is left out. None without a GPU, or where its bandwidth is not known.
    """
    if not machine.gpus:
        return None
    gpu = machine.gpus[0]
    return _gpu_timing(Device(gpu.name, gpu.kind, gpu.memory, gpu.backend, bandwidth=gpu.bandwidth), engine)


@lru_cache(maxsize=4096)
def _gpu_timing(gpu: Device, engine: str) -> tuple[SpeedConstants, bool] | None:
    """A fleet asks for the same devices for every number of users."""
    machine = Machine(gpu.name, (gpu,), None)
    chip = chip_of(machine)
    if chip is None:
        return None
    situation = situation_of(machine, chip, engine)
    return constants_for(situation), situation.server


def _by_timing(grid: SweepResult) -> list[tuple[tuple[SpeedConstants, bool], IntArray]]:
    """Group candidates whose first and further tokens wait alike for others' prompts: timing, places."""
    pair_of = grid.cells.offer * len(grid.engines) + grid.cells.engine
    groups: dict[tuple[object, ...], tuple[tuple[SpeedConstants, bool], list[int]]] = {}
    for pair in np.unique(pair_of).tolist():
        offer, engine = divmod(pair, len(grid.engines))
        timing = machine_timing(grid.offers[offer].machine, grid.engines[engine])
        if timing is not None:
            k, interleaved = timing
            waits = (k.queue, k.busy, k.blend, k.start, k.together, interleaved)
            groups.setdefault(waits, (timing, []))[1].append(pair)
    return [(timing, np.flatnonzero(np.isin(pair_of, pairs))) for timing, pairs in groups.values()]
