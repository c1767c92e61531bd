"""What an answer tells of its tokens, and who is one client."""

from __future__ import annotations

import pytest

from gyakusan.serving.front.app import neighbourhood, tokens_in


@pytest.mark.parametrize(
    ("tail", "tokens"),
    [
        (b'"usage":{"completion_tokens":4,"prompt_tokens":31,"total_tokens":35},"timings":{"prompt_n":1}', (31, 4)),
        (b'"usage": {"input_tokens": 5, "output_tokens": 6}', (5, 6)),
        (b'data: {"timings":{"prompt_n":7,"predicted_n":2}}\n\ndata: [DONE]\n\n', (7, 2)),
        (b'"usage":{"prompt_tokens":12,"total_tokens":12}', (12, 0)),
        (b"", None),
    ],
)
def test_tokens_of_an_answer(tail: bytes, tokens: tuple[int, int] | None) -> None:
    assert tokens_in(tail) == tokens


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::1", "::/64"),
        ("", ""),
        ("not an address", ""),
    ],
)
def test_one_client(address: str, client: str) -> None:
    assert neighbourhood(address) == client
