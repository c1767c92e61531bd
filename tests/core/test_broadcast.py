"""Arithmetic on numbers and arrays: what stands in for numpy's own, and why."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyakusan.core.broadcast import distinct, median

SMALL = st.lists(st.integers(0, 50), min_size=1, max_size=30)


@given(SMALL)
def test_distinct_places(values: list[int]) -> None:
    assert distinct(np.array(values)).tolist() == np.unique(values).tolist()


def test_no_places() -> None:
    assert distinct(np.zeros(0, np.int64)).tolist() == []
    assert distinct(np.array([[3, 1], [1, 3]])).tolist() == [1, 3]


@given(SMALL)
def test_the_median(values: list[int]) -> None:
    assert median(np.array(values)) == pytest.approx(np.median(values))


def test_a_plan_never_loads_masked_arrays() -> None:
    code = (
        "import sys, gyakusan; assert gyakusan.plan(device='RTX 4090').plans;"
        "assert 'numpy' in sys.modules and 'numpy.ma' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
