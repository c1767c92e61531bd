"""Japanese lines break where a reader expects it, and nothing is lost."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from tests.show.drawing import text_of

import gyakusan
from gyakusan.message import say
from gyakusan.show import terminal
from gyakusan.show.styled import Styled
from gyakusan.show.terminal import PIPE, Terminal, prefers_ascii
from gyakusan.show.tree import Column, Fact, Facts, Next, Pause, Question, Table, Text, Verdict, whole
from gyakusan.show.wrapping import breaks, cells, in_ascii, unbroken_commands, wrapped

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


def test_a_run_of_brackets_is_read_once() -> None:
    """Each bracket was tried with all that follow it: this text took minutes."""
    text = "word " + "(" * 60_000 + " word"
    assert "".join(lines(text, 40)) == text
    assert lines("one two ((three) four", 12) == ["one two ", "((three) ", "four"]


ANSWER = (
    Verdict((say("Run gemma-4-26B-A4B on the {gpu}: 87 tokens/s for each of 4 people.", gpu=whole("RTX 4090")),)),
    Pause(),
    Question(("4 people chatting, 32,768 tokens each; at least 10 tokens/s after thinking (default)",)),
    Facts((Fact("Speed", ("200 tokens/s (169-238)", "prompts 10,200")), Fact("At most", ("131,072 tokens",)))),
    Pause(),
    Next((whole("gyakusan serve 1"), whole("gyakusan plan --details 1"))),
)


def test_an_answer() -> None:
    assert text_of(*ANSWER, width=50).splitlines() == [
        "Run gemma-4-26B-A4B on the RTX 4090: 87 tokens/s",
        "for each of 4 people.",
        "",
        "For: 4 people chatting, 32,768 tokens each; at",
        "     least 10 tokens/s after thinking (default)",
        "Speed    200 tokens/s (169-238)",
        "         prompts 10,200",
        "At most  131,072 tokens",
        "",
        "Next: gyakusan serve 1",
        "      gyakusan plan --details 1",
    ]


@pytest.mark.parametrize("width", range(30, 130))
def test_names_amounts_and_commands_are_whole_on_their_lines(width: int) -> None:
    text = text_of(*ANSWER, width=width)
    for name in ("gemma-4-26B-A4B", "RTX 4090", "87 tokens/s", "4 people", "gyakusan plan --details 1"):
        assert any(name in line for line in text.splitlines()), name
    assert all(cell_len(line) <= max(width, 31) and line == line.rstrip() for line in text.splitlines())


def test_prose_is_no_wider_than_100_cells() -> None:
    assert max(map(len, text_of(Text("word " * 60), width=200).splitlines())) in range(95, 101)


def test_a_plus_minus_may_take_two_cells() -> None:
    assert text_of(Text("quality 80 ±2"), width=13) == "quality 80\n±2\n"
    assert text_of(Text("quality 80 ±2"), width=14) == "quality 80 ±2\n"
    assert text_of(Text("quality 80 ±2"), ascii_only=True) == "quality 80 +-2\n"


class Screen(io.StringIO):
    """A terminal that keeps what is written."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


def test_what_comes_next_is_for_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(terminal, "PIPE", PIPE)
    pipe, screen = io.StringIO(), Screen()
    for out in (pipe, screen):
        monkeypatch.setattr("sys.stdout", out)
        Terminal("en").show(*ANSWER, Text("word " * 24))
        Terminal("en").show(*ANSWER)
    assert "Next" not in pipe.getvalue()
    assert "Next: gyakusan serve 1" in screen.getvalue()
    assert pipe.getvalue().endswith("131,072 tokens\n")
    assert 70 < max(map(len, pipe.getvalue().splitlines())) <= 80, "people read what goes through head or less"


def test_the_verb_carries_the_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for language, verb in (("en", "does not fit"), ("ja", "収まらない")):
        out = Screen()
        monkeypatch.setattr("sys.stdout", out)
        Terminal(language, colour=True).show(Verdict((f"It *{verb}* here.",), tone="fails"))
        assert out.getvalue() == f"It \x1b[1;31m{verb}\x1b[0m here.\n"


