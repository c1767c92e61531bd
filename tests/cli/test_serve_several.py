"""gyakusan serve A B: several models behind one address, with a stand-in for llama-server's router. Loopback only."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from tests.documents.valid import valid
from tests.fakes import fake_router
from tests.serving.certificates import made
from tests.serving.conftest import smollm2

from gyakusan.cli import main
from gyakusan.serving import running_servers

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
Captured = pytest.CaptureFixture[str]
__all__ = ["smollm2"]


@pytest.fixture(scope="module")
def copies(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("models")
    names = folder / "alpha.gguf", folder / "beta.gguf"
    for name in names:
        shutil.copy(smollm2, name)
    return str(names[0]), str(names[1])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    fake_router.install(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield tmp_path
    for entry in running_servers.running():
        running_servers.stop(entry)


def serve(copies: tuple[str, str], *options: str) -> int:
    return main(["serve", *copies, "--cpu", "--context", "1k", "--users", "2", "--port", "0", *options])


def test_what_would_be_started_can_be_pasted(copies: tuple[str, str], home: Path, capsys: Captured) -> None:
    assert serve(copies, "--dry-run") == 0
    out = capsys.readouterr().out
    assert "All 2 are loaded together" in out
    assert "--models-max 2" in out
    begun = out.index("cat > gyakusan-models.ini <<'EOF'")
    script = out[begun : out.index("EOF\n", begun + 40) + 4]
    subprocess.run(["sh", "-c", script], cwd=home, check=True)
    assert (home / "gyakusan-models.ini").read_text().count("model = ") == 2
    assert serve(copies, "--dry-run", "--json", "--models-max", "1") == 0
    told = valid(json.loads(capsys.readouterr().out))
    assert told["preset"].startswith(f"[alpha]\nmodel = {copies[0]}\n")
    assert told["models_max"] == 1
    assert [(m["name"], m["users"], m["context"]) for m in told["models"]] == [("alpha", 2, 1024), ("beta", 2, 1024)]
    assert "--models-max 1 " in " ".join(told["command"]) + " "
    assert serve(copies, "--dry-run", "--models-max", "1") == 0
    assert "One is loaded at a time: the largest, alpha, takes up to 0.3" in capsys.readouterr().out


def test_files_that_are_not_here_are_said_and_the_rest_is_shown(copies: tuple[str, str], capsys: Captured) -> None:
    assert main(["serve", copies[0], "qwen3-4b", "--cpu", "--context", "1k", "--dry-run", "--lang", "en"]) == 1
    told = capsys.readouterr()
    assert "are not on this computer. Fetch them: gyakusan get qwen3-4b" in told.err
    assert f"model = {copies[0]}" in told.out
    assert "not-fetched/qwen3-4b.gguf" in told.out


def test_what_is_refused(copies: tuple[str, str], capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["serve", "smollm2", "--models-max", "2"]) == 2
    assert "--models-max is for several models." in capsys.readouterr().err
    assert serve(copies, "--engine", "mlx", "--anyway", "--dry-run") == 2
    assert serve(copies, "--models-max", "0") == 2
    assert serve((copies[0], "gone.gguf")) == 2
    capsys.readouterr()
    assert main(["serve", *copies, "--cpu", "--context", "8k", "--users", "900"]) == 1
    assert "It fits with --context" in capsys.readouterr().err
    monkeypatch.setenv("FAKE_ROUTER_OPEN", "1")
    assert serve(copies, "--once") == 3
    assert "answer without a key" in capsys.readouterr().err
    monkeypatch.delenv("FAKE_ROUTER_OPEN")
    monkeypatch.setenv("FAKE_ROUTER_BROKEN", "alpha")
    assert serve(copies, "--once") == 3
    assert "it answers 500" in capsys.readouterr().err


def test_once(copies: tuple[str, str], home: Path, capsys: Captured) -> None:
    assert serve(copies, "--once", "--models-max", "1") == 0
    out = capsys.readouterr().out
    assert "2 models answer 2 people at http://127.0.0.1:" in out
    assert "A request for another unloads" in out
    assert "alpha  kv_cache  host" in out
    assert '"model": "alpha"' in out
    assert serve(copies, "--once", "--json") == 0
    told = valid(json.loads(capsys.readouterr().out))
    assert {(b["model"], b["kind"]) for b in told["buffers"] if b["error_bytes"] is not None} == {
        (model, kind) for model in ("alpha", "beta") for kind in ("weights", "kv_cache")
    }
    assert [m["name"] for m in told["models"]] == ["alpha", "beta"]
    assert list((home / "state" / "gyakusan" / "presets").iterdir()) == []


def test_in_the_background(copies: tuple[str, str], home: Path, capsys: Captured) -> None:
    assert serve(copies, "--detach", "--models-max", "1") == 0
    assert "2 models answer 2 people at" in capsys.readouterr().out.replace("\xa0", " ")
    entry = running_servers.find_running("models")
    assert (entry.models_max, [m.name for m in entry.models]) == (1, ["alpha", "beta"])
    assert main(["ps"]) == 0
    assert "2 models" in capsys.readouterr().out
    assert main(["status"]) == 0
    out = capsys.readouterr().out
    assert "1 of 2 at a time" in out
    assert "2 people x 1,024 tokens" in out
    assert main(["status", "--json"]) == 0
    (told,) = valid(json.loads(capsys.readouterr().out))["servers"]
    assert (told["models_max"], [m["name"] for m in told["models"]]) == (1, ["alpha", "beta"])
    with httpx2.Client(base_url=entry.url.removesuffix("/v1"), trust_env=False) as client:
        listed = client.get("/v1/models").json()["data"]
        assert [(m["id"], m["status"]) for m in listed] == [
            ("alpha", {"value": "loaded"}),
            ("beta", {"value": "unloaded"}),
        ]
        assert "/" not in json.dumps(listed)
        assert client.get("/props").json().get("model_path") is None
        assert client.post("/v1/completions", json={"model": "beta"}).status_code == 200
        assert client.get("/v1/models").json()["data"][1]["status"] == {"value": "loaded"}
        for model, status in ((None, 400), ("", 400), ("cached/other", 404), (["alpha"], 404)):
            told = client.post("/v1/completions", json={"model": model})
            assert told.status_code == status
            assert "alpha, beta" in told.json()["error"]["message"]
    assert main(["logs", "models"]) == 0
    assert "spawning server instance with name=beta" in capsys.readouterr().out
    assert main(["stop"]) == 0
    assert running_servers.running() == ()


def test_over_https(copies: tuple[str, str], home: Path, capsys: Captured) -> None:
    """People see https; programs of gyakusan on this computer use a port in clear."""
    certificate, key = made(home, "good")
    assert serve(copies, "--tls-cert", str(certificate)) == 2
    assert "Give both" in capsys.readouterr().err
    key.chmod(0o644)
    assert serve(copies, "--tls-cert", str(certificate), "--tls-key", str(key)) == 2
    assert "chmod 600" in capsys.readouterr().err
    key.chmod(0o600)
    assert serve(copies, "--detach", "--tls-cert", str(certificate), "--tls-key", str(key)) == 0
    entry = running_servers.find_running("models")
    assert entry.url.startswith("https://127.0.0.1:")
    assert entry.local_url.startswith("http://127.0.0.1:")
    assert entry.url in capsys.readouterr().out
    assert main(["connect", "--curl"]) == 0
    line = capsys.readouterr().out
    assert f"curl -sS --cacert {certificate} {entry.url}/chat/completions" in line
    context = ssl.create_default_context(cafile=certificate)
    with httpx2.Client(verify=context, trust_env=False) as client:
        told = client.post(f"{entry.url}/completions", json={"model": "beta"})
        assert told.json()["model"] == "beta"
    assert main(["connect", "--json"]) == 0
    assert valid(json.loads(capsys.readouterr().out))["url"] == entry.url
    assert main(["watch", "--once", "--json", "--every", "0.1s"]) == 0
    if shutil.which("curl"):
        assert "prompt_tokens" in subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout


def test_a_unit_has_every_model(
    copies: tuple[str, str], home: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    assert serve(copies, "--systemd") == 0
    unit = (home / "config" / "systemd" / "user" / "gyakusan-models.service").read_text()
    assert all(path in unit for path in copies)
    assert "--name" in unit
