"""gyakusan doctor: a list for people, JSON for programs, and an exit code."""

from __future__ import annotations

import json

import pytest

from gyakusan.cli import main
from gyakusan.serving import checkup


def test_a_list_with_marks(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("xllamacpp")
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("This computer can serve models.")
    assert "\n+  llama.cpp" in text
    assert "catalogue" in text


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "gyakusan/doctor/1"
    assert found["can_serve"] is (code == 0)
    assert {c["state"] for c in found["checks"]} <= {"here", "note", "missing"}


def test_no_server(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    missing = checkup.Check("llama.cpp", "missing", "no", "pip install 'gyakusan[serve]'", serves=True)
    monkeypatch.setattr(checkup, "checkup", lambda: (missing,))
    assert main(["doctor"]) == 1
    assert "llama.cpp: pip install 'gyakusan[serve]'" in capsys.readouterr().out
