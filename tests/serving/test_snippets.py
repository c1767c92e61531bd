"""Each text is what its program reads: run, parsed, or compared with its documented form. None holds a key."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.fakes.fake_chat_server import fake_chat

import gyakusan
from gyakusan.serving.access import KEY_VARIABLE
from gyakusan.serving.conversation import Stream, models_at
from gyakusan.serving.endpoints import Endpoint
from gyakusan.serving.snippets import PROGRAMS, Snippet, key_command, snippets

KEY = "s3cret-s3cret-s3cret"
ODD = 'it\'s a "model" $HOME `x`'


def texts(endpoint: Endpoint, model: str = "smol") -> dict[str, Snippet]:
    return {s.program: s for s in snippets(endpoint, model)}


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "the key"
    path.write_text(KEY + "\n")
    return path


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_works_as_pasted(key_file: Path, keyed: bool) -> None:
    with fake_chat(key=KEY if keyed else "") as server:
        line = texts(Endpoint("", server.base, key_file if keyed else None), ODD)["curl"].text
        done = subprocess.run(["sh", "-c", line], check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["choices"][0]["message"]["content"].startswith("Hello")
        assert server.asked[0]["model"] == ODD
        assert "\n" not in line


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_and_the_conversation_work_with_a_real_server(smollm2: Path, key_file: Path) -> None:
    """llama.cpp's own server, behind a key. Words are not asserted."""
    key_file.chmod(0o600)
    with gyakusan.serve(str(smollm2), context=512, key_file=key_file) as server:
        (name, *_) = models_at(server.url, KEY)
        line = texts(Endpoint("", server.url, key_file), name)["curl"].text
        done = subprocess.run(["sh", "-c", line], check=False, capture_output=True, text=True, timeout=120)
        assert json.loads(done.stdout)["usage"]["completion_tokens"] > 0, done.stderr
        stream = Stream(server.url, [{"role": "user", "content": "Hi"}], KEY, model=name, max_tokens=8)
        pieces = list(stream)
        found = stream.spoken()
        assert found.counted
        assert 0 < found.completion_tokens <= 8
        assert "".join(p.text for p in pieces) == found.text


def test_the_python_text_runs_with_openais_client(key_file: Path) -> None:
    pytest.importorskip("openai")
    with fake_chat(key=KEY) as server:
        text = texts(Endpoint("", server.base, None, KEY))["openai-python"].text
        environment = {"GYAKUSAN_API_KEY": KEY, "PATH": "", "NO_PROXY": "*"}
        done = subprocess.run(
            [sys.executable, "-c", text], check=False, capture_output=True, text=True, env=environment, timeout=120
        )
        assert done.stdout.startswith("Hello, world"), done.stderr


def test_the_python_text_names_what_openais_client_takes(key_file: Path) -> None:
    """Also where the client is not installed: base_url and api_key of OpenAI, model and messages of create."""
    calls = [
        n
        for n in ast.walk(ast.parse(texts(Endpoint("", "http://x/v1"), ODD)["openai-python"].text))
        if isinstance(n, ast.Call)
    ]
    named = {ast.unparse(c.func): [k.arg for k in c.keywords] for c in calls}
    assert named["OpenAI"] == ["base_url", "api_key"]
    assert named["client.chat.completions.create"] == ["model", "messages"]


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_the_javascript_text_is_a_module(tmp_path: Path, key_file: Path) -> None:
    """Run against a stand-in for the package, which prints what it is given."""
    package = tmp_path / "node_modules" / "openai"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"name": "openai", "type": "module", "exports": "./index.js"}')
    (package / "index.js").write_text(
        "export default class { constructor(o) { this.chat = { completions: { create: async (b) => ({ choices: "
        "[{ message: { content: JSON.stringify([o, b]) } }] }) } } } }"
    )
    found = texts(Endpoint("", "http://127.0.0.1:1/v1", None, KEY), ODD)["openai-js"]
    (tmp_path / found.place).write_text(found.text)
    environment = {"GYAKUSAN_API_KEY": KEY}
    node = shutil.which("node")
    assert node is not None
    done = subprocess.run(
        [node, found.place], cwd=tmp_path, check=False, capture_output=True, text=True, env=environment, timeout=60
    )
    options, body = json.loads(done.stdout)
    assert options == {"baseURL": "http://127.0.0.1:1/v1", "apiKey": KEY}
    assert (body["model"], body["messages"][0]["role"]) == (ODD, "user")


