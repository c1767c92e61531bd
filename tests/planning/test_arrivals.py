"""Requests that come when they like: what may be written, and what a plan makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planning.small import small

from gyakusan.core.pace import first_token, later_token
from gyakusan.errors import BadQuantity, BadSetting
from gyakusan.planning.answer import answer
from gyakusan.planning.arrivals import alone, at_once, bearable, constants_of, parse
from gyakusan.planning.question import from_values


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
    assert parse(text) == pytest.approx(rate)


@pytest.mark.parametrize(
    "text", ["", "5", "5/fortnight", "-3/s", "0/s", "1e12/s", "999999999999/s", "/s", "5//s", "x" * 999]
)
def test_nonsense_is_named(text: str) -> None:
    with pytest.raises(BadQuantity):
        parse(text)


def test_a_number_without_a_unit_is_asked_back() -> None:
    for value in (5, 0.5, "5"):
        with pytest.raises(BadQuantity, match="no unit"):
            from_values({"arrivals": value, "device": "RTX 4090"})
    with pytest.raises(BadSetting):
        from_values({"arrivals": ["5/s"]})


def test_users_are_derived_unless_they_are_said() -> None:
    found = from_values({"arrivals": "2000/h", "device": "RTX 4090"})
    assert found.users == at_once(2000 / 3600, found.usual) > 2000 / 3600 * 45
    assert from_values({"arrivals": "2000/h", "users": 3, "device": "RTX 4090"}).users == 3
    with pytest.raises(BadQuantity, match="conversations at once"):
        from_values({"arrivals": "9000/s", "device": "RTX 4090"})


@given(st.floats(1e-6, 100), st.floats(1, 3))
def test_more_requests_never_need_fewer_at_once(rate: float, more: float) -> None:
    usual = from_values({"device": "RTX 4090"}).usual
    assert at_once(rate, usual) <= at_once(rate * more, usual)


def test_times_alone_are_those_that_the_cells_came_from() -> None:
    """Putting them forward again gives the figures of the cells."""
    found = answer(from_values({"device": "2x RTX 4090", "users": 6}), columns=small())
    prefill, work = alone(found.question, found.grid)
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
    asked = from_values({"device": "RTX 4090", "arrivals": "1000/h", "context": "8k"})
    found = answer(asked, columns=small())
    assert found.plans
    assert np.all(bearable(found.question, found.grid) >= 1000 / 3600)
    much = answer(from_values({"device": "RTX 4090", "arrivals": "90000/h"}), columns=small())
    assert not much.plans
    assert any("requests an hour" in str(n) for n in much.nearest)
