"""serve --systemd: a unit that systemd reads, with the command that was typed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gyakusan.cli import main, unit

SERVE = ("serve", "smollm2", "--cpu", "--context", "512", "--systemd")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="systemd")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "systemd" / "user"


def test_a_unit_is_written_and_nothing_is_started(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SERVE, "--allow-host", "100%.example"]) == 0
    out = capsys.readouterr().out
    assert "systemctl --user enable --now gyakusan-smollm2.service" in out
    text = (folder / "gyakusan-smollm2.service").read_text()
    start = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    assert "-P -m gyakusan serve --name smollm2 smollm2 --cpu --context 512 --allow-host 100%%.example" in start
    assert "--systemd" not in text
    assert "Restart=on-failure" in text
    if shutil.which("systemd-analyze"):
        command = ["systemd-analyze", "verify", "--man=no", str(folder / "gyakusan-smollm2.service")]
        told = subprocess.run(command, capture_output=True, check=False, timeout=60)
        assert "gyakusan-smollm2.service" not in told.stderr.decode()
    assert main(list(SERVE)) == 2
    assert "exists already" in capsys.readouterr().err
    assert main([*SERVE, "--name", "second"]) == 0
    assert "--name second" in (folder / "gyakusan-second.service").read_text()
    assert main([*SERVE, "--name=third"]) == 0
    assert (folder / "gyakusan-third.service").read_text().count("--name") == 1


def test_what_systemd_refuses_is_not_left_behind(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit, "check", lambda file: "Unknown key 'Foo'")
    assert main(list(SERVE)) == 3
    assert "systemd refuses the unit: Unknown key 'Foo'" in capsys.readouterr().err
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_the_check_finds_an_unknown_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x.service"
    file.write_text("[Service]\nExecStart=/bin/true\nFoo=1\n")
    assert "Foo" in unit.check(file)
    file.write_text("[Service]\nExecStart=/bin/true\n")
    assert unit.check(file) == ""
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert unit.check(file) == ""


def test_where_no_unit_can_be(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("a file")
    assert main(list(SERVE)) == 3
    assert "XDG_CONFIG_HOME" in capsys.readouterr().err
    assert main([*SERVE, "--detach"]) == 2
    assert "--detach --systemd were given together" in capsys.readouterr().err
    monkeypatch.setattr(sys, "platform", "darwin")
    assert main(list(SERVE)) == 2
    assert "has no systemd" in capsys.readouterr().err