def test_continue_reads_its_file() -> None:
    found = yaml.safe_load(texts(Endpoint("", "http://127.0.0.1:1/v1", None, KEY), ODD)["continue"].text)
    assert {"name", "version", "schema", "models"} == set(found)
    assert found["schema"] == "v1"
    assert found["models"] == [
        {
            "name": ODD, "provider": "openai", "model": ODD, "apiBase": "http://127.0.0.1:1/v1",
            "apiKey": "${{ secrets.GYAKUSAN_API_KEY }}", "roles": ["chat", "edit", "apply"],
        }
    ]  # fmt: skip


def test_open_webui_is_told_by_its_variables(key_file: Path) -> None:
    here = texts(Endpoint("", "http://127.0.0.1:8080/v1", key_file))["open-webui"].text
    assert here.startswith(f"OPENAI_API_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=\"$(cat '{key_file}')\" uvx ")
    assert " --host 127.0.0.1 " in here
    away = texts(Endpoint("", "http://192.168.1.20:8080/v1"))["open-webui"].text
    assert away.startswith("docker run -d -p 127.0.0.1:3000:8080 ")
    assert "-e OPENAI_API_BASE_URL=http://192.168.1.20:8080/v1 -e OPENAI_API_KEY=none " in away


def test_cline_has_four_fields() -> None:
    lines = texts(Endpoint("", "http://127.0.0.1:1/v1"), "smol")["cline"].text.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["API Provider", "Base URL", "API Key", "Model ID"]
    assert [line.partition(":")[2].strip() for line in lines] == [
        "OpenAI Compatible",
        "http://127.0.0.1:1/v1",
        "none",
        "smol",
    ]


@pytest.mark.parametrize("in_file", [True, False])
def test_the_way_to_the_key_works_as_pasted_for_every_program(key_file: Path, tmp_path: Path, in_file: bool) -> None:
    """Neither a path nor a variable stands where a program's settings take the key itself."""
    endpoint = Endpoint("", "http://127.0.0.1:1/v1", key_file if in_file else None, None if in_file else KEY)
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", **({} if in_file else {KEY_VARIABLE: KEY})}
    seen = {}
    for program, one in texts(endpoint).items():
        command = key_command(endpoint, one.key)
        reads = f"$(cat '{key_file}')" if in_file else f"${KEY_VARIABLE}"
        seen[program] = bool(command) or reads in one.text or KEY_VARIABLE in one.text
        shell = f'{command}; printf %s "${KEY_VARIABLE}"' if one.key == "variable" and in_file else command
        done = subprocess.run(["sh", "-c", shell], check=True, capture_output=True, text=True, env=environment)
        if command:
            told = (tmp_path / ".continue" / ".env").read_text() if one.key == "secret" else done.stdout
            assert told.strip() == (f"{KEY_VARIABLE}={KEY}" if one.key == "secret" else KEY), program
    assert seen == dict.fromkeys(PROGRAMS, True)
    assert str(key_file) not in texts(endpoint)["cline"].text
    assert "(paste the key)" in texts(endpoint)["cline"].text
    assert (tmp_path / ".continue" / ".env").stat().st_mode & 0o777 == 0o600


def test_a_server_without_a_key_needs_no_way_to_it() -> None:
    endpoint = Endpoint("", "http://127.0.0.1:1/v1")
    assert {key_command(endpoint, s.key) for s in texts(endpoint).values()} == {""}


def test_no_text_holds_the_key(key_file: Path) -> None:
    for endpoint in (Endpoint("", "http://x/v1", key_file, KEY), Endpoint("", "http://x/v1", None, KEY)):
        found = texts(endpoint)
        assert tuple(found) == PROGRAMS
        assert [p for p, s in found.items() if KEY in s.text] == []


def test_a_japanese_reader_gets_a_japanese_question_and_a_japanese_place_for_the_key() -> None:
    found = {s.program: s.text for s in snippets(Endpoint("", "http://127.0.0.1:8080/v1", key="k"), "m", "ja")}
    assert all("一文で挨拶してください。" in found[p] for p in ("curl", "openai-python", "openai-js"))
    assert "(キーを貼り付ける)" in found["cline"]


def test_a_model_is_asked_in_a_language_that_it_speaks() -> None:
    """SmolLM2 speaks English only, and was asked in Japanese on a Japanese screen."""
    endpoint = Endpoint("office", "http://127.0.0.1:8080/v1")
    asked = {
        name: next(s.text for s in snippets(endpoint, name, "ja") if s.program == "curl")
        for name in (
            "smollm2-135m",
            "SmolLM2-135M-Instruct.Q4_1",
            "SmolLM2-135M-Instruct-GGUF:Q8_0",
            "qwen3-8b",
            "mine",
        )
    }
    assert {name for name, text in asked.items() if "Say hello" in text} == set(list(asked)[:3])
