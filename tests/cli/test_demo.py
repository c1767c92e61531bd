"""gyakusan demo: every act with the real small model; the memory is judged, the answers and the speeds are not."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from gyakusan.cli import demo, main
from gyakusan.learning import known, store
from gyakusan.load_testing import calibration, conditions
from gyakusan.load_testing.workload import Shape, Step

pytestmark = pytest.mark.skipif(find_spec("xllamacpp") is None, reason="needs the serve extra")


@pytest.fixture(autouse=True)
def _short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(demo, "SECONDS", 2.0)
    monkeypatch.setattr(demo, "LOADS", (1, 2))
    monkeypatch.setattr(calibration, "QUICK", (Step(Shape(32, 8), users=1),))
    monkeypatch.setattr(calibration, "QUICK_SECONDS", 2.0)


def _idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody else keep this computer busy: of a crowded one nothing is learned, and tests run side by side."""
    monkeypatch.setattr(calibration, "busy_cores", lambda: 0.0)
    monkeypatch.setattr(conditions, "OtherPrograms", Alone)
    monkeypatch.setattr(calibration, "OtherPrograms", Alone)


class Alone:
    """Other programs that do nothing."""

    cores = 0.0

    def __init__(self, *of: object) -> None:
        pass


def test_every_act_in_japanese(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(known.SWITCH)
    _idle(monkeypatch)
    assert main(["demo", "--lang", "ja"]) == 0
    told = capsys.readouterr().out
    assert all(f"> {q}" in told for q in demo.PROMPTS["ja"])
    assert not any(q in told for q in demo.PROMPTS["en"])
    assert "RAM帯域幅(GB/s)" in told
    memory = re.search(r"メモリ\(MiB\).*?([+-]?[\d.]+) ?%", told)
    assert memory is not None
    assert abs(float(memory[1])) <= 1
    assert "停止しました。" in told
    assert any(r.quantity == "bandwidth" for r in store.read())


def test_switched_off_it_learns_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "LOADS", (1,))
    assert main(["demo"]) == 0
    told = capsys.readouterr().out
    assert "This computer, measured" not in told
    assert "6. Loaded with 1, 4 and 8 people" in told
    assert store.read() == ()


def test_ctrl_c_while_it_measures_ends_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    from gyakusan.load_testing.result import BenchResult

    monkeypatch.delenv(known.SWITCH)
    ended = BenchResult("", "m", "2026-11-29T00:00:00Z", (), interrupted=True)
    monkeypatch.setattr(calibration, "_loaded", lambda *a: (ended, None))
    assert main(["demo"]) == 130


def test_ctrl_c_while_it_is_loaded_ends_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """A load that was ended early gave the exit code of a demo that was right or wrong."""
    from gyakusan.load_testing.result import BenchResult

    ended = BenchResult("", "m", "2026-11-29T00:00:00Z", (), interrupted=True)
    monkeypatch.setattr(demo, "_loaded", lambda *a: ended)
    assert main(["demo"]) == 130
