"""Commands over several lines: a shell reads the very arguments that the one line has, at every width."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyakusan.show.command_lines import command_lines
from gyakusan.show.terminal import lines as drawn_lines
from gyakusan.show.tree import Command
from gyakusan.show.wrapping import cells

WORDS = st.one_of(
    st.sampled_from(["--port", "-hf", "--fit", "off", "8080", "--chat-template-kwargs", '{"reasoning_effort": "low"}']),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30),
)


def read_by_bash(text: str) -> list[str]:
    """The arguments that bash makes of a command."""
    told = subprocess.run(["bash", "-c", f"printf '%s\\0' {text}"], capture_output=True, text=True, check=True)
    return told.stdout.split("\0")[:-1]


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=12), st.integers(20, 120))
def test_bash_reads_the_same_arguments(words: list[str], width: int) -> None:
    lines = command_lines(shlex.join(words), width)
    assert read_by_bash("\n".join(lines)) == words
    assert all(line.endswith(" \\") for line in lines[:-1])


@given(st.lists(WORDS, min_size=1, max_size=12), st.integers(45, 120))
def test_lines_are_no_wider_than_the_screen_unless_a_word_is(words: list[str], width: int) -> None:
    longest = max(cells(shlex.quote(w)) for w in words)
    for line in command_lines(shlex.join(words), width):
        assert cells(line) <= max(width, longest + len("   \\"))


def test_an_option_keeps_its_value() -> None:
    line = "llama-server -hf ggml-org/gpt-oss-20b-GGUF:MXFP4 --host 127.0.0.1 --port 8080 --ctx-size 98304 --parallel 3"
    lines = command_lines(line, 80)
    assert lines == [
        "llama-server -hf ggml-org/gpt-oss-20b-GGUF:MXFP4 --host 127.0.0.1 --port 8080 \\",
        "  --ctx-size 98304 --parallel 3",
    ]
    assert command_lines(line, 120) == [line]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_key_from_a_file_is_read_as_before(width: int) -> None:
    line = 'key="$(echo secret)" && [ -n "$key" ] && LLAMA_API_KEY="$key" printenv LLAMA_API_KEY'
    told = subprocess.run(
        ["bash", "-c", "\n".join(command_lines(line, width))], capture_output=True, text=True, check=True
    )
    assert told.stdout == "secret\n"


@pytest.mark.parametrize("name", ["Bob's box", '24" box', "'x", '"; touch PWN; #'])
def test_a_label_stands_above_a_command_of_several_lines(name: str) -> None:
    """So that the command can be copied, and the name of a computer is no word of it."""
    line = "vllm serve a/b --chat-template-kwargs '{\"enable_thinking\": true}' --port 8000 --host 0.0.0.0"
    told = [drawn.plain for drawn in drawn_lines([Command(line, f"on {name}: ")], "en", 60)]
    assert told[0] == f"on {name}:"
    assert max(map(cells, told)) <= 60
    script = "\n".join(told[1:])
    words = subprocess.run(
        ["bash", "-c", f"vllm() {{ printf '%s\\n' \"$@\"; }}\n{script}"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert words == shlex.split(line)[1:]


def test_a_label_stands_before_a_command_of_one_line() -> None:
    assert [x.plain for x in drawn_lines([Command("vllm serve a/b", "on box: ")], "en", 60)] == [
        "on box: vllm serve a/b"
    ]


def test_a_quote_that_does_not_end_stays_as_it_is() -> None:
    line = "echo 'a " + "b " * 60
    assert command_lines(line, 40) == [line]
