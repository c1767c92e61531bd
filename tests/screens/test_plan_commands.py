"""What issue 10 shows: six questions answered on one screen, in the question's currency, each command ready to paste."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from rich.cells import cell_len
from tests.screens.conftest import Screen

QUESTIONS = {
    "plan --budget 1000000JPY --users 5 --context 32k --language ja": "JPY",
    "plan --device 'RTX 4090'": "",
    "plan --device 'RTX 3060 12GB' --ram 64GiB": "",
    "plan --device '8x H100'": "",
    "plan --budget 100000JPY": "JPY",
    "plan --budget 3000USD": "USD",
}
"""Question -> its currency, "" where nothing is bought."""
MONEY = {
    "JPY": r"\d\s?yen|\bJPY\b|\d円|¥|yen$|円$",
    "USD": r"\bUSD\b|\d\s?dollars|\$\d|ドル",
    "EUR": r"\bEUR\b|€|ユーロ",
}
CONVERTED = re.compile(
    r"[\d,]+(?: USD| yen|円|ドル)\s[x/]\s[\d.]+|1(?: USD|ドル) =\s+[\d.]+(?: yen|円)|[\d,]+(?:円|ドル)から換算\([^)]*\)"
    r"|\d+ cheaper machines?, not tried here, ha(?:s|ve) a price in [A-Z]+ only: --currency [A-Z]+"
    r"|[A-Z]+建て[^\n]*--currency [A-Z]+"
)
"""A price as a shop had it, with the rate that led to the question's currency; the option that asks in another one."""
ROW = re.compile(r"^ (\d)  \S", re.MULTILINE)
PLACEHOLDER = re.compile(r"<[^>]*>|\.\.\.|…|\$\{?[A-Z_]+")
LINES = 24


def numbers(text: str) -> list[str]:
    """The numbers of the plans of an answer."""
    return list(dict.fromkeys(ROW.findall(text)))


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("words", QUESTIONS)
def test_one_screen_in_the_questions_currency(words: str, language: str, printed: Screen) -> None:
    head, text = printed(words, 80, language).split("\n", 1)
    assert head == "exit 0"
    assert len(text.splitlines()) <= LINES
    assert [line for line in text.splitlines() if cell_len(line) > 80] == []
    assert "…" not in text
    own, left = QUESTIONS[words], CONVERTED.sub("", re.sub(r"\n {8,}", " ", text))
    assert [c for c, words_of in MONEY.items() if re.search(words_of, left, re.MULTILINE)] == ([own] if own else [])
    assert 1 <= len(numbers(text)) <= 6


@pytest.mark.parametrize("words", QUESTIONS)
def test_every_command_is_one_line_that_a_shell_reads(words: str, printed: Screen) -> None:
    shell = shutil.which("bash")
    assert shell is not None
    for number in numbers(printed(words)):
        head, command = printed(f"{words} --command {number}").split("\n", 1)
        assert head == "exit 0"
        assert len(command.splitlines()) == 1
        assert PLACEHOLDER.search(command) is None
        done = subprocess.run([shell, "-n", "-c", command], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_what_no_shell_reads_would_be_seen() -> None:
    done = subprocess.run(["bash", "-n", "-c", "vllm serve <a model>"], capture_output=True, check=False)
    assert done.returncode != 0
    assert PLACEHOLDER.search("vllm serve $MODEL")
