"""A fake of mlx_lm/server.py (0.32.2): the same names, log lines and addresses, and no model.

FAKE_MLX says what goes wrong: "model" (the thread dies), "memory", "token" (no token, ever), "port".
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WRONG = os.environ.get("FAKE_MLX", "")


class ModelProvider:
    def __init__(self, arguments: Any) -> None:
        self.arguments = arguments

    def load(self, model: str, adapter: str | None = None, draft: str | None = None) -> tuple[str, str]:
        return model, adapter or ""


class APIHandler(BaseHTTPRequestHandler):
    def __init__(self, generator: Any, *arguments: Any) -> None:
        self.created = 1
        self.generator = generator
        super().__init__(*arguments)

    def _set_completion_headers(self, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-type", "application/json")

    def do_GET(self) -> None:
        if self.path.startswith("/v1/models"):
            self.handle_models_request()
            return
        self._set_completion_headers(200)
        self.end_headers()
        self.wfile.write(json.dumps({"status": "ok", "environment": dict(os.environ), "argv": sys.argv}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        loaded, adapter = self.generator.load(body.get("model", "default_model"), body.get("adapters"))
        self._set_completion_headers(500 if WRONG == "token" else 200)
        self.end_headers()
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        message = {"role": "assistant", "content": f"{loaded}{adapter}"}
        answer = {"model": "m", "choices": [{"message": message, "finish_reason": "length"}], "usage": usage}
        self.wfile.write(json.dumps({"error": "no thread"} if WRONG == "token" else answer).encode())

    def handle_models_request(self) -> None:
        raise AssertionError("the list of the hub's cache")


def _run_http_server(host: str, port: int, generator: Any, handler_class: type = APIHandler) -> None:
    server = ThreadingHTTPServer((host, port), lambda *arguments: handler_class(generator, *arguments))
    _say(f"Starting httpd at {host} on port {port}...")
    if WRONG == "model":
        _say("mlx_lm.server generation thread died: Model type rwkv9 not supported.", "ERROR")
    if WRONG == "memory":
        _say("generation thread died: [metal::malloc] Attempting to allocate 9 bytes", "ERROR")
    server.serve_forever()


def _say(text: str, level: str = "INFO") -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')},000 - {level} - {text}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("model", "host", "prompt-cache-size", "prefill-step-size"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--port", type=int)
    arguments = parser.parse_args()
    if WRONG == "port":
        raise OSError(98, "Address already in use")
    _run_http_server(arguments.host, arguments.port, ModelProvider(arguments))
