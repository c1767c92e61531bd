"""mlx_lm.server with a key and one model, as a program. Runs as a script under the Python that has MLX-LM; needs no gyakusan.

mlx_lm.server asks for no key, and a request that names another model or an adapter makes it load that, from the hub if need
be. Here each request has to show the key, and all get the model that was started. It reads JSON from standard input:
{"key": "..." or null, "alias": "name"}. Its options are those of mlx_lm.server. Source: mlx-lm 0.32.2, mlx_lm/server.py.
"""

from __future__ import annotations

import hmac
import json
import sys
from typing import Any


def keyed(handler: Any, key: str | None) -> Any:
    """Return a class of handlers that answer 401 to who does not show the key."""

    class Keyed(handler):  # type: ignore[misc]
        def parse_request(self) -> bool:
            """Read the head of a request, and refuse it without the key."""
            if not super().parse_request():
                return False
            shown = self.headers.get("Authorization", "")
            if key is None or hmac.compare_digest(shown.encode(), f"Bearer {key}".encode()):
                return True
            if self.path == "/health" and self.command == "GET":
                return True
            self.send_error(401)
            self.close_connection = True
            return False

    return Keyed


def named(handler: Any, alias: str) -> Any:
    """Return a class of handlers that list the one model under its name: the original lists what the hub's cache holds."""

    class Named(handler):  # type: ignore[misc]
        def handle_models_request(self) -> None:
            """Answer GET /v1/models."""
            listed = {"object": "list", "data": [{"id": alias, "object": "model", "created": self.created}]}
            self._set_completion_headers(200)
            self.end_headers()
            self.wfile.write(json.dumps(listed).encode())
            self.wfile.flush()

    return Named


def one_model(provider: Any) -> Any:
    """Return a class of providers that give the started model to every request, whatever it names."""

    class OneModel(provider):  # type: ignore[misc]
        def load(self, *_wanted: Any, **_more: Any) -> Any:
            """Return model and tokenizer."""
            return super().load("default_model", None, "default_model")

    return OneModel


def main() -> int:
    """Run until a signal ends it. Returns 1 if this MLX-LM is another than this program knows."""
    order = json.load(sys.stdin)
    if not getattr(sys.flags, "safe_path", False):
        sys.path.pop(0)  # the folder of this file, whose modules have common names
    import mlx.core
    import mlx_lm
    import mlx_lm.server as server

    print(f"gyakusan: MLX-LM {mlx_lm.__version__}, MLX {mlx.core.__version__}", file=sys.stderr, flush=True)
    handler = named(keyed(server.APIHandler, order["key"]), order["alias"])
    run = server._run_http_server  # noqa: SLF001

    def run_keyed(*arguments: Any, **options: Any) -> Any:
        return run(*arguments, **{**options, "handler_class": handler})

    server._run_http_server = run_keyed  # noqa: SLF001
    server.ModelProvider = one_model(server.ModelProvider)
    server.main()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AttributeError as error:
        sys.exit(f"gyakusan: this MLX-LM is not known: {error}")
