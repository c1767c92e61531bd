"""Arithmetic of quality: penalties against measured losses, comparison, ties, own scores."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyakusan.catalog.quality import penalty_law
from gyakusan.core import quality as q
from gyakusan.core.quality import Benchmark, Kind, Score

TRUTH = json.loads((Path(__file__).parents[1] / "truth" / "quality.json").read_text("utf-8"))
LOSSES = [tuple(r) for r in TRUTH["quantised"]["rows"]]
POINTS = st.floats(-20, 120)
ERRORS = st.floats(0.1, 20)


# Bits from, to, and the rms that the study of November 2026 published for the share kept.
@pytest.mark.parametrize(
    ("low", "high", "rms"), [(5.4, 9.0, 0.006), (4.2, 5.4, 0.012), (3.2, 4.2, 0.026), (2.5, 3.2, 0.026)]
)
def test_what_is_kept_is_what_was_measured(low: float, high: float, rms: float) -> None:
    rows = [r for r in LOSSES if low < r[1] <= high]
    misses = [q.accuracy_retained(penalty_law(), bits, n * 1e9, kind) - share for n, bits, kind, share, _ in rows]
    assert len(rows) >= 5
    assert math.sqrt(sum(m * m for m in misses) / len(misses)) < rms


def test_below_the_trusted_width_the_law_is_poor_and_says_so() -> None:
    misses = [
        abs(q.accuracy_retained(penalty_law(), b, n * 1e9, k) - s)
        for n, b, k, s, _ in LOSSES
        if b <= penalty_law().trusted
    ]
    assert max(misses) > 0.1


def test_fewer_bits_and_smaller_models_lose_more() -> None:
    by_bits = [q.penalty(penalty_law(), b, 8e9, "k").value for b in (8.5, 6.56, 5.67, 4.85, 3.91, 3.0)]
    by_size = [q.penalty(penalty_law(), 4.85, n, "k").value for n in (70e9, 32e9, 8e9, 4e9)]
    assert by_bits == sorted(by_bits)
    assert by_size == sorted(by_size)
    assert 0 < by_bits[0] < 0.2
    assert 1 < by_bits[3] < 2
    assert 10 < by_bits[5] < 20


def test_sixteen_bits_and_the_native_width_lose_nothing() -> None:
    assert q.penalty(penalty_law(), 16.0, 8e9, "k") == Score(0.0, 0.0)
    assert q.penalty(penalty_law(), 4.25, 20e9, "exl2", native=4.25) == Score(0.0, 0.0)
    assert q.penalty(penalty_law(), 3.0, 20e9, "k", native=4.25).value > 5
    assert q.penalty(penalty_law(), 4.25, 20e9, "exl2").value > 0


def test_a_penalty_is_half_sure() -> None:
    cost = q.penalty(penalty_law(), 3.91, 8e9, "k")
    assert cost.error == pytest.approx(cost.value / 2)
    left = q.after_penalty(Score(60.0, 3.0), cost)
    assert left.value == pytest.approx(60 - cost.value)
    assert left.error == pytest.approx(math.hypot(3.0, cost.error))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_arrays_say_what_numbers_say(kind: Kind) -> None:
    bits, sizes = np.array([2.1, 3.0, 4.5, 8.5, 16.0]), np.array([[1e9], [8e9], [70e9]])
    cost = q.penalty(penalty_law(), bits, sizes, kind)
    assert cost.value.shape == (3, 5)
    for i, n in enumerate(sizes[:, 0]):
        for j, b in enumerate(bits):
            one = q.penalty(penalty_law(), float(b), float(n), kind)
            assert cost.value[i, j] == pytest.approx(one.value, abs=1e-9)
            assert cost.error[i, j] == pytest.approx(one.error, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Q4_K_M", "k"), ("q6_k", "k"), ("Q8_0", "k"), ("Q4_0", "legacy"), ("Q5_1", "legacy"), ("IQ3_XXS", "iq"), ("TQ1_0", "iq"),
        ("BF16", "none"), ("F16", "none"), ("MLX-4bit", "mlx"), ("4bit", "mlx"), ("AWQ", "exl2"), ("NVFP4", "exl2"),
        ("MXFP4_MOE", "exl2"), ("FP8", "exl2"), ("NF4", "bnb"), ("mlx-bf16", "none"),
    ],
)  # fmt: skip
def test_kinds_of_quantisation(name: str, kind: Kind) -> None:
    assert q.kind_of(name) == kind


@given(POINTS, ERRORS, POINTS, ERRORS)
def test_one_of_two_is_better(a: float, ea: float, b: float, eb: float) -> None:
    x, y = Score(a, ea), Score(b, eb)
    p = q.better(x, y)
    exact = 0.5 * math.erfc(-(a - b) / math.hypot(ea, eb) / math.sqrt(2))
    assert p == pytest.approx(exact, abs=2e-7)
    assert p + q.better(y, x) == pytest.approx(1, abs=2e-7)
    assert q.tied(x, y) == q.tied(y, x) == (abs(a - b) < 1.3 * math.sqrt(ea**2 + eb**2))


def test_without_errors_the_higher_is_better() -> None:
    assert q.better(Score(2.0, 0.0), Score(1.0, 0.0)) == pytest.approx(1)
    assert q.better(Score(1.0, 0.0), Score(1.0, 0.0)) == pytest.approx(0.5, abs=1e-6)
    assert not q.tied(Score(2.0, 0.0), Score(1.0, 0.0))


def test_better_and_tied_broadcast() -> None:
    value, error = np.array([10.0, 50.0, 60.0]), np.array([1.0, 2.0, 3.0])
    p = q.better(Score(value, error), Score(50.0, 2.0))
    assert p == pytest.approx(
        [q.better(Score(float(v), float(e)), Score(50.0, 2.0)) for v, e in zip(value, error, strict=True)]
    )
    assert list(q.tied(Score(value, error), Score(50.0, 2.0))) == [False, True, False]


BENCHMARKS = [
    Benchmark(0.5, (0.9, 0.2, 0.0, 0.1), 0.2, 0.08),
    Benchmark(-1.0, (0.7, 0.0, 0.3, 0.0), 0.1, 0.2),
    Benchmark(2.0, (1.1, 0.0, 0.0, 0.4), 0.0, 0.05),
]
SCORES = [0.7, 0.35, 0.9]
PRIOR: tuple[Any, Any] = (
    (0.3, 0.1, -0.2, 0.0),
    tuple(tuple(v if i == j else 0.0 for j in range(4)) for i, v in enumerate((0.16, 1.0, 1.0, 1.0))),
)


def test_own_scores_move_ability_as_the_normal_equations_say() -> None:
    mean, covariance = q.posterior(*PRIOR, list(zip(BENCHMARKS, SCORES, strict=True)))
    x = np.array([[*b.loading, b.house] for b in BENCHMARKS])
    y = np.array([q.logit(s) - b.level for s, b in zip(SCORES, BENCHMARKS, strict=True)])
    noise = np.diag([1 / b.variance for b in BENCHMARKS])
    prior = np.diag([1 / 0.16, 1, 1, 1, 1])
    wide = np.linalg.inv(prior + x.T @ noise @ x)
    middle = wide @ (prior @ np.array([*PRIOR[0], 0.0]) + x.T @ noise @ y)
    assert mean == pytest.approx(tuple(middle[:4]))
    assert np.array(covariance) == pytest.approx(wide[:4, :4])


def test_the_order_of_own_scores_does_not_matter() -> None:
    seen = list(zip(BENCHMARKS, SCORES, strict=True))
    assert q.posterior(*PRIOR, seen)[0] == pytest.approx(q.posterior(*PRIOR, seen[::-1])[0])


def test_scores_of_one_tester_do_not_count_as_many_opinions() -> None:
    same = Benchmark(0.0, (0.9, 0.0, 0.0, 0.0), 0.5, 0.05)
    many = q.posterior(*PRIOR, [(same, 0.8)] * 50)[1][0][0]
    alone = q.posterior(*PRIOR, [(Benchmark(0.0, same.loading, 0.0, 0.05), 0.8)] * 50)[1][0][0]
    assert many > 10 * alone


def test_a_score_of_all_or_nothing_is_finite() -> None:
    for score in (0.0, 1.0):
        mean, _ = q.posterior(*PRIOR, [(BENCHMARKS[0], score)])
        assert all(math.isfinite(m) for m in mean)
