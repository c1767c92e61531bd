"""gyakusan serve --rpc: what is refused, and what would be started. Servers that compute: tests/serving/test_real_servers.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.documents.valid import valid
from tests.fakes import fake_workers

from gyakusan.cli import main
from gyakusan.serving import workers

SERVE = ["serve", "smollm2", "--context", "512", "--threads", "1"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return fake_workers.installed(tmp_path / "bin", monkeypatch)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rpc", "192.0.2.1:50052"], "has no password and no encryption"),
        (["--set", "rpc=192.0.2.1:50052", "--device", "RTX 4090"], "--rpc-unprotected"),
        (["--rpc", "ssh:-oProxyCommand=id"], "is no RPC worker"),
        (["--rpc", "127.0.0.1", "--engine", "ollama"], "Ollama has no RPC workers"),
        (["--rpc", "127.0.0.1", "--cpu"], "Leave out --cpu"),
        (["qwen3-8b", "--rpc", "127.0.0.1"], "--rpc is for one model"),
        (["smollm2", "--set", "rpc=192.0.2.1:50052", "--device", "RTX 4090"], "--rpc-unprotected"),
    ],
)
def test_what_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SERVE, *words, "--dry-run"]) == 2
    assert said in capsys.readouterr().err


def test_several_models_take_workers_elsewhere_on_purpose(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(workers, "check_workers", lambda _asked, *, unprotected: seen.append(unprotected))
    main([*SERVE, "smollm2", "--set", "rpc=192.0.2.1:50052", "--device", "RTX 4090", "--rpc-unprotected", "--dry-run"])
    assert seen == [True, True]
    assert "no password" not in capsys.readouterr().err


def test_nothing_listens_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SERVE, "--rpc", "127.0.0.1:1", "--once"]) == 3
    assert "Start it on its computer: ggml-rpc-server --host 127.0.0.1 --port 1" in capsys.readouterr().err


def test_a_worker_elsewhere_is_asked_only_on_purpose(capsys: pytest.CaptureFixture[str]) -> None:
    """box.invalid is no name of anybody: it is looked up, and not refused."""
    assert main([*SERVE, "--rpc", "box.invalid:1", "--rpc-unprotected", "--dry-run"]) == 3
    assert "No RPC worker can be reached at box.invalid:1" in capsys.readouterr().err


def test_what_would_be_started(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SERVE, "--rpc", "ssh:me@box", "--dry-run", "--json"]) == 0
    told = valid(json.loads(capsys.readouterr().out))
    (ssh,) = told["workers"]
    assert ssh[0] == "ssh"
    assert ssh[-3:-1] == ["--", "me@box"]
    forward = ssh[ssh.index("-L") + 1]
    assert told["command"][told["command"].index("--rpc") + 1] == forward.rpartition(":127.0.0.1:")[0]
    assert main([*SERVE, "--rpc", "ssh:me@box", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "ExitOnForwardFailure=yes" in out
    assert out.index("ssh -T") < out.index("stays in the foreground") < out.index("llama-server -")
    assert main([*SERVE, "--dry-run"]) == 0
    assert "foreground" not in capsys.readouterr().out
    assert not fake_workers.processes(folder / "fake_ssh.py")


def test_why_a_server_in_the_background_has_no_worker(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SSH_SAYS", "me@box: Permission denied (publickey).")
    assert main([*SERVE, "--rpc", "ssh:me@box", "--detach"]) == 3
    assert "me@box refuses the login." in capsys.readouterr().err
    assert main(["ps", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["servers"] == []
