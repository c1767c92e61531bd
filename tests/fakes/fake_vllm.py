"""A fake of `vllm`: the log lines and the addresses of vLLM 0.32.0, and no model.

FAKE_VLLM: lines that it prints instead, and ends.
"""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SAID = (
    "(APIServer pid=1) INFO 11-29 11:33:32 [core.py:133] Initializing a V1 LLM engine (v0.32.0) with config: model='m'",
    "(EngineCore pid=2) INFO 11-29 11:33:40 [gpu_model_runner.py:1] Starting to load model m...",
    "(EngineCore pid=2) INFO 11-29 11:33:44 [gpu_model_runner.py:1] Model loading took 0.25 GiB memory and 1.0 seconds",
    "(EngineCore pid=2) INFO 11-29 11:33:47 [kv_cache_utils.py:2327] GPU KV cache size: 46,592 tokens, "
    "Maximum concurrency for 1,024 tokens per request: 45.50x",
)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/health":
            self._send(200, {"argv": sys.argv[1:], "environment": dict(os.environ)})
        else:
            self._guarded({"data": [{"id": sys.argv[sys.argv.index("--served-model-name") + 1]}]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        message = {"role": "assistant", "content": "Hi"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        self._guarded({"choices": [{"message": message, "finish_reason": "length"}], "usage": usage})

    def _guarded(self, body: object) -> None:
        key = os.environ.get("VLLM_API_KEY")
        allowed = key is None or self.headers["Authorization"] == f"Bearer {key}"
        self._send(200 if allowed else 401, body if allowed else {"error": "Unauthorized"})

    def _send(self, status: int, body: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *words: object) -> None:
        pass


def main() -> None:
    if wrong := os.environ.get("FAKE_VLLM"):
        sys.exit(wrong)
    host, port = (sys.argv[sys.argv.index(name) + 1] for name in ("--host", "--port"))
    server = ThreadingHTTPServer((host, int(port)), Handler)
    for line in SAID:
        print(line, file=sys.stderr, flush=True)
    print(
        f"(APIServer pid=1) INFO 11-29 11:33:50 [entry.py:140] Starting vLLM server on http://{host}:{port}", flush=True
    )
    server.serve_forever()


if __name__ == "__main__":
    main()
