"""What a parser says of a text is said in the reader's language, with the place."""

from __future__ import annotations

import pytest

from gyakusan.doors.parse import JSON_TEXTS, TOML_TEXTS, json_value, toml_value
from gyakusan.errors import BadSetting, GyakusanError
from gyakusan.message import Message
from gyakusan.text import tell


def refuse(problem: Message) -> GyakusanError:
    return BadSetting("{problem}", problem=problem)


TOML = {
    "users = \n": "1行9列: 値が正しくありません",
    'device = "RTX\n': "使えない文字",
    "users 5": "キーの後に「=」がありません",
    "a = 1 b = 2": "余分な文字",
    "a = 1\na = 2": "値を上書きしています",
    "[a\n": "「]」で終わっていません",
    "[[a]\n": "「]]」で終わっていません",
    "a = [1,": "末尾: 値が正しくありません",
    "a = [1 2]": "配列が閉じていません",
    "a = {b = 1": "閉じていません",
    'a = "\\z"': "エスケープされていません",
    'a = "\\uZZZZ"': "16進数",
    "a = 2026-02-30": "日付",
    "[a]\n[a]": "2回定義",
    "a = {b = 1, b = 2}": "重複",
    "= 1": "行の形",
    "a. = 1": "キーの先頭",
    'a = "': "閉じていません",
    "a = 5.": "",
}


@pytest.mark.parametrize(("text", "told"), TOML.items())
def test_toml_problems_are_japanese(text: str, told: str) -> None:
    with pytest.raises(BadSetting) as raised:
        toml_value(text, refuse)
    words = tell(raised.value.message, "ja")
    assert told in words
    for word in ("at line", "Expected", "Invalid", "Cannot", "Unclosed", "Illegal", "end of document"):
        assert word not in words


def test_json_problems_are_japanese() -> None:
    with pytest.raises(BadSetting) as raised:
        json_value('{"users": }', refuse)
    assert tell(raised.value.message, "ja") == "1行11列: 値がありません"


@pytest.mark.parametrize("text", [*JSON_TEXTS, *TOML_TEXTS])
def test_every_known_message_has_words_of_its_own(text: str) -> None:
    assert tell(Message(text), "ja") != text
