"""Requests that arrive at random: what may be written, and the users that a rate keeps at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyakusan.errors import BadQuantity, BadSetting
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.request.request_rate import parse_request_rate, slots_for_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("0.5/s", 0.5),
        ("30/min", 0.5),
        ("1800/h", 0.5),
        ("43200/day", 0.5),
        ("1,800 per hour", 0.5),
        ("2k/h", 2000 / 3600),
        ("二千件/時", 2000 / 3600),
        ("百件/日", 100 / 86400),
        ("30 / 分", 0.5),
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
    assert found.users == slots_for_rate(2000 / 3600, found.workload) > 2000 / 3600 * 45
    assert parse_request({"arrivals": "2000/h", "users": 3, "device": "RTX 4090"}).users == 3
    with pytest.raises(BadQuantity, match="conversations at once"):
        parse_request({"arrivals": "9000/s", "device": "RTX 4090"})


@given(st.floats(1e-6, 100), st.floats(1, 3))
def test_more_requests_never_need_fewer_at_once(rate: float, more: float) -> None:
    workload = parse_request({"device": "RTX 4090"}).workload
    assert slots_for_rate(rate, workload) <= slots_for_rate(rate * more, workload)
