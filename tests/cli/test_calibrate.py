"""gyakusan calibrate: screens, documents and exit codes; and a short one with a real server."""

from __future__ import annotations

import json
import os
import platform
import re
import sqlite3
from contextlib import closing
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.documents.valid import valid
from tests.fakes.fake_load_server import FakeChat, serving
from tests.load_testing.test_calibration import fake_server, plan

import gyakusan
from gyakusan.cli import main
from gyakusan.errors import BadReference, BadSetting, SourceError
from gyakusan.learning import judge, known, store
from gyakusan.learning.rows import parsed
from gyakusan.load_testing import calibration
from gyakusan.load_testing.conditions import Conditions
from gyakusan.load_testing.learned_rows import learn
from gyakusan.load_testing.workload import Shape, Step
from gyakusan.python import calibrating


@pytest.fixture(autouse=True)
def _learning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv(known.SWITCH, raising=False)
    monkeypatch.setattr(calibration, "busy_cores", lambda: 0.1)
    monkeypatch.setattr(calibration, "OtherPrograms", lambda: SimpleNamespace(cores=0.1))
    monkeypatch.setattr(calibration, "observed_with", lambda port: lambda: Conditions(0.1, 2))
    monkeypatch.setattr(calibration, "ram_bandwidth", lambda cores, seconds: 2e10)
    monkeypatch.setattr(calibration, "QUICK_SECONDS", 2.4)
    monkeypatch.setattr(calibration, "QUICK", tuple(Step(Shape(128, 16), users=n) for n in (1, 4)))
    monkeypatch.setattr(calibrating, "_small_model", plan)


