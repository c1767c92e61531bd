"""Figures beside limits: one that misses never reads as if it kept it, above an hour either."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyakusan.message import Message, typed_duration
from gyakusan.planning.select.missed_figures import at_least_time, reached_time

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}


def read(words: Message) -> float:
    return sum(float(n) * UNITS[unit] for n, unit in re.findall(r"([\d.]+) (s|min|h)", str(words)))


@given(st.integers(1, 20_000), st.floats(0.001, 200))
def test_a_time_that_misses_reads_as_more_than_the_limit(asked: int, more: float) -> None:
    assert read(at_least_time(asked + more)) > read(typed_duration(asked)) == asked


@given(st.floats(0.01, 20_000))
def test_a_time_that_is_kept_reads_as_no_less(value: float) -> None:
    assert read(reached_time(value)) >= value
    assert read(at_least_time(value)) >= value


def test_seconds_above_an_hour_are_not_lost() -> None:
    words = at_least_time(3620), reached_time(3620), typed_duration(3620), at_least_time(3600.5), reached_time(3600)
    assert [str(w) for w in words] == ["1 h 1 min", "1 h 1 min", "1 h 0 min 20 s", "1 h 1 min", "1 h"]


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_what_is_not_known_is_said(value: float) -> None:
    assert str(at_least_time(value)) == str(reached_time(value)) == "?"
