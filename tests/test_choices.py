"""What an option lets choose has Japanese names, and each names a value that the option takes."""

from __future__ import annotations

from typing import get_args

import pytest

from gyakusan.choices import CHOICE_WORDS, choice, in_japanese
from gyakusan.engines.base import System
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.request.request import Prefer, SpokenLanguage, Task
from gyakusan.text import LANGUAGES

VALUES = {
    "task": get_args(Task), "language": get_args(SpokenLanguage), "prefer": get_args(Prefer), "os": get_args(System),
    "lang": LANGUAGES, "flash-attention": ("auto", "on", "off"),
    "kind": ("devices", "machines", "models", "embeddings"),
}  # fmt: skip


@pytest.mark.parametrize("option", CHOICE_WORDS)
def test_each_value_has_a_japanese_name_and_each_name_a_value(option: str) -> None:
    assert set(CHOICE_WORDS[option].values()) == set(VALUES[option])
    for value in VALUES[option]:
        assert choice(f"--{option}", in_japanese(option, value)) == value


def test_other_words_stay() -> None:
    assert choice("--task", "料理") == "料理"
    assert choice("--model", "日本語") == "日本語"
    assert in_japanese("task", "none") == ""


def test_a_request_reads_them() -> None:
    request = parse_request({"task": "コーディング", "language": "日本語", "prefer": "速度", "also": "翻訳:users=2"})
    assert (request.task, request.language, request.prefer) == ("coding", "ja", "speed")
    assert [r.task for r in request.colocated] == ["translation"]
