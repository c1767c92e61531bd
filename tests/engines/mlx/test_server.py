"""MLX-LM's server under our supervisor, with a fake of MLX-LM: key, one model, readiness, failures. Loopback only."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import tiny

from gyakusan.engines.mlx import launch, log, log_errors
from gyakusan.engines.mlx import server as mlx
from gyakusan.engines.mlx.settings import Settings
from gyakusan.engines.server import Endpoint
from gyakusan.errors import BadReference, BadSetting, GyakusanError, ServerError
from gyakusan.serving.chat import chat
from gyakusan.serving.server import Server, ServerOptions

KEY = "a-key-that-nobody-else-has-0123"
FAKE = Path(__file__).parents[2] / "fakes" / "fake_mlx"
pytestmark = pytest.mark.skipif(not sys.platform.startswith(("linux", "darwin")), reason="POSIX processes")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "Small-1.5B"
    made.mkdir()
    (made / "config.json").write_bytes(tiny.config())
    (made / "tokenizer_config.json").write_text("{}")
    (made / "model.safetensors").write_bytes(tiny.safetensors({"a": ("BF16", [2], 4)}))
    return made


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The fake's mlx_lm.server on PATH, in a folder with its Python."""
    place = tmp_path / "bin"
    place.mkdir()
    (place / "mlx_lm.server").write_text("#!/bin/sh\nexit 1\n")
    (place / "mlx_lm.server").chmod(0o755)
    (place / "python3").write_text(f'#!/bin/sh\nPYTHONPATH={FAKE} exec {sys.executable} "$@"\n')
    (place / "python3").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    return place / "mlx_lm.server"


def prepared(folder: Path, **options: Any) -> Server[Settings, log.Reported]:
    return Server(
        folder,
        Settings(512, prompt_cache_size=2),
        mlx,  # type: ignore[arg-type]
        ServerOptions(**{"program": "mlx_lm.server", "key": KEY, "deadline": 60.0, **options}),
    )


@pytest.fixture
def running(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server[Settings, log.Reported]]:
    monkeypatch.setenv("HF_TOKEN", "hf_secret_of_somebody")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody")
    with prepared(folder) as server:
        yield server


def asked(url: str, body: dict[str, Any] | None = None, key: str | None = KEY) -> Any:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=20) as answer:
        return json.load(answer)


def test_nobody_gets_in_without_the_key_and_every_request_gets_the_one_model(
    running: Server[Settings, log.Reported],
) -> None:
    base = running.url.removesuffix("/v1")
    for key in (None, "another-key-0123456"):
        for path, body in (("/v1/models", None), ("/v1/completions", {"prompt": "1"})):
            with pytest.raises(urllib.error.HTTPError, match="401"):
                asked(base + path, body, key)
    assert [m["id"] for m in asked(f"{base}/v1/models")["data"]] == ["Small-1.5B"]
    body = {"model": "someone/else", "adapters": "/etc", "messages": []}
    assert asked(f"{base}/v1/chat/completions", body)["choices"][0]["message"]["content"] == "default_model"
    assert chat(running.url, "Hi", 1, KEY).completion_tokens == 1
    assert running.report.version == "0.0.2"


def test_its_environment_and_its_command_line(running: Server[Settings, log.Reported], folder: Path) -> None:
    told = asked(running.url.replace("/v1", "/health"), None, None)
    assert "HF_TOKEN" not in told["environment"]
    assert "OPENAI_API_KEY" not in told["environment"]
    assert told["environment"]["HF_HUB_OFFLINE"] == "1"
    assert KEY not in json.dumps(told)
    words = told["argv"][1:]
    assert words[: words.index("--host")] == ["--model", str(folder)]
    assert words[-2:] == ["--prompt-cache-size", "2"]
    assert running.command.startswith(f"mlx_lm.server --model {folder} --host 127.0.0.1 --port ")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("model", r"did not start.*does not support the architecture rwkv9.*pip install --upgrade mlx-lm"),
        ("memory", r"did not start.*ran out of memory.*shorter context"),
        ("token", r"gives no token: it answers 500, .*no thread"),
    ],
)
def test_why_it_did_not_start(folder: Path, monkeypatch: pytest.MonkeyPatch, wrong: str, says: str) -> None:
    monkeypatch.setenv("FAKE_MLX", wrong)
    server = prepared(folder)
    with pytest.raises(ServerError, match=says):
        server.start()
    assert not server.alive


def test_a_taken_port_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_MLX", "port")
    with pytest.raises(ServerError, match=r"port is in use.*--port"):
        prepared(folder, port=18999).start()


def test_a_folder_that_is_none(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(BadReference, match=r"folder .* does not exist"):
        prepared(tmp_path / "gone").start()
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(ServerError, match=r"lacks tokenizer_config\.json.*gyakusan get"):
        prepared(folder).start()
    (folder / "model.safetensors").write_bytes(b"short")
    with pytest.raises(ServerError, match="did not start"):
        prepared(folder).start()


def test_no_threads(folder: Path) -> None:
    with pytest.raises(BadSetting, match="Leave out --threads"):
        prepared(folder, threads=2).start()


def test_where_it_is(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "find_spec", lambda name: object())
    assert mlx.find_program("auto") == "mlx_lm"
    assert launch.interpreter("mlx_lm") == sys.executable
    monkeypatch.setattr(launch, "find_spec", lambda name: None)
    assert mlx.find_program("auto") == str(program)
    assert launch.interpreter(str(program)) == str(program.with_name("python3"))
    alone = tmp_path / "mlx_lm.server"
    alone.write_text("#!/opt/x/bin/python3.12\nimport mlx_lm\n")
    assert launch.interpreter(str(alone)) == "/opt/x/bin/python3.12"
    alone.write_text("#!/bin/sh\nexit\n")
    with pytest.raises(ServerError, match="pip install 'gyakusan"):
        launch.interpreter(str(alone))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ServerError, match="pip install 'gyakusan"):
        mlx.find_program("auto")

    def broken(name: str) -> None:
        raise ValueError(name)

    monkeypatch.setattr(launch, "find_spec", broken)
    assert not launch.is_installed_here()


def test_lines_of_the_log() -> None:
    line = "2026-11-29 10:57:30,585 - INFO - Starting httpd at 127.0.0.1 on port 18390..."
    assert log.listens(line, 18390)
    assert not log.listens(line, 1839)
    assert log.works("2026-11-29 10:57:39,833 - INFO - Prompt processing progress: 1/1")
    assert not log.works(line)
    assert not log.gave_up(line)
    told = log.read(["gyakusan: MLX-LM 0.32.2, MLX 0.32.4"])
    assert (told.version, told.build, told.buffers) == ("0.32.2", None, ())
    assert mlx.predicted_buffers(None, Settings(1)) == ()  # type: ignore[arg-type]
    assert mlx.device_family("CPU") == "cpu"
    assert mlx.title("mlx_lm") == "MLX-LM"
    with pytest.raises(ServerError, match=r"--engine llama\.cpp"):
        mlx.dry_run(None, Settings(1))  # type: ignore[arg-type]
    assert log_errors.start_failure([line]) is None


def test_a_shell_line_has_no_key(folder: Path) -> None:
    line = mlx.shell_line(folder, Settings(512), Endpoint(key=KEY))
    assert line == f"mlx_lm.server --model {folder} --host 127.0.0.1 --port 8080"


def test_errors_are_ours(folder: Path) -> None:
    assert mlx.model_error(folder) is None
    (folder / "config.json").unlink()
    assert isinstance(mlx.model_error(folder), GyakusanError)
