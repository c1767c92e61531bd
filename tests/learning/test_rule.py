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


def of_many_models(cells: list[Cell]) -> list[Cell]:
    return [structs.replace(cell, model=f"m{i}") for i, cell in enumerate(cells)]


def test_without_measurements_nothing_changes() -> None:
    assert corrected(1.6, ()) == (1.0, 1.6)


@given(FACTORS, CELLS, SHIFTS, NOISES)
def test_another_measurement_never_widens(factor: float, cells: list[Cell], shift: float, far: float) -> None:
    before, after = corrected(factor, cells)[1], corrected(factor, [*cells, Cell(shift, far)])[1]
    assert after <= before <= factor * (1 + 1e-9)


@given(FACTORS, CELLS)
def test_no_number_of_measurements_goes_below_what_belongs_to_the_model(factor: float, cells: list[Cell]) -> None:
    narrowest = factor ** math.sqrt(1 - rule.DEVICE)
    assert corrected(factor, of_many_models(cells))[1] >= narrowest * (1 - 1e-9)
    exact = [structs.replace(cell, noise=min(cell.noise, 0.001), trust=1.0) for cell in cells]
    assert corrected(factor, of_many_models(exact * 1000))[1] == pytest.approx(narrowest, rel=0.02)


@given(FACTORS, SHIFTS, NOISES)
def test_one_measurement_moves_part_of_the_way_and_many_all(factor: float, shift: float, far: float) -> None:
    one = math.log(float(corrected(factor, [Cell(shift, far)])[0]))
    many = math.log(float(corrected(factor, of_many_models([Cell(shift, min(far, 0.001))] * 2000))[0]))
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


def test_a_model_that_was_measured_is_known_better_than_others() -> None:
    told = [Cell(-0.5, 0.01, model="a"), Cell(-0.4, 0.01, model="a")]
    its, other = (corrected(2.2, told, lambda name, asked=asked: float(name == asked)) for asked in ("a", "b"))
    assert math.log(float(its[0])) == pytest.approx(-0.45, rel=0.1)
    assert 0.9 * math.log(float(its[0])) < math.log(float(other[0])) < 0
    assert its[1] < other[1] < 2.2


@given(FACTORS, CELLS)
def test_however_often_a_model_is_measured_a_load_stays_unsure(factor: float, cells: list[Cell]) -> None:
    narrowest = factor ** math.sqrt(1 - rule.DEVICE - rule.MODEL)
    assert corrected(factor, cells * 50, lambda name: 1.0)[1] >= narrowest * (1 - 1e-6)


def test_other_models_say_what_the_device_has_in_common() -> None:
    """Measured again and again, one model moves another one by the share of the device only."""
    moved = math.log(float(corrected(2.0, [Cell(-0.5, 0.001, model="a")] * 2000)[0]))
    assert moved == pytest.approx(-0.5 * rule.DEVICE / (rule.DEVICE + rule.MODEL), rel=0.01)


def test_rows_of_many_models_at_once() -> None:
    told = [Cell(-0.5, 0.01, model="a"), Cell(0.2, 0.02, model="b")]
    names = np.array(["a", "b", "c"])
    together = corrected(np.array([1.6, 2.0, 2.2]), told, lambda name: (names == name).astype(float))
    alone = [corrected(f, told, lambda n, own=own: float(n == own)) for f, own in ((1.6, "a"), (2.0, "b"), (2.2, "c"))]
    assert np.allclose(together[0], [a[0] for a in alone])
    assert np.allclose(together[1], [a[1] for a in alone])


def test_a_delay_is_a_time_and_shrinks_to_nothing() -> None:
    assert rule.delay(()) == 0.0
    one = rule.Delay(0.06, rule.DELAY**2)
    assert rule.delay([one]) == pytest.approx(0.03)
    assert rule.delay([one] * 1000) == pytest.approx(0.06, rel=0.01)
    assert 0 < rule.delay([structs.replace(one, trust=0.25)]) < 0.03
    assert rule.delay([rule.Delay(0.06, 10.0)]) < 0.001
