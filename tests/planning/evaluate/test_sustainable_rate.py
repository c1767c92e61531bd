"""Requests that arrive at random: the rate that each candidate sustains."""

from __future__ import annotations

import numpy as np
import pytest
from tests.planning.small import small

from gyakusan.core.roofline import first_token, later_token
from gyakusan.planning.evaluate.sustainable_rate import machine_timing, solo_times, sustainable_rates
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.recommend import recommend


def test_times_alone_are_those_that_the_cells_came_from() -> None:
    """Putting them forward again gives the figures of the cells."""
    found = recommend(parse_request({"device": "2x RTX 4090", "users": 6}), columns=small())
    prefill, work = solo_times(found.request, found.grid)
    cells, workload = found.grid.cells, found.request.workload
    for number, name in enumerate(found.grid.engines):
        at = np.flatnonzero(cells.engine == number)[:5]
        timing = machine_timing(found.grid.offers[0].machine, name)
        if timing is None or not len(at):
            continue
        k, interleaved = timing
        step = work[at] / workload.output_tokens * cells.visible_tokens_per_s[at] / cells.tokens_per_s_low[at]
        token = later_token(step, prefill[at], 6, workload.output_tokens, k) if interleaved else step
        assert 1 / token == pytest.approx(cells.tokens_per_s_low[at], rel=1e-3)
        first = first_token(prefill[at], 6, step, workload.output_tokens, k, workload.prompt_tokens)
        assert first == pytest.approx(cells.ttft_high[at], rel=1e-3)


def test_machines_that_fall_behind_are_not_proposed() -> None:
    asked = parse_request({"device": "RTX 4090", "arrivals": "1000/h", "context": "8k"})
    found = recommend(asked, columns=small())
    assert found.plans
    assert np.all(sustainable_rates(found.request, found.grid) >= 1000 / 3600)
    much = recommend(parse_request({"device": "RTX 4090", "arrivals": "90000/h"}), columns=small())
    assert not much.plans
    assert any("requests an hour" in str(r.sentence) for r in much.relaxations)
