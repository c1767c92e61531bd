"""The benchmark of the load client: its arithmetic, and a short run without peers."""

from __future__ import annotations

import json

import pytest
from benchmarks.load_client import (
    AGREE,
    FIRST,
    GAP,
    PROMPT,
    USERS,
    cost,
    differences,
    main,
    of_ours,
    ours,
    server,
    told,
)

from benchmarks import load_client
from gyakusan.load_testing.workload import Shape, Step


def test_what_a_request_costs(capsys: pytest.CaptureFixture[str]) -> None:
    found = cost(300, users=8)
    assert found["requests"] == 300
    assert 0 < found["cpu_ms"] < 50
    assert found["clock_late_p99_ms"] >= found["clock_late_ms"] >= 0
    main(["--requests", "200", "--json"])
    assert json.loads(capsys.readouterr().out)["client"]["requests"] == 200


def test_our_figures_are_those_of_the_fake() -> None:
    """At least as long as the fake waits; how much longer is the computer's business."""
    with server(FIRST, GAP) as url:
        figures = of_ours(ours(url, Step(Shape(PROMPT, 8), users=USERS), 8))
    assert figures["ttft"] >= FIRST
    assert figures["itl"] >= GAP * 0.9
    assert figures["output tokens/s"] <= USERS * 8 / (FIRST + 7 * GAP) * 1.05


def test_how_far_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"ttft": 1.0, "itl": 0.1, "output tokens/s": 100.0}
    figures = {"gyakusan": one, "guidellm": {**one, "ttft": 0.8}, "truth": one}
    apart = differences(figures)
    assert apart == pytest.approx({"guidellm, ttft": 0.25, "guidellm, itl": 0.0, "guidellm, output tokens/s": 0.0})
    found = {"client": {"cpu_ms": 0.1}, "figures": figures, "apart": apart}
    assert "ours against guidellm, ttft: +25.00%" in told(found)
    monkeypatch.setattr(load_client, "cost", lambda requests: {"cpu_ms": 0.1})
    monkeypatch.setattr(load_client, "beside", lambda venv, folder: figures)
    assert main(["--peers", "somewhere"]) == 1
    figures["guidellm"]["ttft"] = 1 / (1 + AGREE / 2)
    assert main(["--peers", "somewhere"]) == 0
