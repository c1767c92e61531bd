"""The client believes little: sizes, forms and states of answers are checked. The server is a few lines of ours."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from gyakusan.errors import ServerError
from gyakusan.serving import chat as module
from gyakusan.serving.chat import ChatAnswer, chat, chat_many

GOOD = {
    "choices": [{"message": {"content": "Paris."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 3},
    "timings": {"predicted_per_second": 7.5},
}


class Handler(BaseHTTPRequestHandler):
    reply: ClassVar[tuple[int, bytes]] = (200, b"")
    seen: ClassVar[list[tuple[str, str | None, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).seen.append((self.path, self.headers["Authorization"], body))
        status, raw = type(self).reply
        if raw == b"echo":
            said = {"choices": [{"message": {"content": body["messages"][-1]["content"]}}]}
            raw = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/v1"
        running.shutdown()
        thread.join()


def replies(status: int, body: object) -> None:
    Handler.seen.clear()
    Handler.reply = (status, body if isinstance(body, bytes) else json.dumps(body).encode())


def test_a_good_answer(server: str) -> None:
    replies(200, GOOD)
    answer = chat(server, "Capital of France?", 5, key="0123456789abcdef", temperature=0, seed=1)
    assert (answer.text, answer.prompt_tokens, answer.completion_tokens) == ("Paris.", 12, 3)
    assert (answer.finish, answer.decode) == ("stop", 7.5)
    assert answer.seconds > 0
    ((path, authorization, body),) = Handler.seen
    assert (path, authorization) == ("/v1/chat/completions", "Bearer 0123456789abcdef")
    asked = [{"role": "user", "content": "Capital of France?"}]
    assert body == {"messages": asked, "max_tokens": 5, "temperature": 0, "seed": 1}


def test_no_key_no_header(server: str) -> None:
    replies(200, GOOD)
    chat(server, [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}])
    assert Handler.seen[0][1] is None
    assert len(Handler.seen[0][2]["messages"]) == 2


def test_an_empty_answer_is_an_answer(server: str) -> None:
    replies(200, {"choices": [{"message": {"content": None}}]})
    assert chat(server, "Hi") == ChatAnswer("", 0, 0, pytest.approx(0, abs=60))


def test_many_keep_their_order(server: str) -> None:
    replies(200, b"echo")
    prompts = [f"question {n}" for n in range(9)]
    assert [a.text for a in chat_many(server, prompts, users=4)] == prompts
    assert chat_many(server, [], users=4) == ()


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, b"<html>", "is not a chat completion"),
        (200, b"[" * 100_000, "is not a chat completion"),
        (200, [], "is not a chat completion"),
        (200, {"choices": []}, "is not a chat completion"),
        (200, {"choices": [{"message": "text"}]}, "is not a chat completion"),
        (200, {"choices": [{"message": {"content": "x"}}], "usage": "much"}, "is not a chat completion"),
        (401, {"error": {"message": "Invalid API Key"}}, "refuses the API key"),
        (400, {"error": {"message": "too long\x1b[31m."}}, "400: too long\\?\\[31m. Shorten the prompt"),
        (503, {"error": {"message": "Loading model"}}, "503: Loading model. Wait"),
        (500, b"oops", "500: no reason given"),
    ],
)
def test_what_is_no_answer(server: str, status: int, body: object, says: str) -> None:
    replies(status, body)
    with pytest.raises(ServerError, match=says):
        chat(server, "Hi")


def test_an_endless_answer_is_cut(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 1000)
    replies(200, b"x" * 5000)
    with pytest.raises(ServerError, match="more than 1000 bytes"):
        chat(server, "Hi")


def test_nobody_there() -> None:
    with pytest.raises(ServerError, match="does not answer"):
        chat("http://127.0.0.1:9/v1", "Hi")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "127.0.0.1:80", "ftp://x/", "http://"])
def test_only_web_addresses(url: str) -> None:
    with pytest.raises(ServerError, match="not the address of a server"):
        chat(url, "Hi")
