"""Times as people say them: one rule for all screens."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyakusan.message import duration, in_minutes, typed_duration
from gyakusan.text import tell


@pytest.mark.parametrize(
    ("seconds", "english", "japanese"),
    [
        (0.01, "<0.1 s", "<0.1秒"),
        (6.2, "6.2 s", "6.2秒"),
        (9.97, "10 s", "10秒"),
        (59.4, "59 s", "59秒"),
        (59.7, "1 min", "1分"),  # it was "60 s"
        (412, "6 min 52 s", "6分52秒"),
        (3600, "1 h", "1時間"),
        (3599.8, "1 h", "1時間"),
        (4320, "1 h 12 min", "1時間12分"),
    ],
)
def test_a_time_is_read_in_minutes_from_a_minute_on(seconds: float, english: str, japanese: str) -> None:
    assert str(duration(seconds)) == english
    assert tell(duration(seconds), "ja") == japanese


@given(st.floats(0, 10**6))
def test_a_time_is_said_to_two_digits_at_least(seconds: float) -> None:
    words = str(duration(seconds)).replace("<0.1 s", "0 s").split()
    units = {"s": 1.0, "min": 60.0, "h": 3600.0}
    said = sum(float(n) * units[unit] for n, unit in zip(words[::2], words[1::2], strict=True))
    assert abs(said - seconds) <= max(0.0501, 0.0501 * seconds if seconds < 60 else 0.0086 * seconds)


def test_a_time_that_was_typed_keeps_its_digits() -> None:
    assert [str(typed_duration(t)) for t in (0.25, 9.99, 90.5, 90, 412)] == [
        "0.25 s", "9.99 s", "90.5 s", "1 min 30 s", "6 min 52 s",
    ]  # fmt: skip
    assert [str(typed_duration(t)) for t in (3600, 3620, 3660, 7325, 3620.5)] == [
        "1 h", "1 h 0 min 20 s", "1 h 1 min", "2 h 2 min 5 s", "3620.5 s",
    ]  # fmt: skip
    assert tell(typed_duration(3620), "ja") == "1時間0分20秒"


def test_a_time_that_must_not_read_as_less_is_rounded_up() -> None:
    assert [str(duration(t, math.ceil)) for t in (59.2, 60.1, 3599.1, 3600, 3600.5, 3620, 3661)] == [
        "1 min", "1 min 1 s", "1 h", "1 h", "1 h 1 min", "1 h 1 min", "1 h 2 min",
    ]  # fmt: skip
    assert str(duration(3599.8, math.floor)) == "59 min 59 s"


@pytest.mark.parametrize("seconds", [math.inf, -math.inf, math.nan])
def test_what_is_not_finite_is_not_known(seconds: float) -> None:
    assert str(duration(seconds)) == str(duration(seconds, math.ceil)) == str(typed_duration(seconds)) == "?"
    assert tell(duration(seconds), "ja") == "?"
    assert not in_minutes(seconds)
