"""Measured figures have the digits that people read."""

from __future__ import annotations

import pytest

from gyakusan.show.bench_figures import seconds_words, short_words, speed_words


@pytest.mark.parametrize(("value", "told"), [(9.94, "9.9"), (9.96, "10"), (1234.0, "1,234"), (0.0, "0.0")])
def test_a_speed(value: float, told: str) -> None:
    assert speed_words(value) == told


@pytest.mark.parametrize(("value", "told"), [(0.004, "<0.01"), (0.25, "0.25"), (1.23, "1.2"), (12.6, "13")])
def test_a_time(value: float, told: str) -> None:
    assert seconds_words(value) == told


@pytest.mark.parametrize(("value", "told"), [(2.0, "2"), (2.5, "2.5"), (12.4, "12")])
def test_no_digit_more_than_is_needed(value: float, told: str) -> None:
    assert short_words(value) == told
