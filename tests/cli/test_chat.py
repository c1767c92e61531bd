"""gyakusan chat, through the command line."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from tests.fakes.fake_chat_server import FakeChat, fake_chat

from gyakusan.cli import main


class Typed(io.StringIO):
    """A terminal on which lines are typed."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("GYAKUSAN_API_KEY", raising=False)


def test_a_question_through_a_pipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with fake_chat() as server:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("Hi 😀\n".encode()), encoding="cp932"))
        assert main(["chat", server.base, "--stats", "--system", "Be short."]) == 0
        out, err = capsys.readouterr()
        assert out == "Hello, world?[31m!\n"
        assert "7 tokens, " in err
        assert [m["role"] for m in server.asked[0]["messages"]] == ["system", "user"]


def test_an_answer_through_a_pipe_ends(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with fake_chat() as server:
        for more in ([], ["--max-tokens", "5000"]):
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Hi")))
            assert main(["chat", server.base, *more]) == 0
        assert typed(monkeypatch, server, ["Hi"]) == 0
        assert [a.get("max_tokens") for a in server.asked] == [1024, 5000, None]
    capsys.readouterr()
    main(["chat", "--help"])
    assert "1,024 through a pipe" in " ".join(capsys.readouterr().out.replace("│", " ").split())


def typed(monkeypatch: pytest.MonkeyPatch, server: FakeChat, lines: list[object]) -> int:
    """Type lines one after the other; an exception among them is what a key does."""
    script = iter(lines)

    def answer(_: str) -> str:
        line = next(script, EOFError())
        if isinstance(line, BaseException):
            raise line
        return str(line)

    monkeypatch.setattr("sys.stdin", Typed())
    monkeypatch.setattr("builtins.input", answer)
    return main(["chat", server.base])


def test_a_conversation_has_a_memory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with fake_chat() as server:
        lines = ["Hi", KeyboardInterrupt(), "And?", "/new", "Again", "/help", "/stats", "More", "/exit", "never"]
        assert typed(monkeypatch, server, lines) == 0
        assert [len(a["messages"]) for a in server.asked] == [1, 3, 1, 3]
        err = capsys.readouterr().err
        assert "A new conversation begins." in err
        assert "tokens/s, first token after" in err


def test_an_error_does_not_end_a_conversation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with fake_chat(mood="long") as server:
        assert typed(monkeypatch, server, ["Hi", "Hi again"]) == 0
        assert len(server.asked) == 2
        assert "/new begins another" in capsys.readouterr().err


def test_ctrl_c_stops_an_answer_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from gyakusan.cli.chat import Talk

    with fake_chat(thinking=("hm",)) as server:
        real = Talk.show

        def stopped(self: Talk, stream: object) -> None:
            real(self, stream)  # type: ignore[arg-type]
            raise KeyboardInterrupt

        monkeypatch.setattr(Talk, "show", stopped)
        assert typed(monkeypatch, server, ["Hi", "And?"]) == 0
        assert "Stopped." in capsys.readouterr().err
        assert len(server.asked[1]["messages"]) == 3
