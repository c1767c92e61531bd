"""What a shell is offered at a place of a command line."""

from __future__ import annotations

import pytest

from gyakusan.cli import main
from gyakusan.cli.app import COMMANDS, build
from gyakusan.cli.candidates import candidates
from gyakusan.exports.export import KINDS

CASES = [
    (["pl"], ["plan"]),
    (["plan", "--dev"], ["--device"]),
    (["plan", "--task", "co"], ["coding"]),
    (["inspect", "x", "--device", "rtx5090l"], ["RTX 5090 Laptop GPU"]),
    (["inspect", "x", "--device", "RTX 50"], "RTX 5060 Ti 16GB"),
    (["inspect", "gpt-oss-1"], ["gpt-oss-120b"]),
    (["compare", "RTX 4090", "--model", "qwen3-8"], "qwen3-8b"),
    (["export", "x", "--to", ""], sorted(KINDS)),
    (["serve", "x", "--engine", ""], ["llamacpp", "mlx", "ollama", "vllm"]),
    (["catalog", "sh"], ["show"]),
    (["plan", "--task=co"], ["--task=coding"]),
    (["compare", "RTX 5090 l"], ["RTX 5090 Laptop GPU"]),
    (["catalog", "show", "qwen3-8"], "qwen3-8b"),
    (["schema", "memo"], ["memory-map"]),
    (["inspect", "--images", "gpt-oss-1"], ["gpt-oss-120b"]),
    (["nosuch", "--x", ""], []),
    (["inspect", "--memory", ""], []),
]


@pytest.mark.parametrize(("words", "found"), CASES)
def test_what_is_offered(words: list[str], found: list[str] | str) -> None:
    offered = candidates(build("en"), words)
    if isinstance(found, str):
        assert found in offered
    else:
        assert offered == found


def test_every_command_is_offered() -> None:
    assert set(candidates(build("en"), [""])) == set(COMMANDS)


def test_a_shell_asks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--complete", "expo"]) == 0
    assert capsys.readouterr().out == "export\n"


def test_nothing_is_printed_where_nothing_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty line was a candidate, and a shell put it in the place of what was typed."""
    assert main(["--complete", "inspect", "./com"]) == 0
    assert capsys.readouterr().out == ""
