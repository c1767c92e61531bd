"""The columns of a sweep say what a plan says of the same model, where no measurement moves it."""

from __future__ import annotations

import numpy as np
import pytest
from tests.planning.small import small

from gyakusan.core.load import Load
from gyakusan.engines.registry import engine as find_engine
from gyakusan.planning.request.request import PlanRequest, Task
from gyakusan.planning.select.plan import catalogue_deployment, exact_speed
from gyakusan.planning.select.recommend import recommend


@pytest.mark.parametrize("kv", ["F16", "Q8_0"])
@pytest.mark.parametrize(
    ("device", "users", "task"),
    [
        ("2x RTX 4090", 1, "chat"),
        ("H100 SXM5", 8, "chat"),
        ("H100 SXM5", 1, "agents"),
        ("M4 Max 128GB", 3, "rag"),
        ("M4 Max 128GB", 70, "chat"),
    ],
)
def test_a_cell_is_as_fast_as_its_plan(device: str, users: int, task: Task, kv: str) -> None:
    """Of long prompts, too: vLLM reads 8,192 tokens at once on large GPUs, and the columns counted 2,048."""
    found = recommend(PlanRequest(device=device, users=users, task=task, kv_types=(kv,)), columns=small())
    grid, cells, seen = found.grid, found.grid.cells, set[str]()
    machine, load = grid.offers[0].machine, Load(users, found.request.workload.context)
    for i in np.random.default_rng(3).permutation(len(cells))[:40].tolist():
        engine = grid.engines[int(cells.engine[i])]
        table, row = grid.columns.tables[find_engine(engine).STORAGE], int(cells.row[i])
        name = grid.columns.models[int(table.model[row])].name
        deployment = catalogue_deployment(name, table.name[row], engine, machine, load, kv)
        if deployment is None:
            continue
        speed = exact_speed(found.request, deployment)
        assert speed is not None
        if speed.decode_each.basis == "measured":
            continue
        seen.add(engine)
        assert cells.tokens_per_s[i] == pytest.approx(speed.decode_each.value, rel=1e-6)
        assert cells.tokens_per_s_low[i] == pytest.approx(speed.decode_each.low, rel=1e-6)
        if speed.ttft.basis != "measured":
            assert cells.ttft[i] == pytest.approx(speed.ttft.value, rel=1e-6)
            assert cells.ttft_high[i] == pytest.approx(speed.ttft.high, rel=1e-6)
    assert seen
