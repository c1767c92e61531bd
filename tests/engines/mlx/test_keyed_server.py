"""What is put around mlx_lm.server: a key, one name, one model. Here with stand-ins of its classes."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from gyakusan.engines.mlx import keyed_server


class StandIn:
    """A handler as MLX-LM's is called."""

    def __init__(self, path: str, command: str, shown: str, *, good: bool = True) -> None:
        self.path, self.command, self.good = path, command, good
        self.headers = {"Authorization": shown} if shown else {}
        self.sent: list[int] = []
        self.close_connection = False
        self.created = 7
        self.wfile = io.BytesIO()

    def parse_request(self) -> bool:
        return self.good

    def send_error(self, status: int) -> None:
        self.sent.append(status)

    def _set_completion_headers(self, status: int) -> None:
        self.sent.append(status)

    def end_headers(self) -> None:
        """End them."""


class Provider:
    """What loads models."""

    def load(self, *names: Any) -> Any:
        return names


@pytest.mark.parametrize(
    ("key", "path", "shown", "allowed"),
    [
        ("k", "/v1/models", "Bearer k", True),
        ("k", "/v1/models", "Bearer K", False),
        ("k", "/v1/models", "", False),
        ("k", "/health", "", True),
        (None, "/v1/models", "", True),
    ],
)
def test_who_may_ask(key: str | None, path: str, shown: str, *, allowed: bool) -> None:
    handler = keyed_server.keyed(StandIn, key)(path, "GET", shown)
    assert handler.parse_request() is allowed
    assert (handler.sent, handler.close_connection) == (([], False) if allowed else ([401], True))


def test_a_broken_head_and_another_method() -> None:
    assert keyed_server.keyed(StandIn, "k")("/v1/models", "GET", "Bearer k", good=False).parse_request() is False
    assert keyed_server.keyed(StandIn, "k")("/health", "POST", "").parse_request() is False


def test_one_name_and_one_model() -> None:
    handler = keyed_server.named(StandIn, "smollm2")("/v1/models", "GET", "")
    handler.handle_models_request()
    listed = json.loads(handler.wfile.getvalue())
    assert [m["id"] for m in listed["data"]] == ["smollm2"]
    assert handler.sent == [200]
    assert keyed_server.one_model(Provider)().load("mlx-community/other", "adapter") == (
        "default_model", None, "default_model",
    )  # fmt: skip
