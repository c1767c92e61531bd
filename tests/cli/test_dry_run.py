"""`gyakusan serve --dry-run` checks what a start checks, says what a start would refuse, and starts and writes nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests.serving import certificates

from gyakusan.cli import main

SMALL = ("serve", "smollm2", "--cpu", "--context", "512", "--dry-run", "--lang", "en")


@pytest.fixture(autouse=True)
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return tmp_path


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    told = capsys.readouterr()
    return code, " ".join(told.out.split()), told.err


def test_a_certificate_is_checked_and_the_address_is_https(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    certificate, key = certificates.made(tmp_path, "box")
    pair = ("--tls-cert", str(certificate), "--tls-key", str(key))
    code, out, _ = asked(capsys, *SMALL, *pair, "--port", "9443")
    assert code == 0
    assert "gyakusan encrypts and answers at https://127.0.0.1:9443/v1" in out
    found = json.loads(asked(capsys, *SMALL, *pair, "--port", "9443", "--json")[1])
    assert found["url"] == "https://127.0.0.1:9443/v1"
    assert json.loads(asked(capsys, *SMALL, "--port", "9443", "--json")[1])["url"] == "http://127.0.0.1:9443/v1"
    open_one = asked(capsys, *SMALL, *pair, "--host", "0.0.0.0")[1]
    assert "unencrypted" not in open_one
    key.chmod(0o644)
    assert asked(capsys, *SMALL, *pair)[:2] == (2, "")


@pytest.mark.parametrize("more", [(), ("--json",), ("--systemd",), ("--detach",)])
def test_a_certificate_that_is_not_there_is_an_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, more: tuple[str, ...]
) -> None:
    pair = ("--tls-cert", str(tmp_path / "a.crt"), "--tls-key", str(tmp_path / "a.key"))
    code, out, err = asked(capsys, *SMALL, *pair, *more)
    assert code == 2
    assert "a.crt cannot be read" in err
    assert "llama-server" not in out
    assert "ExecStart" not in out


def test_what_is_open_in_clear_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert "unencrypted: people's prompts and keys pass in the clear" in asked(capsys, *SMALL, "--host", "0.0.0.0")[1]
    assert "unencrypted" not in asked(capsys, *SMALL)[1]


def test_what_a_start_would_refuse_is_said(capsys: pytest.CaptureFixture[str], homes: Path) -> None:
    file = homes / "office.toml"
    file.write_text(
        'device = "RTX 4090"\nfamilies = "gemma3"\nengine = "llama.cpp"\n'.replace("engine = ", "engines = ")
    )
    code, out, err = asked(capsys, "serve", str(file), "--dry-run", "--lang", "en")
    assert "llama-server" in out
    assert "is for" in err
    assert "this computer has" in err
    assert "The plan in" in err
    assert "are not on this computer. Fetch them: gyakusan get" in err
    assert "is for" not in asked(capsys, "serve", str(file), "--dry-run", "--anyway", "--lang", "en")[2]
    assert code == 1
    code, out, err = asked(capsys, "serve", "smollm2", "--cpu", "--context", "64k", "--dry-run", "--lang", "en")
    assert "was trained for 8,192 tokens" in err or "was trained for" in err
    assert code == 1
    assert "llama-server" in out
    assert asked(capsys, *SMALL)[0] == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="systemd")
def test_a_unit_is_printed_and_not_written(capsys: pytest.CaptureFixture[str], homes: Path) -> None:
    code, out, err = asked(capsys, *SMALL, "--systemd")
    assert code == 0, err
    assert "ExecStart=" in out
    assert "serve --name smollm2 smollm2 --cpu --context 512" in out
    assert "--dry-run" not in out
    assert not (homes / "xdg_config_home").exists()
    written = homes / "xdg_config_home" / "systemd" / "user" / "gyakusan-smollm2.service"
    written.parent.mkdir(parents=True)
    written.write_text("")
    code, _, err = asked(capsys, *SMALL, "--systemd")
    assert code == 2
    assert "exists already" in err


def test_a_dry_run_of_a_server_in_the_background(capsys: pytest.CaptureFixture[str]) -> None:
    for more in ("--detach", "--once"):
        code, out, _ = asked(capsys, *SMALL, more)
        assert code == 0
        assert "llama-server" in out


def test_files_that_nobody_publishes_are_said_to_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--device", "RTX 3060 12GB", "--model", "gemma4-26b-a4b-qat", "--engine", "llama.cpp")
    assert "Q2_K" in asked(capsys, "plan", *words)[1]
    code, out, err = asked(capsys, "serve", "1", "--dry-run", "--lang", "en")
    assert code == 1
    assert "llama-server" in out
    assert "Nobody is known to publish gemma4-26b-a4b-qat in Q2_K. Make it: hf download" in err
    assert "gyakusan get" not in err
    assert asked(capsys, "serve", "1", "--anyway", "--lang", "en")[0] == 2
