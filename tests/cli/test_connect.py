"""gyakusan connect, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.documents.valid import valid
from tests.fakes.fake_chat_server import fake_chat

from gyakusan.cli import main


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("GYAKUSAN_API_KEY", raising=False)


def test_texts_for_all_programs(capsys: pytest.CaptureFixture[str]) -> None:
    with fake_chat() as server:
        assert main(["connect", server.base]) == 0
        out = capsys.readouterr().out
        assert out.startswith(f"Programs reach it at {server.base}.")
        assert [
            t for t in ("curl -sS", "OpenAI(base_url", "new OpenAI", "uvx", "schema: v1", "Model ID") if t not in out
        ] == []
        assert main(["connect", server.base, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        valid(found)
        assert [s["program"] for s in found["snippets"]][:2] == ["curl", "openai-python"]


def test_one_text_alone_need_not_have_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["connect", "--url", "http://127.0.0.1:1", "--curl", "--model", "m"]) == 0
    line = capsys.readouterr().out
    assert line.startswith("curl -sS http://127.0.0.1:1/v1/chat/completions ")
    assert line.count("\n") == 1
    assert main(["connect", "x", "--url", "http://127.0.0.1:1"]) == 2
