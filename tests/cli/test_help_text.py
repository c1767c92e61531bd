"""Help breaks its lines where a reader expects it."""

from __future__ import annotations

from rich.console import Console, Group

from gyakusan.cli.help_text import WrappingText

LIMITS = "収まる上限は、1人なら131,072トークンずつ(学習時の最大長)、8,192トークンずつなら41人です。"
OWN = "このマシンでのOllamaの既定コンテキスト長は32,768トークンです。OLLAMA_CONTEXT_LENGTHで変更できます。"


def test_the_screen_shows_the_lines() -> None:
    console = Console(width=60, highlight=False)
    with console.capture() as captured:
        console.print(Group(WrappingText(OWN, style="dim")))
    first, second = captured.get().splitlines()
    assert first == "このマシンでのOllamaの既定コンテキスト長は"
    assert second == "32,768トークンです。OLLAMA_CONTEXT_LENGTHで変更できます。"


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
