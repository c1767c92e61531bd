"""The line of a bench: within the time of a load, and after it, when only the last answers are waited for."""

from __future__ import annotations

import pytest

from gyakusan.load_testing.drive import StepRun
from gyakusan.load_testing.workload import Shape, Step
from gyakusan.show.bench_line import progress
from gyakusan.text import tell

STEP = Step(Shape(100, 20), users=2)


@pytest.mark.parametrize(
    ("now", "limit", "english", "japanese"),
    [
        (112.0, 30.0, "12 of 30 s", "12/30秒"),
        (130.0, 30.0, "30 of 30 s", "30/30秒"),
        (228.0, 30.0, "waiting for the last answers, 128 s", "最後の回答を待っています、128秒"),
        (120.0, 9.0, "waiting for the last answers, 20 s", "最後の回答を待っています、20秒"),
        (228.0, None, "128 s", "128秒"),
    ],
)
@pytest.mark.parametrize("loads", [(), (STEP,)])
def test_the_time_of_a_load(
    now: float, limit: float | None, english: str, japanese: str, loads: tuple[Step, ...]
) -> None:
    line = progress(StepRun(STEP, begun=100.0), now, limit, loads)
    assert f", {english} |" in tell(line, "en")
    assert japanese in tell(line, "ja")
    if limit is not None and now - 100.0 > limit:
        assert f"of {limit:.0f} s" not in tell(line, "en")
