"""Where lines break: between words, never inside a number with its unit, a name or a Japanese word.

Widths are East-Asian widths in cells; a line may be as wide as the screen less one cell for each "±", which some
terminals draw two cells wide.
"""

from __future__ import annotations

import re
from functools import cache

from rich.cells import cell_len

from gyakusan.patterns import late
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
_SECOND = "込出直方合当付消返続始終切換替戻受"
"""Second parts of words like 読み込み; their line does not break behind the first part."""
_FOLLOWED = str.maketrans("", "", ":%.,;!?")
_UNITS = "[KMGT]i?B(?:/s)?|tokens/s|tokens|people|yen|USD|GB/s|min|ms|[Wshx%]"
_NUMBER = rf"[-+±]?\d[\d.,]*(?: ?- ?\d[\d.,]*)? (?:{_UNITS})(?![A-Za-z0-9_/])"

_COUNTER = "か?[一-龠]+|[ァ-ヺー]+(?:/[一-龠]+)?"
"""What is counted, behind a number: 枚, 人, か月, トークン/秒."""
_TIME = r"\d[\d,]*(?:時間|分)\d{1,2}[分秒]"
"""A time of two units."""
_JAPANESE = (
    r"\d{4}年(?:\d{1,2}月(?:\d{1,2}日)?)?|\d[\d.]* ±\d[\d.]*[一-龠]*"
    rf"|{_TIME}"
    rf"|[<≤]?\d[\d,.]*[秒倍分]? ?- ?\d[\d,.]*(?:{_COUNTER}| (?:{_UNITS})(?![A-Za-z0-9_/]))?"
    rf"|[A-Za-z][\w.+/-]{{0,15}} (?:{_TIME}|\d[\d,.]*(?:{_COUNTER}))"
    rf"|(?:もう|あと)(?:一度[一-龠]{{0,3}}|\d+(?:{_COUNTER}))|[ァ-ヺー]+\.[a-z]{{2,5}}|\d{{4}}-\d\d-\d\d"
    r"|[A-Za-z]{0,4}[ァ-ヺー]+[A-Za-z][A-Za-z0-9_.]{0,4}(?![A-Za-z0-9_.-])|\d[\d,]*[ァ-ヺー円]+ = \d[\d,.]*円?"
)
"""A date, a figure with its error, a time of two units, a range, a thing and how many (GPU 2枚), a katakana word and its
value (KVキャッシュf16), a rate of money."""
_COMPOUND = "[一-龠々]{1,6}[ァ-ヺー]{2,8}(?![ァ-ヺー])|[ァ-ヺー]{2,8}[一-龠々]{1,4}(?![一-龠々])"
"""A word of kanji and katakana: 計算バッファ, メモリ帯域幅."""
_OPTION = r"--[a-z][a-z-]*[ =](?![-(])[!-~]+|gyakusan [a-z]+(?![\w:/=-])(?: [a-z]+(?![\w:/=-]))?"
"""An option with its value, and a command, as Japanese texts name them: they are typed in one piece."""
_ENDING = "以[上下内外降前後]|未満|不足|超過?|前後|向け|付き|搭載(?:PC|機)?|単体|[用版製側別数型系名量分中]"
"""What ends a Japanese word: none begins a line."""
_INSTALL = r"pip install (?:-U )?(?:'[^'\n]{1,40}'|[A-Za-z0-9._-]{1,40})"
"""What is typed to install a package: a copy of it from the screen can be pasted."""
_PARTICLE = "から|まで|より|なら|でし(?:た|ょう)|です|[をがはにでとのもへや]"
_LABELLED = rf"(?:ほか|[ァ-ヺー]{{0,8}}[一-龠々]{{1,6}})(?:{_NUMBER}|[-+±]?\d[\d.,]*(?: ±\d[\d.]*)?)"
"""A label and its figure: 予算1,000,000円, 余裕56.4, 最大0.92 GiB, ほか77件."""


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
        behind = rf"(?:{_ENDING})(?![一-龠])|(?<=[\d%])(?:{rate}|か?[一-龠]+)| (?=[ぁ-ん])"
        word = (
            rf"(?:[こそど]の)?(?:{_JAPANESE}|{_OPTION}|[A-Za-z]{{1,4}}[ァ-ヺー]+"
            rf"|(?:{_LABELLED}|{word})|{_COMPOUND}|{rate})(?:{behind})?"
            rf"|(?:[こそど]の)?[一-龠々]+(?:[ぁ-ん](?:[{_SECOND}])[一-龠々]*)?|[{_WIDE}]"
        )
    close = rf"(?:[:%.,;!?](?![!-~])|[{_CLOSE.translate(_FOLLOWED)}])*" if wide else f"[{_CLOSE}]*"
    whole = rf"[{_OPEN}]{{0,8}}(?:(?:{word}){'[ぁ-ん]*' if wide else ''}|$){close}"
    whole += rf"(?:(?<=[)」』])(?:{_PARTICLE}){close})?" if wide else ""
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
        if size and used > (hanging if starts else 0) and unit != "\n" and used + size > width:
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


_PARTS = late(rf"[{_OPEN}]*(?:[!-~{FIXED}]+|[ァ-ヺー]{{1,12}}|.)[{_CLOSE}{_SMALL}]* *", re.DOTALL)
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


_COMMAND = late(r"`[^`\n]+`|\bgyakusan [a-z]+(?: --[a-z][a-z-]*(?:[ =](?:\"[^\"\n]*\"|'[^'\n]*'|[\w.:/=+-]*[\w/+]))?)*")


def unbroken_commands(text: str) -> str:
    """Return a text whose commands to type never break over lines: a terminal's copy of them can be pasted."""
    return _COMMAND.sub(lambda match: match[0].replace(" ", FIXED), text)
