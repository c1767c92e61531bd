"""What comes next on a terminal is a command that can be typed as it stands."""

from __future__ import annotations

import io
import shlex

import pytest

from gyakusan.cli import main
from gyakusan.message import say
from gyakusan.show import terminal
from gyakusan.show.terminal import Terminal
from gyakusan.show.tree import FIXED, Next, Part, whole
from gyakusan.show.typed_line import typed_out
from gyakusan.typed_words import remember


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    remember(())


def test_what_is_added_stands_behind_the_command_that_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    remember(["inspect", "gpt-oss-20b", "--device", "RTX 4090"])
    screen = Screen()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    Terminal("ja").show(Next((say("add {flag}", flag="--why"),)))
    assert screen.getvalue().replace("\u2060", "").endswith("gyakusan inspect gpt-oss-20b --device 'RTX 4090' --why\n")


def test_without_a_command_it_is_added_to_what_the_reader_has() -> None:
    added = say("add {options}", options="--details 1")
    assert typed_out((added, "gyakusan plan")) == (added, "gyakusan plan")
    remember(["plan"])
    assert typed_out((added, "gyakusan plan")) == (whole("gyakusan plan --details 1"), "gyakusan plan")


@pytest.mark.parametrize(
    ("words", "added", "line"),
    [
        ("plan --users 500 --context 8k", "--users 40", "plan --context 8k --users 40"),
        ("plan --users=500 --context 8k", "--users 40 --context 4k", "plan --users 40 --context 4k"),
        ("inspect a --engine all --why", "--engine Ollama", "inspect a --why --engine Ollama"),
        ("inspect a --why", "--why", "inspect a --why"),
        (
            "plan --device '2x RTX 3090' --command 1",
            "--details 1",
            "plan --device '2x RTX 3090' --command 1 --details 1",
        ),
        ("inspect a --set x=1 --set y=2", "--set x=3 --ram 64GiB", "inspect a --set y=2 --set x=3 --ram 64GiB"),
        ("plan --also embedding --used", "--used --also rag", "plan --also embedding --used --also rag"),
        ("plan --budget 500EUR --device", "--budget 900EUR", "plan --device --budget 900EUR"),
        ("plan --users 3 -- a", "--users 2", "plan --users 2 -- a"),
        ("inspect --users", "--users 2", "inspect --users 2"),
    ],
)
def test_a_value_that_is_added_takes_the_place_of_an_earlier_one(words: str, added: str, line: str) -> None:
    """`--context 8k ... --context 4k` was answered with "--context was given twice"."""
    remember(shlex.split(words))
    assert typed_out((say("add {options}", options=added),)) == (whole(f"gyakusan {line}"),)
    assert typed_out((say("add {options}", options=whole(added)),)) == (whole(f"gyakusan {line}"),)


@pytest.mark.parametrize(
    "words",
    [
        "inspect llama3.3-70b --device 'RTX 4090' --ram=64GiB --quant Q8_0 --users 9 --context 32k",
        "inspect qwen3-32b --device 'RTX 4090' --key-type f16 --value-type f16 --users 2",
        "inspect qwen3-8b --device 'RTX 4090' --engine all --users max",
        "inspect qwen3-8b --device 'RTX 4090' --engine mlx",
        "inspect qwen3-14b --device 'RTX 3060 12GB' --engine vllm --users 2",
        "plan --device 'RTX 3060 12GB' --users 500 --context 128k",
        "plan --device 'RTX 4090' --quality 99",
        "plan --device 'RTX 4090' --speed 900 --users=2",
        "plan --budget 3000USD --first 0.01 --power 100W",
        "plan --device 'RTX 4090' --users 3 --context 16k",
    ],
)
def test_every_command_that_a_screen_proposes_gives_no_option_twice(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []
    show = terminal.Terminal.show

    def kept(self: Terminal, *parts: Part) -> None:
        for part in parts:
            if isinstance(part, Next):
                seen.extend(str(choice).replace(FIXED, " ") for choice in typed_out(part.choices))
        show(self, *parts)

    monkeypatch.setattr(terminal.Terminal, "show", kept)
    assert main([*shlex.split(words), "--lang", "en"]) in (0, 1, 2)
    assert seen
    capsys.readouterr()
    for line in {line for line in seen if line.startswith("gyakusan ")}:
        proposed = shlex.split(line)[1:]
        assert main([*proposed, "--lang", "en"]) in (0, 1), line
        assert "twice" not in capsys.readouterr().err, line
