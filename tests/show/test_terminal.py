"""Japanese lines break where a reader expects it, and nothing is lost."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, Group

from gyakusan.show.terminal import WrappingText, breaks

LIMITS = "収まる上限は、1人なら131,072トークンずつ(学習時の最大長)、8,192トークンずつなら41人です。"
OWN = "このマシンでのOllamaの既定コンテキスト長は32,768トークンです。OLLAMA_CONTEXT_LENGTHで変更できます。"


KEPT = "  23.99 GiBのうち464.00 MiBを確保済み(--reserve で変更): 「Q4_K_M」の例。"


def lines(text: str, width: int) -> list[str]:
    at = [0, *breaks(text, width), len(text)]
    return [text[a:b] for a, b in pairwise(at)]


@pytest.mark.parametrize("width", range(24, 110, 3))
@pytest.mark.parametrize("text", [LIMITS, OWN, KEPT])
def test_numbers_and_names_stay_whole(text: str, width: int) -> None:
    got = lines(text, width)
    assert "".join(got) == text
    assert max(cell_len(line.rstrip()) for line in got) <= width
    whole = re.findall(
        r"\d[\d,]*(?:トークン|人)|OLLAMA_[A-Z_]+|Ollama|Q4_K_M|--reserve|[\d.]+(?= [GM]iB)|コンテキスト", text
    )
    assert [w for w in whole if sum(w in line for line in got) == 0] == []
    assert not any(line.startswith(("、", "。", ")", "」")) for line in got)
    assert not any(line.endswith(("(", "「")) for line in got)


@given(st.text("あア亜、。「」()1a .-\n", max_size=80), st.integers(8, 60))
def test_nothing_is_lost(text: str, width: int) -> None:
    at = breaks(text, width)
    assert at == sorted(set(at))
    assert "".join(lines(text, width)) == text


def test_the_screen_shows_the_lines() -> None:
    console = Console(width=60, highlight=False)
    with console.capture() as captured:
        console.print(Group(WrappingText(OWN, style="dim")))
    first, second = captured.get().splitlines()
    assert first == "このマシンでのOllamaの既定コンテキスト長は32,768トークンで"
    assert second == "す。OLLAMA_CONTEXT_LENGTHで変更できます。"


def test_english_is_as_before() -> None:
    console = Console(width=20, highlight=False)
    with console.capture() as captured:
        console.print(Group(WrappingText("The quick brown fox jumps over the lazy dog.")))
    assert captured.get().splitlines() == ["The quick brown fox ", "jumps over the lazy ", "dog."]


def test_what_must_not_wrap_does_not() -> None:
    console = Console(width=20, highlight=False)
    with console.capture() as captured:
        console.print(Group(WrappingText(LIMITS, no_wrap=True, overflow="ellipsis")))
    assert len(captured.get().splitlines()) == 1
