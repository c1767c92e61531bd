"""Where lines break: between words, never inside a number with its unit, a name or a Japanese word.

Widths are East-Asian widths in cells; a line may be as wide as the screen less one cell for each "±", which some
terminals draw two cells wide.
"""

from __future__ import annotations

import re
from functools import cache

from rich.cells import cell_len

from gyakusan.show.styled import Styled
from gyakusan.show.tree import FIXED

PROSE = 100
"""The widest line of prose. [cells]"""
WIDEST = 120
"""Nothing grows beyond it. [cells]"""

_WIDE = "\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef"
_OPEN = "「(\\["
_CLOSE = "、。」』】)\\]:%.,;!?！？：％）・…"
_SMALL = "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ々ー"
_SECOND = "込出直方合当付消返続始終切換替戻"
"""Second parts of words like 読み込み; their line does not break behind the first part."""
_FOLLOWED = str.maketrans("", "", ":%.,;!?")
_UNITS = "[KMGT]i?B(?:/s)?|tokens/s|tokens|people|yen|USD|GB/s|min|ms|[Wshx%]"
_NUMBER = rf"[-+±]?\d[\d.,]*(?: - \d[\d.,]*)? (?:{_UNITS})(?![A-Za-z0-9_/])"

_JAPANESE = r"\d{4}年(?:\d{1,2}月(?:\d{1,2}日)?)?|\d[\d.]* ±\d[\d.]*[一-龠]*"
"""A date, and a figure with its error."""
_INSTALL = r"pip install (?:-U )?(?:'[^'\n]{1,40}'|[A-Za-z0-9._-]{1,40})"
"""What is typed to install a package: a copy of it from the screen can be pasted."""
_LABELLED = rf"[ァ-ヺー]{{0,8}}[一-龠々]{{1,6}}(?:{_NUMBER}|[-+±]?\d[\d.,]*)"
"""A label and its figure: 予算1,000,000円, 余裕56.4, 最大0.92 GiB."""


@cache
def _unit(*, wide: bool) -> re.Pattern[str]:
    """Return the pattern of what stays together.

    A number with its unit, a word in Latin letters, katakana or kanji with the hiragana behind it; each with the brackets
    and stops that belong to it, what a fixed blank ties to it, and the blanks behind.
    wide: the text has wide letters; the pattern without them is compiled eight times as fast, and finds the same elsewhere
    """
    quoted = (
        r"(?<![A-Za-z0-9_])(?:'[^'\n]{1,40}'|\"[^\"\n]{1,40}\")(?![A-Za-z0-9_])"  # a name with blanks, as it is typed
    )
    latin = rf"[^ \t\n{FIXED}{_WIDE if wide else ''}{_OPEN}]+(?:[(\[][!-~]+)?"  # a bracket inside a word: print(1)
    word = rf"{quoted}|{_INSTALL}|{_NUMBER}|{latin}"
    rate = "[ァ-ヺー]+(?:/[一-龠]+)?"  # also トークン/秒
    if wide:
        word = (
            rf"{_JAPANESE}|[A-Za-z]{{1,4}}[ァ-ヺー]+|(?:{_LABELLED}|{word})(?:(?<=[\d%])(?:{rate}|[一-龠]+)| (?=[ぁ-ん]))?|{rate}"
            rf"|[一-龠々]+(?:[ぁ-ん](?:[{_SECOND}])[一-龠々]*)?|[{_WIDE}]"
        )
    close = rf"(?:[:%.,;!?](?![!-~])|[{_CLOSE.translate(_FOLLOWED)}])*" if wide else f"[{_CLOSE}]*"
    whole = rf"[{_OPEN}]{{0,8}}(?:(?:{word}){'[ぁ-ん]*' if wide else ''}|$){close}"
    return re.compile(rf"\n|[ \t]+|(?:{whole})(?:{FIXED}+(?:{whole}))*{FIXED}*[ \t]*")


def has_wide(text: str) -> bool:
    """Return True for a text with Japanese letters or signs."""
    return re.search(f"[{_WIDE}]", text) is not None


def cells(text: str) -> int:
    """Return the width of a line [cells]; "±" counts as two."""
    return cell_len(text) + text.count("±")


def breaks(text: str, width: int, hanging: int = 0) -> list[int]:
    """Return where lines begin so that none is wider than `width` cells, unless it is one name.

    hanging: cells by which each line but the first is narrower
    """
    starts: list[int] = []
    used = 0
    if "\n" not in text and cells(text) <= width:
        return starts
    for match in _unit(wide=max(text, default="") >= "\u3000").finditer(text):
        unit = match[0]
        size = cells(unit.rstrip(" "))
        if used > (hanging if starts else 0) and unit != "\n" and used + size > width:
            starts.append(match.start())
            used = hanging
        used = 0 if unit == "\n" else used + cells(unit)
        if used > width and size > width and has_wide(unit):
            used = _inside(match, width, hanging, starts)
    return starts


def _inside(match: re.Match[str], width: int, hanging: int, starts: list[int]) -> int:
    """Break a Japanese unit that is wider than a line between its letters. Returns the cells of its last line.

    Words in Latin letters stay whole, and the rules of Japanese lines hold: nothing that closes, and no small letter,
    begins a line; nothing that opens ends one.
    """
    used = hanging if starts else 0
    for part in _PARTS.finditer(match[0]):
        size = cells(part[0].rstrip(" "))
        if used + size > width and used > (hanging if starts else 0):
            starts.append(match.start() + part.start())
            used = hanging
        used += cells(part[0])
    return used


_PARTS = re.compile(rf"[{_OPEN}]*(?:[!-~{FIXED}]+|.)[{_CLOSE}{_SMALL}]* *", re.DOTALL)
"""What stays together even in a unit that is wider than a line."""


def wrapped(text: Styled, width: int, hanging: int = 0) -> list[Styled]:
    """Return the lines of a text, none with blanks at its end. hanging: blanks before each but the first [cells]."""
    lines: list[Styled] = []
    for paragraph in text.lines():
        plain = paragraph.plain
        starts = breaks(plain, width - hanging) if hanging and lines else breaks(plain, width, hanging)
        for line in paragraph.divide(starts):
            line.rstrip()
            lines.append(line if not lines or not hanging else Styled(" " * hanging).append_text(line))
    return lines


_ASCII = {
    "█": "#", "▒": "=", "×": "x", "÷": "/", "…": "...", "—": "-", "–": "-", "‘": "'", "’": "'", "“": '"', "”": '"',
    "●": "*", "○": "o", "■": "#", "□": "o", "→": "->", "←": "<-", "↑": "^", "↓": "v", "·": "-", "±": "+-",
}  # fmt: skip
"""Signs that some terminals draw two cells wide -> what stands for them in ASCII; the bars, as a legend calls them, too."""


def in_ascii(text: str) -> str:
    """Return a text with signs in ASCII for those whose width is not the same on every terminal."""
    return text if text.isascii() else "".join(_ASCII.get(letter, letter) for letter in text)


_COMMAND = re.compile(
    r"`[^`\n]+`|\bgyakusan [a-z]+(?: --[a-z][a-z-]*(?:[ =](?:\"[^\"\n]*\"|'[^'\n]*'|[\w.:/=+-]*[\w/+]))?)*"
)


def unbroken_commands(text: str) -> str:
    """Return a text whose commands to type never break over lines: a terminal's copy of them can be pasted."""
    return _COMMAND.sub(lambda match: match[0].replace(" ", FIXED), text)