def test_a_calibration_its_export_and_import(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "here.json"
    monkeypatch.setattr(judge, "BEYOND", 9.0)  # beside other tests the fake's times are late
    assert main(["calibrate", "export", str(file)]) == 2
    with serving(FakeChat(first=0.25, gap=0.03)) as fake:
        monkeypatch.setattr(calibration, "Server", fake_server(fake))
        assert main(["calibrate", "--quick"]) == 0
        told = capsys.readouterr()
        assert "This takes about 40 s, longer on a slow or busy computer" in told.err
        assert "RAM, GB/s" in told.out
        assert "answer tokens/s         4     128" in told.out
        assert "Undo: gyakusan calibrate --forget" in told.out
        assert main(["inspect", "smollm2", "--device", "cpu"]) == 0
        assert "measured here" in " ".join(capsys.readouterr().out.split())
        assert main(["calibrate", "--quick", "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        valid(document)
        assert document["measurements"] == len(document["figures"]) == 6
        assert main(["calibrate", "--quick", "--lang", "ja"]) == 0
        assert "このコンピューター" in capsys.readouterr().out
    assert main(["calibrate", "export", str(file)]) == 0
    text = file.read_text("utf-8")
    assert [w for w in (platform.node(), str(tmp_path), "127.0.0.1", "word") if w and w in text] == []
    assert main(["calibrate", "--forget", "--json"]) == 0
    document = json.loads(capsys.readouterr().out.partition("\n{")[2].join(["{", ""]))
    valid(document)
    assert document["action"] == "forgotten"
    assert store.read() == ()
    assert main(["calibrate", "import", str(file)]) == 0
    assert "count a quarter" in " ".join(capsys.readouterr().out.split())
    kept = store.read()
    assert {r.origin for r in kept} == {"import"}
    assert {r.quantity for r in kept} == {"decode", "prefill", "ttft"}  # the RAM of another computer is not ours
    assert main(["calibrate", "import", str(file)]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "Nothing was kept. Not learned from: " in told
    assert "Not learned from: it is kept already." in told
    assert len(store.read()) == len(kept)


def test_beside_other_programs_nothing_is_learned_and_the_reason_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "observed_with", lambda port: lambda: Conditions(4.0, 4))  # it began later
    with serving(FakeChat(first=0.25, gap=0.03)) as fake:
        monkeypatch.setattr(calibration, "Server", fake_server(fake))
        assert main(["calibrate", "--quick"]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "other programs took 100 % of the cores" in told
    assert "Close them and repeat." in told
    assert re.search(r"plan with what was measured of the RAM: gyakusan plan --bandwidth [1-9]\d*GB/s", told)
    assert {r.quantity for r in store.read()} == {"bandwidth"}


def test_outliers_of_a_file_are_refused_with_their_reason(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "f.json"
    row = {"quantity": "decode", "device": "X", "engine": "llama.cpp", "cores": 8, "rules": known.rules()}
    row |= {"predicted": 10.0, "measured": 900.0, "date": date.today().isoformat()}
    file.write_text(json.dumps({"schema": "gyakusan/measurements/1", "rows": [row]}))
    assert main(["calibrate", "import", str(file)]) == 1
    assert "90 times as fast as predicted" in " ".join(capsys.readouterr().out.split())
    file.write_text("{}")
    assert main(["calibrate", "import", str(file)]) == 2
    assert "is not a file of measurements" in capsys.readouterr().err
    with pytest.raises(BadReference):
        gyakusan.calibrate_import(tmp_path / "none.json")


def importable(file: Path, *measured: float) -> Path:
    """Write a file of measurements that would be kept."""
    row = {"quantity": "decode", "device": "X", "engine": "llama.cpp", "cores": 8, "rules": known.rules()}
    row |= {"predicted": 10.0, "date": date.today().isoformat()}
    rows = [row | {"measured": m} for m in measured]
    file.write_text(json.dumps({"schema": "gyakusan/measurements/1", "rows": rows}))
    return file


def test_an_import_that_keeps_nothing_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = importable(tmp_path / "f.json")
    assert main(["calibrate", "import", str(file)]) == 1
    assert "Nothing was kept: the file has no measurements." in capsys.readouterr().out
    file = importable(tmp_path / "f.json", 11.0)
    document = json.loads(file.read_text())
    document["rows"][0] |= {"quantity": "bandwidth"}
    (tmp_path / "ram.json").write_text(json.dumps(document))
    assert main(["calibrate", "import", str(tmp_path / "ram.json")]) == 1
    assert "it is of the RAM of another computer" in capsys.readouterr().out
    assert main(["calibrate", "import", str(file)]) == 0
    assert "Kept 1 measurement of another computer; it counts" in capsys.readouterr().out


def test_a_pipe_is_no_file_of_measurements(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Opened as a file, it would wait for a writer for ever."""
    os.mkfifo(tmp_path / "fifo")
    assert main(["calibrate", "import", str(tmp_path / "fifo")]) == 2
    assert "fifo" in capsys.readouterr().err


def test_damaged_measurements_take_no_part_of_an_import(tmp_path: Path) -> None:
    store.add([])
    with closing(sqlite3.connect(store.path())) as db, db:
        db.execute("INSERT INTO row (date, device, engine, quantity, document) VALUES ('', '', '', '', x'00')")
    file = importable(tmp_path / "f.json", 11.0, 12.0)
    assert main(["calibrate", "import", str(file)]) == 3
    with pytest.raises(SourceError, match="cannot be read or written"):
        learn(parsed(file.read_bytes(), "f"))
    with closing(sqlite3.connect(store.path())) as db:
        assert db.execute("SELECT count(*) FROM row").fetchone() == (1,)
    assert gyakusan.calibrate(forget=True).to_dict()["measurements"] == 1
    assert main(["calibrate", "import", str(file)]) == 0
    assert len(store.read()) == 2


def test_an_import_that_cannot_be_kept_as_a_whole_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import msgspec

    real, calls = msgspec.json.encode, []

    def full(value: object) -> bytes:
        calls.append(value)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real(value)

    rows = parsed(importable(tmp_path / "f.json", 11.0, 12.0).read_bytes(), "f")
    monkeypatch.setattr(store.msgspec.json, "encode", full)
    with pytest.raises(SourceError, match="No space left"):
        learn(rows)
    assert store.read() == ()


def test_it_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(known.SWITCH, "off")
    with pytest.raises(BadSetting, match="switched off"):
        gyakusan.calibrate(quick=True)
    assert gyakusan.calibrate(forget=True).to_dict()["measurements"] == 0


def test_ctrl_c_says_that_nothing_is_kept(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from gyakusan.load_testing.result import BenchResult

    ended = BenchResult("", "m", "2026-11-29T00:00:00Z", (), interrupted=True)
    monkeypatch.setattr(calibration, "_measured", lambda *a: (ended, 0.1))
    assert main(["calibrate", "--quick"]) == 130
    assert "nothing was kept" in capsys.readouterr().out
    assert store.read() == ()


@pytest.mark.skipif(find_spec("xllamacpp") is None, reason="needs the serve extra")
def test_a_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "QUICK_SECONDS", 3.0)
    found = gyakusan.calibrate(quick=True)
    assert isinstance(found, calibrating.Calibrated)
    assert found.found.figures[0].quantity == "bandwidth"
    assert "SmolLM2" in found.found.model
    assert str(found)
