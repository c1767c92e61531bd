"""Answers arrive piece by piece, can be broken off, and a server that misbehaves is an error that says what."""

from __future__ import annotations

import pytest
from tests.fakes.fake_chat_server import fake_chat

from gyakusan.errors import ServerError
from gyakusan.serving.conversation import Stream, models_at

QUESTION = [{"role": "user", "content": "Hi"}]


def test_an_answer_in_pieces() -> None:
    with fake_chat(thinking=("hm",)) as server:
        stream = Stream(server.base, QUESTION, model="smol", max_tokens=5)
        pieces = list(stream)
        found = stream.spoken()
        assert [(p.kind, p.text) for p in pieces][:2] == [("thinking", "hm"), ("answer", "Hello")]
        assert (found.text, found.finish) == ("Hello, world\u001b[31m!", "stop")
        assert (found.completion_tokens, found.prompt_tokens, found.counted) == (7, 9, True)
        assert found.ttft > 0
        assert server.asked[0] == {
            "messages": QUESTION, "stream": True, "stream_options": {"include_usage": True}, "model": "smol", "max_tokens": 5,
        }  # fmt: skip


def test_what_is_not_counted_is_not_called_tokens() -> None:
    with fake_chat(usage=False) as server:
        stream = Stream(server.base, QUESTION)
        list(stream)
        assert (stream.spoken().completion_tokens, stream.spoken().counted) == (3, False)


def test_breaking_off_stops_the_server() -> None:
    with fake_chat(pieces=("x" * 1000,) * 400, pause=0.01) as server:
        stream = Stream(server.base, QUESTION)
        pieces = iter(stream)
        next(pieces)
        pieces.close()  # type: ignore[attr-defined]
        assert server.gone.wait(20)
        assert stream.spoken().text == "x" * 1000


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mood": "long"}, r"answered 400: the request exceeds the available context size\. The conversation may be too long"),
        ({"mood": "nonsense"}, "is not a chat completion"),
        ({"pieces": (), "mood": "silent"}, "^$"),
        ({"key": "k" * 16}, r"refuses the API key\. Name the file with the key: --key-file FILE"),
    ],
)  # fmt: skip
def test_a_server_that_misbehaves(changes: dict[str, object], said: str) -> None:
    with fake_chat(**changes) as server:
        stream = Stream(server.base, QUESTION)
        if said == "^$":  # an empty answer that says that it ended is one
            assert list(stream) == []
            assert stream.spoken().finish == "stop"
            return
        with pytest.raises(ServerError, match=said):
            list(stream)


def test_nobody_answers() -> None:
    with fake_chat() as server:
        gone = server.base
    with pytest.raises(ServerError, match="does not answer: Connection refused"):
        list(Stream(gone, QUESTION))
    with pytest.raises(ServerError, match="is not the address of a server"):
        models_at("ftp://127.0.0.1/v1")


def test_models_are_named() -> None:
    with fake_chat(models=("a", "b")) as server:
        assert models_at(server.base) == ("a", "b")
        server.mood = "garbage"
        with pytest.raises(ServerError, match="does not speak OpenAI's API"):
            models_at(server.base)


def test_an_answer_that_is_cut_is_no_whole_one() -> None:
    with fake_chat(mood="dies") as server:
        stream = Stream(server.base, QUESTION)
        with pytest.raises(ServerError, match="broke the answer off"):
            list(stream)
        assert stream.spoken().text == "Hello", "what arrived is kept"
