"""The rate of randomly arriving requests that each candidate can sustain."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gyakusan.core import queue

if TYPE_CHECKING:
    from gyakusan.core.machine import Device, Machine
    from gyakusan.core.roofline import SpeedConstants
    from gyakusan.planning.evaluate.results import SweepResult
    from gyakusan.planning.request.request import PlanRequest

Array = Any


def sustainable_rates(question: PlanRequest, grid: SweepResult) -> Array:
    """Requests a second that each cell bears with its users as slots, at the careful end of its speeds. [1/s] nan: unknown."""
    prefill, work = solo_times(question, grid)
    return queue.sustainable_rate(prefill, work, question.users)


def solo_times(question: PlanRequest, grid: SweepResult) -> tuple[Array, Array]:
    """Of each cell, careful: time of a prompt alone, and of an answer while all slots are taken, with its reasoning. [s]"""
    import numpy as np

    from gyakusan.catalog.speed_constants import SERVERS
    from gyakusan.planning.predict.speed import ENGINES

    cells, workload = grid.cells, question.workload
    prefill, step = np.full((2, len(cells)), np.nan)
    for k, serves, at in _alike(grid, SERVERS, ENGINES):
        first, token = cells.ttft_high[at], 1 / cells.tokens_per_s_low[at]
        prefill[at], step[at] = queue.solo_prefill_and_step(
            first, token, question.users, workload.output_tokens, k, serves
        )
    return prefill, step * workload.output_tokens * cells.tokens_per_s_low / cells.visible_tokens_per_s


def _alike(grid: SweepResult, servers: tuple[str, ...], engines: Any) -> list[tuple[SpeedConstants, bool, Array]]:
    """Cells for which the shares of others' prompts are the same: those constants, if it is a server, places."""
    import numpy as np

    cells = grid.cells
    found: dict[Any, tuple[SpeedConstants, bool, list[int]]] = {}
    pairs = np.unique(cells.offer * len(grid.engines) + cells.engine)
    for pair in pairs.tolist():
        offer, engine = divmod(pair, len(grid.engines))
        name = grid.engines[engine]
        k, serves = machine_constants(grid.offers[offer].machine, name), engines.get(name, name) in servers
        if k is not None:
            found.setdefault((k.queue, k.busy, k.blend, serves), (k, serves, []))[2].append(pair)
    whole = cells.offer * len(grid.engines) + cells.engine
    return [(k, serves, np.flatnonzero(np.isin(whole, some))) for k, serves, some in found.values()]


def machine_constants(machine: Machine, engine: str) -> SpeedConstants | None:
    """The constants of a machine under an engine; what depends on model and quantisation is left out."""
    from gyakusan.core.machine import Device

    if not machine.gpus:
        return None
    gpu = machine.gpus[0]
    return _constants(Device(gpu.name, gpu.kind, gpu.memory, gpu.backend, bandwidth=gpu.bandwidth), engine)


@lru_cache(maxsize=4096)
def _constants(gpu: Device, engine: str) -> SpeedConstants | None:
    """Constants of one engine on one device: a fleet asks for the same ones for every share."""
    from gyakusan.catalog.speed_constants import Situation, constants_for
    from gyakusan.core.machine import Machine
    from gyakusan.planning.predict.speed import ENGINES, api, chip_of

    chip = chip_of(Machine(gpu.name, (gpu,), None))
    if chip is None:
        return None
    situation = Situation(ENGINES.get(engine, engine), api(gpu, chip), chip.family, chip.name, "", link=chip.link)
    return constants_for(situation)
