"""A model that an Ollama server keeps loaded, behind a key, as a program. Runs as a script; standard library only.

It reads JSON from standard input: {"base": "http://127.0.0.1:11434", "tag": "...", "made": "gyakusan-...", "context": tokens,
"host": "...", "port": n, "key": "..." or null, "alias": "name", "users": n}. It makes a model of its own from the tag with the
planned context, as Ollama's OpenAI API takes none in a request; loads it to stay; and passes /v1 on to it, whatever model a
request names. When it ends, the model is unloaded and removed; the tag and its files stay.
Source: Ollama, docs/api.md (create, generate, ps, delete), docs/openai.md ("Setting the context size").
"""

from __future__ import annotations

import hmac
import http.client
import json
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

PASSED = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings")
"""Paths that are passed on; Ollama's own ones pull, copy and delete models."""
LOADING = 900.0
"""How long Ollama may take to load the model. [s]"""
PIECE = 65536


def note(text: str) -> None:
    """Print a line for the log."""
    print(f"gyakusan: {text}", file=sys.stderr, flush=True)


def ask(base: str, method: str, path: str, body: dict[str, Any] | None, patience: float = LOADING) -> tuple[int, Any]:
    """Return status and answer of Ollama. Raises OSError, ValueError."""
    parts = urlsplit(base)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=patience)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text.strip() else {}
    except http.client.HTTPException as error:
        raise OSError(f"{type(error).__name__}") from error
    finally:
        connection.close()


def load(order: dict[str, Any]) -> int:
    """Make the model and load it. Returns 0, or 1 after a line that says why not."""
    base, tag, made = order["base"], order["tag"], order["made"]
    try:
        status, told = ask(base, "GET", "/api/version", None, 10.0)
    except (OSError, ValueError) as error:
        note(f"no Ollama at {base}: {error}")
        return 1
    note(f"Ollama {told.get('version', '?')}")
    if order["users"] > 1:
        note(f"parallel {order['users']}")
    parameters = {"num_ctx": order["context"]}
    create = {"model": made, "from": tag, "parameters": parameters, "stream": False}
    for what, path, body in (
        ("create", "/api/create", create),
        ("load", "/api/generate", {"model": made, "keep_alive": -1, "stream": False}),
    ):
        note(f"{what} {tag}")
        try:
            status, told = ask(base, "POST", path, body)
        except (OSError, ValueError) as error:
            status, told = 0, {"error": str(error)}
        if status != http.client.OK or told.get("error"):
            note(f"cannot {what} {tag}: {told.get('error', status)}")
            return 1
    _, told = ask(base, "GET", "/api/ps", None)
    for model in told.get("models", ()):
        if str(model.get("name", "")).removesuffix(":latest") == made:
            size, gpu, context = (model.get(k, 0) for k in ("size", "size_vram", "context_length"))
            note(f"loaded size={size} vram={gpu} context={context}")
    return 0


def unload(order: dict[str, Any]) -> None:
    """Unload the model, and remove it; what cannot be done is said."""
    for method, path, body in (
        ("POST", "/api/generate", {"model": order["made"], "keep_alive": 0, "stream": False}),
        ("DELETE", "/api/delete", {"model": order["made"]}),
    ):
        try:
            ask(order["base"], method, path, body, 3.0)
        except (OSError, ValueError) as error:
            note(f"{path}: {error}")


class Handler(BaseHTTPRequestHandler):
    """Answers for one model. order: what this program was told; `of` makes the class."""

    order: dict[str, Any]

    @classmethod
    def of(cls, order: dict[str, Any]) -> type[Handler]:
        """Return the class of one model's handlers: http.server makes them itself."""
        return type("Loaded", (cls,), {"order": order})

    def do_GET(self) -> None:
        """Answer whether it is ready, and the list of the one model."""
        if self.path == "/health":
            self._answer(200, {"status": "ok"})
        elif not self._allowed():
            self._answer(401, {"error": "no key"})
        elif self.path == "/v1/models":
            listed = [{"id": self.order["alias"], "object": "model", "created": 0, "owned_by": "gyakusan"}]
            self._answer(200, {"object": "list", "data": listed})
        else:
            self._answer(404, {"error": "no such path"})

    def do_POST(self) -> None:
        """Pass a request on."""
        if not self._allowed():
            self.close_connection = True
            self._answer(401, {"error": "no key"})
            return
        try:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
            body["model"] = self.order["made"]
        except (ValueError, TypeError):
            self._answer(400, {"error": "the body is not a JSON object"})
            return
        if self.path not in PASSED:
            self._answer(404, {"error": "no such path"})
            return
        note("a request")
        self._pass(json.dumps({k: v for k, v in body.items() if k not in ("keep_alive", "options")}))

    def _allowed(self) -> bool:
        shown = self.headers.get("Authorization", "").encode()
        return self.order["key"] is None or hmac.compare_digest(shown, f"Bearer {self.order['key']}".encode())

    def _pass(self, body: str) -> None:
        parts = urlsplit(self.order["base"])
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        try:
            connection.request("POST", self.path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            self.send_response(response.status)
            self.send_header("Content-Type", response.getheader("Content-Type", "application/json"))
            self.end_headers()
            while piece := response.read1(PIECE):
                self.wfile.write(piece)
                self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            pass  # who asked has gone; closing the connection tells Ollama
        except (OSError, http.client.HTTPException):
            self._answer(503, {"error": "Ollama does not answer"})
        finally:
            connection.close()

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words: object) -> None:
        """Print nothing: the front counts."""


def main() -> int:
    """Run until a signal ends it. Returns 1 if the model cannot be loaded."""
    order = json.load(sys.stdin)

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    try:
        if load(order):
            return 1
        with ThreadingHTTPServer((order["host"], order["port"]), Handler.of(order)) as server:
            server.daemon_threads = True
            note(f"listening on port {order['port']}")
            server.serve_forever()
    except OSError as error:
        note(f"cannot listen: {error}")
        return 1
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        unload(order)
    return 0


if __name__ == "__main__":
    sys.exit(main())
