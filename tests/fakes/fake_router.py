"""A stand-in for llama-server in router mode: it reads the preset, "starts" models, evicts, logs, and asks for the key.

$FAKE_ROUTER_OPEN lets its processes answer without a key; $FAKE_ROUTER_BROKEN names a model that does not load.
"""

from __future__ import annotations

import argparse
import configparser
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LOG = """\
[{port}] load_tensors:   CPU_Mapped model buffer size =    92.10 MiB
[{port}] llama_kv_cache:        CPU KV buffer size =    {kv:.2f} MiB
"""


class Router:
    def __init__(self, preset: Path, most: int) -> None:
        found = configparser.ConfigParser()
        found.read_string(preset.read_text())
        self.models = {name: dict(found[name]) for name in found.sections()}
        self.most = most
        self.loaded: list[str] = []
        self.lock = threading.Lock()

    def load(self, name: str) -> None:
        with self.lock:
            if name in self.loaded:
                self.loaded.remove(name)
                self.loaded.append(name)
                return
            if len(self.loaded) >= self.most:
                del self.loaded[0]
            child = _listening(Child, 0)
            say(f"srv load: spawning server instance with name={name} on port {child.server_port}")
            say(LOG.format(port=child.server_port, kv=45 * int(self.models[name]["ctx-size"]) / 2048), end="")
            self.loaded.append(name)


class Handler(BaseHTTPRequestHandler):
    """Both the router and its processes; `log_message` says nothing."""

    router: Router
    open = False

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        if self.path == "/health":
            self._send(200, {"status": "ok"})
        elif self._known():
            loaded = self.router.loaded
            rows = [
                {
                    "id": name,
                    "object": "model",
                    "status": {"value": "loaded" if name in loaded else "unloaded", "args": ["--model", told["model"]]},
                    "meta": {"n_ctx_train": 8192, "path": told["model"]},
                    "path": told["model"],
                }
                for name, told in sorted({**self.router.models, "cached/other": {"model": "/secret"}}.items())
            ]
            self._send(200, {"object": "list", "data": rows, "model_path": "/secret"})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._known():
            return
        name = asked.get("model")
        if name == os.environ.get("FAKE_ROUTER_BROKEN"):
            self._send(500, {"error": {"message": "failed to load"}})
            return
        if name not in self.router.models:
            self._send(400, {"error": {"message": "model name is missing"}})
            return
        self.router.load(name)
        self._send(200, {"model": name, "usage": {"prompt_tokens": 1, "completion_tokens": 1}})

    def _known(self) -> bool:
        key = os.environ.get("LLAMA_API_KEY")
        known = self.open or not key or self.headers["Authorization"] == f"Bearer {key}"
        if not known:
            self._send(401, {"error": {"message": "Invalid API Key"}})
        return known

    def _send(self, status: int, told: Any) -> None:
        text = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Child(Handler):
    open = "FAKE_ROUTER_OPEN" in os.environ

    def do_POST(self) -> None:
        if self._known():
            self._send(200, {"tokens": []})


def say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)


def _listening(kind: type[Handler], port: int) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", port), kind)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


def install(folder: Path) -> Path:
    """Write a program `llama-server` that runs this file."""
    program = folder / "llama-server"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__)} "$@"\n')
    program.chmod(0o755)
    return program


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models-preset", type=Path)
    parser.add_argument("--models-max", type=int)
    parser.add_argument("--port", type=int)
    options, _ = parser.parse_known_args()
    Handler.router = Router(options.models_preset, options.models_max)
    _listening(Handler, options.port)
    say("build: 11434 (fake)")
    say(f"srv llama_server: listening on http://127.0.0.1:{options.port}")
    threading.Event().wait()


if __name__ == "__main__":
    main()
