"""Requests that come when they like: what may be written, and what a plan makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planning.small import small

from gyakusan.core.pace import first_token, later_token
from gyakusan.errors import BadQuantity, BadSetting
from gyakusan.planning.evaluate.sustainable_rate import (
    constants_of,
    parse_request_rate,
    slots_for_rate,
    solo_times,
    sustainable_rates,
)
from gyakusan.planning.request.request import parse_request
from gyakusan.planning.select.recommend import recommend


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("0.5/s", 0.5),
        ("30/min", 0.5),
        ("1800/h", 0.5),
        ("43200/day", 0.5),
        ("1,800 per hour", 0.5),
        ("2k/h", 2000 / 3600),
    ],
)
def test_rates_are_read(text: str, rate: float) -> None:
    assert parse_request_rate(text) == pytest.approx(rate)


@pytest.mark.parametrize(
    "text", ["", "5", "5/fortnight", "-3/s", "0/s", "1e12/s", "999999999999/s", "/s", "5//s", "x" * 999]
)
def test_nonsense_is_named(text: str) -> None:
    with pytest.raises(BadQuantity):
        parse_request_rate(text)


def test_a_number_without_a_unit_is_asked_back() -> None:
    for value in (5, 0.5, "5"):
        with pytest.raises(BadQuantity, match="no unit"):
            parse_request({"arrivals": value, "device": "RTX 4090"})
    with pytest.raises(BadSetting):
        parse_request({"arrivals": ["5/s"]})


def test_users_are_derived_unless_they_are_said() -> None:
    found = parse_request({"arrivals": "2000/h", "device": "RTX 4090"})
    assert found.users == slots_for_rate(2000 / 3600, found.usual) > 2000 / 3600 * 45
    assert parse_request({"arrivals": "2000/h", "users": 3, "device": "RTX 4090"}).users == 3
    with pytest.raises(BadQuantity, match="conversations at once"):
        parse_request({"arrivals": "9000/s", "device": "RTX 4090"})


@given(st.floats(1e-6, 100), st.floats(1, 3))
def test_more_requests_never_need_fewer_at_once(rate: float, more: float) -> None:
    usual = parse_request({"device": "RTX 4090"}).usual
    assert slots_for_rate(rate, usual) <= slots_for_rate(rate * more, usual)


def test_times_alone_are_those_that_the_cells_came_from() -> None:
    """Putting them forward again gives the figures of the cells."""
    found = recommend(parse_request({"device": "2x RTX 4090", "users": 6}), columns=small())
    prefill, work = solo_times(found.question, found.grid)
    cells, usual = found.grid.cells, found.question.usual
    for number, name in enumerate(found.grid.engines):
        at = np.flatnonzero(cells.engine == number)[:5]
        k = constants_of(found.grid.offers[0].machine, name)
        if k is None or not len(at):
            continue
        step = work[at] / usual.answer * cells.useful[at] / cells.each_low[at]
        token = later_token(step, prefill[at], 6, usual.answer, k) if name == "vLLM" else step
        assert 1 / token == pytest.approx(cells.each_low[at], rel=1e-3)
        assert first_token(prefill[at], 6, step, usual.answer, k) == pytest.approx(cells.first_high[at], rel=1e-3)


def test_machines_that_fall_behind_are_not_proposed() -> None:
    asked = parse_request({"device": "RTX 4090", "arrivals": "1000/h", "context": "8k"})
    found = recommend(asked, columns=small())
    assert found.plans
    assert np.all(sustainable_rates(found.question, found.grid) >= 1000 / 3600)
    much = recommend(parse_request({"device": "RTX 4090", "arrivals": "90000/h"}), columns=small())
    assert not much.plans
    assert any("requests an hour" in str(n) for n in much.nearest)
