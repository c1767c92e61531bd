"""A number and its unit are on one line of a page, and nothing else changes."""

from __future__ import annotations

import re

import pytest

from gyakusan.show.quantities import kept_whole


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("15.70 - 16.08 GiBが必要", ["16.08 GiB"]),
        ("速度は54トークン/秒、2人で使う", ["54トークン/秒", "2人"]),
        ("takes 1,024 tokens, 54 tokens/s for 3 people", ["1,024 tokens", "54 tokens/s", "3 people"]),
        ("RTX 4090 and qwen3-8b, Q4_K_M, 2x RTX 3090", []),
        ("16 GiBs, 7 sorts, v1.5 s", []),
        ("gemma4-26b-a4b-qatを、2025-12-09の記事", ["gemma4-26b-a4b-qat", "2025-12-09"]),
        ("最初のトークン1分40秒以内", ["1分40秒"]),
        ("GPU 2枚以下、2026年8月", ["GPU 2枚以下", "2026年8月"]),
        ("nemotron-3.5-lightning-30b-a3b of qwen3-8b", []),
        ("1年5か月、100%、±2点", ["1年", "5か月", "100%", "±2点"]),
    ],
)
def test_numbers_with_units(words: str, kept: list[str]) -> None:
    told = kept_whole(f"<p>{words}</p>")
    assert re.findall(r'<span class="q">(.*?)</span>', told) == kept
    assert re.sub(r"<[^>]*>", "", told) == words


@pytest.mark.parametrize(
    "part",
    [
        "<code>gyakusan inspect x --ram 16 GiB</code>", "<pre>a\n<b>5 s</b> 16 GiB</pre>", "<option>16 GiB</option>",
        '<a title="16 GiB" href="?q=2人">x</a>', "<svg><text>16 GiB</text></svg>", "<title>16 GiB</title>",
        "<script>if (a < 5) { '16 GiB' }</script>", "<style>a { margin: 5 s }</style>", "<!-- 16 GiB -->",
    ],
)  # fmt: skip
def test_commands_fields_and_drawings_stay(part: str) -> None:
    assert kept_whole(part) == part
