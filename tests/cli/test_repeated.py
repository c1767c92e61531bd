"""An option that was given twice: which value counts is said; two tasks or models are refused."""

from __future__ import annotations

import pytest

from gyakusan.cli.app import build, run

CARD = ("--device", "RTX 4090", "--families", "qwen3-8b")


@pytest.mark.parametrize(
    ("words", "also"),
    [
        (("--task", "chat", "--task", "coding"), "--also coding"),
        (("--task=coding", "--task", "rag"), "--also rag"),
        (("--model", "qwen3-8b", "--model", "gpt-oss-20b"), "--also chat:model=gpt-oss-20b"),
    ],
)
def test_two_uses_are_refused_with_the_option_that_takes_both(
    words: tuple[str, ...], also: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`plan --task chat --task coding` planned for coding alone, and said nothing."""
    assert run(["plan", *CARD, *words], "en") == 2
    assert also in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("plan", *CARD, "--users", "2", "--users", "1"),
        ("plan", *CARD, "--context=16k", "--context", "8k"),
        ("plan", *CARD, "--context", "8k", "--context", "16k", "--context", "8k"),
        ("compare", "RTX 4090", "--model", "qwen3-8b", "--users", "2", "--users=1"),
        ("inspect", "qwen3-8b", "--device", "RTX 4090", "--engine", "ollama", "--engine", "vllm"),
        ("catalog", "list", "devices", "--lang", "ja", "--lang", "en"),
    ],
)
def test_which_value_counts_is_said(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """A screen says what to add to a command, so the last one counts: but not in silence."""
    assert run(words, "en") in (0, 1)
    last = words[-1].rpartition("=")[2]
    assert f"was given twice: {last} counts." in capsys.readouterr().err


@pytest.mark.parametrize("more", [("--users", "1", "--users", "1"), ("--also", "coding", "--also", "embedding")])
def test_what_is_said_once_or_takes_several_needs_no_word(
    more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", "--device", "RTX 5090", *more], "en") in (0, 1)
    assert "given twice" not in capsys.readouterr().err


def test_the_options_that_are_refused_are_options_of_plan() -> None:
    names = {n for argument in build("en")["plan"].assemble_argument_collection() for n in argument.names}
    assert {"--task", "--model", "--also"} <= names
