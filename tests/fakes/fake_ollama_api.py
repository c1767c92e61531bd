"""A fake of Ollama's API on loopback: version, create, generate, ps, delete and the OpenAI endpoint.

Forms of requests and answers: Ollama, docs/api.md, docs/openai.md.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Ollama:
    """The state of the fake. asked: path and body of each request; out_of_memory: it loads nothing."""

    url: str = ""
    tags: set[str] = field(default_factory=lambda: {"qwen3:8b"})
    made: dict[str, dict[str, Any]] = field(default_factory=dict)
    loaded: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    out_of_memory: bool = False

    def answer(self, path: str, body: Any) -> tuple[int, Any]:
        self.asked.append((path, body))
        match path:
            case "/api/version":
                return 200, {"version": "0.33.0"}
            case "/api/create":
                if body["from"] not in self.tags:
                    return 404, {"error": f"model '{body['from']}' not found"}
                self.made[body["model"]] = body["parameters"]
                return 200, {"status": "success"}
            case "/api/generate":
                return self._generate(body)
            case "/api/ps":
                return 200, {"models": [self._row(name) for name in self.loaded]}
            case "/api/delete":
                self.made.pop(body["model"], None)
                return 200, {}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        message = {"role": "assistant", "content": "Hi"}
        known = body["model"] in self.loaded
        answer = {"model": body["model"], "choices": [{"message": message, "finish_reason": "length"}], "usage": usage}
        return (200, answer) if known else (404, {"error": "model not found"})

    def _generate(self, body: Any) -> tuple[int, Any]:
        if body["keep_alive"] == 0:
            self.loaded.pop(body["model"], None)
            return 200, {"done": True, "done_reason": "unload"}
        if self.out_of_memory:
            return 500, {"error": "model requires more system memory (9.1 GiB) than is available (3.2 GiB)"}
        self.loaded[body["model"]] = body["keep_alive"]
        return 200, {"done": True, "done_reason": "load"}

    def _row(self, name: str) -> dict[str, Any]:
        context = self.made[name]["num_ctx"]
        return {"name": f"{name}:latest", "size": 6_000_000_000, "size_vram": 4_000_000_000, "context_length": context}


@contextmanager
def running() -> Iterator[Ollama]:
    """A fake that listens on a free port."""
    state = Ollama()

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            status, body = state.answer(self.path, json.loads(self.rfile.read(length)) if length else None)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def do_GET(self) -> None:
            self._any()

        def do_POST(self) -> None:
            self._any()

        def do_DELETE(self) -> None:
            self._any()

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        yield state
        server.shutdown()