@pytest.mark.parametrize(
    ("environment", "encoding", "ascii_only"),
    [
        ({}, "utf-8", False),
        ({"GYAKUSAN_ASCII": "1"}, "utf-8", True),
        ({"TERM": "linux"}, "utf-8", True),
        ({"TERM": "dumb"}, "utf-8", True),
        ({"TERM": "dumb", "GYAKUSAN_ASCII": "0"}, "utf-8", False),
        ({}, "cp932", True),
    ],
)
def test_ascii(environment: dict[str, str], encoding: str, ascii_only: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GYAKUSAN_ASCII", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert prefers_ascii(io.TextIOWrapper(io.BytesIO(), encoding=encoding)) is ascii_only


def test_control_characters_of_a_name_do_not_reach_the_terminal() -> None:
    drawn = [line.plain for line in terminal.lines([Text("a\x1b[31mb\u202ec")], "en", 80)]
    assert drawn == ["a?[31mb?c"]


TEXTS = json.loads((Path(gyakusan.__file__).parent / "locale" / "ja.json").read_text("utf-8")).values()
CLOSING = "、。，．）)」』】!！?？:：%％・…ぁぃぅぇぉっゃゅょァィゥェォッャュョー々"
BROKEN = re.compile(
    rf"\n[{CLOSING}]|[（(「『【]\n"  # the rules of Japanese lines
    r"|[A-Za-z0-9_]\n[A-Za-z0-9_]"  # a word in Latin letters
    r"|\d ?\n *(?:[KMGT]i?B|GB/s|W\b|人|円|枚|秒|件|トークン)"  # a number and its unit
    r"|[ァ-ヺー]\n[ァ-ヺー]|[一-龠]\n[一-龠]|[\d%]\n[一-龠]|ン/\n秒|か\n月"  # a Japanese word
)


@pytest.mark.parametrize("width", [38, 56, 80, 100])
def test_no_japanese_sentence_breaks_inside_a_word(width: int) -> None:
    broken = {}
    for text in TEXTS:
        told = "\n".join(lines(text.replace("\n", " "), width))
        if found := BROKEN.search(told):
            broken[text] = told[max(0, found.start() - 8) : found.end() + 8]
    assert broken == {}


@pytest.mark.parametrize(
    ("text", "width", "first"),
    [
        ("ちょうど48 GiBになります。", 12, "ちょうど"),
        ("増やすには --spare 1 を指定してください。", 20, "増やすには"),
        ("使えるのは'M4 Max 128GB'だけです。", 16, "使えるのは"),
        ("モデルを読み込めません。", 14, "モデルを"),
        ("OLLAMA_CONTEXT_LENGTH_OF_A_SERVERを見る", 20, "OLLAMA_CONTEXT_LENGTH_OF_A_SERVER"),
        ("速さは毎秒84トークン/秒です。", 22, "速さは"),
        ("区間は人数ごとの80%区間です。", 26, "区間は人数ごとの"),
        ("これで終わりです……。", 18, "これで"),
        ("本体込み、予算1,000,000円で、", 16, "本体込み、"),
        ("KVキャッシュ0.00、余裕56.4", 24, "KVキャッシュ0.00、"),
        ("使用メモリは最大0.92 GiBです。", 18, "使用メモリは"),
        ("思考でトークン数1.9倍", 16, "思考で"),
        ("PATHに置いてください: pip install vllm", 36, "PATHに置いてください:"),
        ("次を実行します: pip install 'gyakusan[mlx]'を", 30, "次を実行します:"),
    ],
)
def test_what_stays_together(text: str, width: int, first: str) -> None:
    assert lines(text, width)[0].rstrip() == first


@pytest.mark.parametrize(
    ("environment", "wide"),
    [
        ({"LANG": "ja_JP.UTF-8"}, False),
        ({"LANG": "ja_JP.eucJP"}, True),
        ({"LANG": "ja_JP.eucJP", "LC_ALL": "C.UTF-8"}, False),
        ({"LANG": "C", "LC_CTYPE": "ja_JP.SJIS"}, True),
        ({"LANG": "ja_JP.UTF-8@cjkwide"}, True),
        ({"LANG": "ja_JP.UTF-8", "VTE_CJK_WIDTH": "wide"}, True),
        ({"LANG": "zh_CN.GB18030"}, True),
    ],
)
def test_terminals_whose_signs_are_two_cells_wide(
    environment: dict[str, str], wide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GYAKUSAN_ASCII", "LC_ALL", "LC_CTYPE", "LANG", "VTE_CJK_WIDTH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert prefers_ascii(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")) is wide


def test_in_ascii_no_sign_of_unsure_width_is_left() -> None:
    """Every sign of our own sentences whose East Asian Width is ambiguous (UAX 11) has one in ASCII."""
    unsure = {c for text in (*TEXTS, "±×÷█▒…—") for c in text if unicodedata.east_asian_width(c) == "A"}
    assert len(unsure) >= 7
    assert {c for c in unsure if not in_ascii(c).isascii()} == set()


def test_tables_line_up_where_signs_are_ascii() -> None:
    table = Table((Column("品質"), Column("円", "number")), (("80 ±2", "1"), ("2× … —", "22"), ("plain", "3")))
    drawn = text_of(table, ascii_only=True).splitlines()
    assert drawn == ["品質      円", "80 +-2     1", "2x ... -  22", "plain      3"]


def test_a_command_in_an_error_is_not_broken() -> None:
    told = unbroken_commands('See `gyakusan plan FILE`, or gyakusan plan --device "RTX 4090" で入力してください。')
    pieces = [line.plain for line in wrapped(Styled(told), 30)]
    assert any(whole('gyakusan plan --device "RTX 4090"') in piece for piece in pieces)
    assert any(whole("`gyakusan plan FILE`") in piece for piece in pieces)


TIED = (
    "GPU 2枚以下、|トークン/秒は|1人あたり|(80%区間)",
    "余裕は|13.5 GiB以上です。",
    "TTFTが|1分40秒を|超えるもの",
    "2.5未満や|TTFT 1分40秒超はほかにない|場合のみ|(既定)",
    "速度は|57 - 194、|0.3秒 - 1.2秒",
    "llama.cpp |b11434、|KVキャッシュf16",
    "olmo3-32b、|ほか77件",
    "帯域幅を |--bandwidth 80GB/s のように|指定",
    "JSON|(スキーマは |gyakusan schema)",
    "AI |PRO |R9700搭載PC|(456,666円)を|買い",
    "価格は|9月のもの、|1ドル = 157.93円",
    "AVX2向け。|トークン数、|モデル名",
    "このコマンドだけなら、|このコンピューターから",
    "品質66 ±2、|手前で|待ち受け",
)
"""Where Japanese lines may break, and nowhere else."""


@pytest.mark.parametrize("marked", TIED)
def test_a_japanese_line_breaks_between_phrases_only(marked: str) -> None:
    text = marked.replace("|", "")
    allowed = {len(marked[:at].replace("|", "")) for at, letter in enumerate(marked) if letter == "|"}
    longest = max(cells(part) for part in marked.split("|"))
    taken = {start for width in range(longest, cells(text)) for start in breaks(text, width)}
    assert taken <= allowed
    assert taken


@pytest.mark.parametrize("width", range(4, 16))
def test_no_line_ends_inside_a_katakana_word(width: int) -> None:
    """Not even in a column that is narrower than what belongs together, unless it is narrower than the word."""
    words = ("サーバー", "メモリ", "モデル")
    text = whole(f"{words[0]}の {words[1]}と {words[2]}")
    found = [line.strip() for line in lines(text, width)]
    assert [w for w in words if cell_len(w) <= width and not any(w in line for line in found)] == []


@pytest.mark.parametrize("width", range(24, 61))
def test_no_date_and_no_error_breaks(width: int) -> None:
    text = "新品、2025年12月の価格、2026年11月30日。品質は6 ±4点高いものの、価格が高くなります。"
    text += "予算300,000円、余裕56.4、回答は14.1 GiBです"
    starts = [0, *breaks(text, width), len(text)]
    lines = [text[a:b].rstrip() for a, b in pairwise(starts)]
    for figure in ("2025年12月", "2026年11月30日", "6 ±4点", "14.1 GiB", "予算300,000円", "余裕56.4"):
        assert any(figure in line for line in lines), lines
