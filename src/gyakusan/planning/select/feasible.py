"""The candidates that satisfy a request: one sweep over the models it allows, and the rate of its requests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import structs

from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.evaluate.sustainable_rate import sustainable_rates
from gyakusan.planning.evaluate.sweep import sweep
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.exclusions import select_models


def feasible_candidates(
    request: PlanRequest,
    columns: ModelTable,
    hardware: Sequence[HardwareOption],
    models: Sequence[int] | None = None,
    *,
    first: bool = False,
) -> SweepResult:
    """Return the sweep of a request, without candidates that fall behind the requests that arrive.

    models: indices into the table, None = those that the request allows
    first: candidates of one device are enough, as whoever asks only wants to know whether there is one
    """
    indices = np.array(select_models(request, columns)[0] if models is None else models, np.int64)
    enough = first and request.arrivals is None
    result = sweep(request, columns, hardware, indices, reduce=not request.owned, alone=True, first=enough)
    if request.arrivals is None or not len(result.cells):
        return result
    sustained = np.flatnonzero(sustainable_rates(request, result) >= request.arrivals)
    return structs.replace(result, cells=result.cells.take(sustained))
