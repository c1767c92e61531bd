"""The arithmetic of learning: shrinkage, limits, and that agreeing measurements never widen an interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gyakusan.learning import rule
from gyakusan.learning.rule import Cell, corrected, noise

FACTORS = st.floats(1.05, 4.0)
SHIFTS = st.floats(-1.5, 1.5)
NOISES = st.floats(1e-4, 1.0)
CELLS = st.lists(st.builds(Cell, SHIFTS, NOISES, st.floats(0.05, 1.0)), min_size=1, max_size=12)


def test_without_measurements_nothing_changes() -> None:
    assert corrected(1.6, ()) == (1.0, 1.6)


@given(FACTORS, CELLS, SHIFTS, NOISES)
def test_another_measurement_never_widens(factor: float, cells: list[Cell], shift: float, far: float) -> None:
    before, after = corrected(factor, cells)[1], corrected(factor, [*cells, Cell(shift, far)])[1]
    assert after <= before <= factor * (1 + 1e-9)


@given(FACTORS, CELLS)
def test_no_number_of_measurements_goes_below_what_belongs_to_the_model(factor: float, cells: list[Cell]) -> None:
    narrowest = factor ** math.sqrt(1 - rule.DEVICE)
    assert corrected(factor, cells)[1] >= narrowest * (1 - 1e-9)
    assert corrected(factor, cells * 5000)[1] == pytest.approx(narrowest, rel=0.02)


@given(FACTORS, SHIFTS, NOISES)
def test_one_measurement_moves_part_of_the_way_and_many_all(factor: float, shift: float, far: float) -> None:
    one = math.log(float(corrected(factor, [Cell(shift, far)])[0]))
    many = math.log(float(corrected(factor, [Cell(shift, far)] * 100_000)[0]))
    assert abs(one) <= 0.76 * abs(shift)
    assert one * shift >= 0
    assert many == pytest.approx(shift, abs=0.05)


def test_the_formula_by_hand() -> None:
    s2 = (math.log(1.6) / 1.2815515655446004) ** 2
    p = 1 / (0.25 * s2 + 0.01)
    mean, left = p * -0.5 / (1 / (0.75 * s2) + p), 1 / (1 / (0.75 * s2) + p) + 0.25 * s2
    moved, factor = corrected(1.6, [Cell(-0.5, 0.01)])
    assert moved == pytest.approx(math.exp(mean))
    assert factor == pytest.approx(math.exp(1.2815515655446004 * math.sqrt(left)))


def test_a_noisy_or_foreign_measurement_moves_less() -> None:
    plain, noisy, foreign = (
        float(corrected(1.6, [c])[0])
        for c in (Cell(-0.5, 0.01), Cell(-0.5, 0.5), structs.replace(Cell(-0.5, 0.01), trust=0.25))
    )
    assert plain < foreign < 1
    assert plain < noisy < 1


def test_arrays_and_numbers_are_one_formula() -> None:
    factors = np.array([1.2, 1.6, 2.2])
    cells = [Cell(-0.3, 0.02), Cell(0.1, 0.05, 0.25)]
    moved, after = corrected(factors, cells)
    alone = [corrected(float(f), cells) for f in factors]
    assert np.allclose(moved, [a[0] for a in alone])
    assert np.allclose(after, [a[1] for a in alone])


def test_what_follows_is_narrowed_alike() -> None:
    assert rule.narrowed(2.0, 1.6, 1.6) == pytest.approx(2.0)
    assert rule.narrowed(2.0, 1.6, math.sqrt(1.6)) == pytest.approx(math.sqrt(2.0))


def test_a_busy_computer_makes_noise() -> None:
    assert noise(0.0, 0.0) == pytest.approx(rule.RUN**2)
    assert noise(0.3, 0.0) > noise(0.1, 0.0)
    assert noise(0.0, 0.8) == pytest.approx(rule.RUN**2 + math.log(1.8) ** 2)


def test_a_load_of_as_many_people_counts_most() -> None:
    far = Cell(-0.5, 0.01, users=1)
    assert rule.seen_from(far, 1) == far
    moved = [float(corrected(1.6, [rule.seen_from(far, n)])[0]) for n in (1, 2, 8, 64)]
    assert moved == sorted(moved)
    assert moved[0] < moved[-1] < 1
