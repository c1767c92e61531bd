"""How a bench says how it gets on: a line now and then where nothing is a terminal."""

from __future__ import annotations

import pytest

from gyakusan.cli.bench_progress import SELDOM, LiveLine
from gyakusan.load_testing.drive import StepRun
from gyakusan.load_testing.workload import Shape, Step


def test_a_pipe_gets_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    line, run = LiveLine("en", None, "60s"), StepRun(Step(Shape(100, 20), users=4), begun=100.0)
    line.begin()
    for second in range(40):
        line.update(run, 100.0 + second)
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("Sending the first requests")
    assert [text.partition(" s |")[0] for text in told[1:]] == [
        f"Measuring  4 people, {n} of 60" for n in (0, int(SELDOM), 2 * int(SELDOM))
    ]
    assert "\x1b" not in "".join(told)
    line.close()


def test_how_long_it_takes_is_said_before_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    LiveLine("en", None, "30s").begin(2)
    assert "2 loads of 30 s take 1 min or longer" in capsys.readouterr().err
    LiveLine("en", 5, "30s").begin(2)
    LiveLine("en", None, "30s").begin()
    assert "take" not in capsys.readouterr().err
