"""A calibration: figures before and after, kept or refused; an early end keeps nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.fakes.fake_load_server import FakeChat, serving

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.engines.deployment import Deployment
from gyakusan.errors import ServerError
from gyakusan.learning import known
from gyakusan.load_testing import calibration
from gyakusan.load_testing.calibration import Onlooker, calibrate
from gyakusan.load_testing.conditions import Conditions
from gyakusan.load_testing.result import BenchResult
from gyakusan.load_testing.workload import Limits, Shape, Step


@pytest.fixture(autouse=True)
def _learning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv(known.SWITCH, raising=False)
    monkeypatch.setattr(calibration, "busy_cores", lambda: 0.1)
    monkeypatch.setattr(calibration, "OtherPrograms", lambda: SimpleNamespace(cores=0.1))
    monkeypatch.setattr(calibration, "observed_with", lambda port: lambda: Conditions(0.1, 2))
    monkeypatch.setattr(calibration, "ram_bandwidth", lambda cores, seconds: 2e10)
    monkeypatch.setattr(calibration, "QUICK_SECONDS", 2.4)
    monkeypatch.setattr(calibration, "QUICK", tuple(Step(Shape(128, 16), users=n) for n in (1, 4)))


def plan(bandwidth: str | None) -> Deployment:
    return api.deployment("smollm2", load=Load(4, 2048), device="cpu", bandwidth=bandwidth)


def fake_server(fake: FakeChat) -> Callable[..., object]:
    """In place of a model's server: a fake on loopback."""

    class Fake:
        key = None

        def __init__(self) -> None:
            self.url = f"{fake.url}/v1"

        def check(self) -> None: ...

    class Servers:
        @staticmethod
        @contextmanager
        def of(deployment: Deployment, options: object) -> Iterator[Fake]:
            yield Fake()

    return Servers


def test_figures_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    stages: list[str] = []
    with serving(FakeChat(first=0.3, gap=0.02)) as fake:
        monkeypatch.setattr(calibration, "Server", fake_server(fake))
        found = calibrate(plan, quick=True, onlooker=Onlooker(on_stage=stages.append))
    assert stages == ["ram", "server", "load"]
    assert not found.learnt.refused
    assert [(f.quantity, f.users) for f in found.figures] == [
        ("bandwidth", 0), ("decode", 1), ("decode", 4), ("prefill", 1), ("ttft", 1), ("ttft", 4),
    ]  # fmt: skip
    ram, one = found.figures[:2]
    assert ram.measured == ram.now.value == 2e10
    assert 20 < one.measured <= 51
    assert one.ratio == pytest.approx(one.measured / one.predicted.value)
    assert abs(one.now.value / one.measured - 1) < abs(one.predicted.value / one.measured - 1)
    assert one.now.high / one.now.low < one.predicted.high / one.predicted.low
    assert one.now.basis == "measured_here"
    assert known.bandwidth(found.machine.processor) == 2e10
    assert len(known.current()) == len(found.learnt.kept) == 6


def test_the_next_answer_knows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = api.assess(plan(None)).speed
    with serving(FakeChat(first=0.3, gap=0.02)) as fake:
        monkeypatch.setattr(calibration, "Server", fake_server(fake))
        calibrate(plan, quick=True)
    after = api.assess(plan(None)).speed
    assert after is not None
    assert after.decode_each.basis == "measured_here"
    assert before is None or before.decode_each.basis == "assumed"


def test_what_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(FakeChat(first=0.0001, gap=0.0)) as fake:
        monkeypatch.setattr(calibration, "Server", fake_server(fake))
        found = calibrate(plan, quick=True)
    assert {r.row.quantity for r in found.learnt.refused} >= {"decode"}
    assert all("times as fast as predicted" in str(r.why) for r in found.learnt.refused)


def test_an_early_end_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = BenchResult("", "m", "2026-11-29T00:00:00Z", (), interrupted=True)
    monkeypatch.setattr(calibration, "_measured", lambda *a: (ended, 0.1))
    found = calibrate(plan, quick=True)
    assert found.interrupted
    assert known.current() == ()


def test_a_crowded_ram_is_not_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy computer copied 7.3 GB/s, and every later plan believed it."""
    monkeypatch.setattr(calibration, "busy_cores", lambda: float(os.cpu_count() or 1))
    monkeypatch.setattr(calibration, "ram_bandwidth", lambda cores, seconds: 11e9)
    with serving(FakeChat(first=0.3, gap=0.02)) as fake:
        monkeypatch.setattr(calibration, "Server", fake_server(fake))
        found = calibrate(plan, quick=True)
    assert not found.learnt.kept
    ram = found.figures[0]
    assert (ram.quantity, ram.measured) == ("bandwidth", 11e9)
    assert ram.now == ram.predicted
    assert known.bandwidth(found.machine.processor) is None


def test_a_server_that_ended_is_named_rather_than_its_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while it was measured: "Nobody listens" would send people to a port that they never chose."""

    class Dead:
        url, key, alive = "http://127.0.0.1:1", None, False

        def __enter__(self) -> Dead:
            return self

        def __exit__(self, *raised: object) -> None: ...

        def check(self) -> None:
            raise ServerError("The server was killed.")

    def refused(*given: object) -> None:
        raise ServerError("Nobody listens at {url}.", url=Dead.url)

    monkeypatch.setattr(calibration.Server, "of", lambda *given: Dead())
    monkeypatch.setattr(calibration, "_loaded", refused)
    with pytest.raises(ServerError, match=r"The server was killed\."):
        calibration._measured(None, (), Limits(1.0), Onlooker())  # type: ignore[arg-type]
