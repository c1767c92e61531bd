"""Nothing on the frontier is dominated, everything off it is, and equals stay in their order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.planning.small import dominates

from gyakusan.planning.evaluate.pareto import pareto_frontier

POINT = st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))


@given(st.lists(POINT, max_size=40))
def test_it_agrees_with_brute_force(points: list[tuple[int, int, int]]) -> None:
    floats = [tuple(map(float, p)) for p in points]
    kept = pareto_frontier(*np.array(floats).reshape(-1, 3).T).tolist()
    alive = [i for i, p in enumerate(floats) if not any(dominates(o, p) for o in floats)]  # type: ignore[arg-type]
    first = [i for i in alive if floats[i] not in floats[:i]]
    assert kept == first


@given(st.lists(POINT, min_size=1, max_size=40))
def test_the_first_of_equals_stays(points: list[tuple[int, int, int]]) -> None:
    twice = np.array([*points, *points], float).T
    assert max(pareto_frontier(*twice).tolist()) < len(points)


def test_an_unknown_speed_counts_as_none() -> None:
    assert pareto_frontier([1, 1], [np.nan, 1], [0, 0]).tolist() == [1]
    assert pareto_frontier([2, 1], [np.nan, 1], [0, 0]).tolist() == [0, 1]
