"""Where the curve of a bench bends: more people who bring too little more, also where nothing was answered in time."""

from __future__ import annotations

import pytest

from gyakusan.load_testing.ramp import bend
from gyakusan.load_testing.result import Figure, StepResult
from gyakusan.load_testing.workload import Shape, Step


def steps(*speeds: float) -> list[StepResult]:
    return [StepResult(Step(Shape(), users=2**i), 10.0, 1, all=Figure(speed)) for i, speed in enumerate(speeds)]


@pytest.mark.parametrize(
    ("speeds", "users"),
    [((10.0, 20.0, 40.0), None), ((10.0, 20.0, 21.0), 4), ((0.0, 0.0), None), ((0.0, 10.0, 10.0), 4), ((10.0, 0.0), 2)],
)
def test_a_bend(speeds: tuple[float, ...], users: int | None) -> None:
    found = bend(steps(*speeds))
    assert (found.step.users if found else None) == users
