"""Words as one types them: plain ones stay, control characters stand by their numbers, and bash reads the word back."""

import shutil
import subprocess

import pytest

from gyakusan.doors.shell import shell_word, shell_words


@pytest.mark.parametrize(
    ("word", "typed"),
    [
        ("a.gguf", "a.gguf"),
        ("a b.gguf", "'a b.gguf'"),
        ("モデル", "'モデル'"),
        ("a\x1b[31m.gguf", r"$'a\x1b[31m.gguf'"),
        ("it's\n\\", r"$'it\x27s\x0a\x5c'"),
        ("a\x9bb", r"$'a\u009bb'"),
    ],
)
def test_a_word_is_typed_as_it_is_read(word: str, typed: str) -> None:
    assert shell_word(word) == typed
    assert shell_words(("gyakusan", word)) == f"gyakusan {typed}"


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize("word", ["a\x1b[31m.gguf", "it's\n\\ x", "\x9b", "日本語\t"])
def test_bash_reads_the_word_back(word: str) -> None:
    line = f"printf %s {shell_word(word)}"
    read = subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        timeout=30,
        check=True,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )
    assert read.stdout.decode() == word
