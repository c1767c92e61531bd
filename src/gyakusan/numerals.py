"""Numbers as Japanese writes them: 五, 二十, 3万2千, 百万, 1億2,000万."""

from __future__ import annotations

import re

DIGITS = {c: str(n) for n, c in enumerate("〇一二三四五六七八九")} | {"零": "0"}
SMALL = {"十": 10, "百": 100, "千": 1000}
LARGE = {"万": 10**4, "億": 10**8, "兆": 10**12}
KANJI = "".join((*DIGITS, *SMALL, *LARGE))
LONGEST = 64
"""No number is written with more. [characters]"""
_WRITTEN = rf"(?a:[\d,_.]*[{KANJI}][\d,_.{KANJI}]*(?![\d,_.{KANJI}]*[kKmM]\b))"
"""A number with kanji; one that goes on with k or m is none: nobody says which of the two multiplies."""
FULL_WIDTH: dict[int, str | int] = {
    0x3000: " ",
    0xFFE0: "¢",
    0xFFE1: "£",
    0xFFE5: "¥",
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
}
"""Letters, digits and signs that are two cells wide -> the usual ones. NFKC would also read 3² as 32 and ① as 1."""
_GROUPED = re.compile(r"(\d+|\d{1,3}(?:,\d{3})+|\d{1,3}(?:_\d{3})+)(\.\d+)?", re.ASCII)
"""Digits, their groups of three separated by commas. A comma is no decimal point here, and a point no separator."""


def number(text: str) -> float | None:
    """Return the value of "1,000,000", "2500.50", "100万", "百万", "1億2000万" or "5千"; None for what is no number."""
    if text[:1] in ("+", "-"):
        value = None if text[1:2] in ("+", "-") else number(text[1:])
        return None if value is None else -value if text[0] == "-" else value
    if "." in text and "," in text and text.rindex(",") > text.index("."):
        return None
    *large, rest = re.split("(?<=[兆億万])", text)
    total, last = 0.0, float("inf")
    for part in large:
        unit = LARGE[part[-1]]
        value = 1.0 if part[:-1] == "" and last == float("inf") else _below(part[:-1])
        if value is None or unit >= last:
            return None
        total, last = total + value * unit, unit
    value = 0.0 if large and not rest else _below(rest)
    return None if value is None or value >= last else total + value


def in_digits(text: str) -> str:
    """Return text with full-width letters as usual ones, and numbers that have kanji in digits: "五人" is "5人", "3万" "30000".

    What is longer than any number stays as it is, and so does what is no number ("千百千").
    """
    if text.isascii() or len(text) > LONGEST:
        return text
    return re.sub(_WRITTEN, _digits, half_width(text))


def half_width(text: str) -> str:
    """Return text with letters, digits and signs of full width as usual ones."""
    return text.translate(FULL_WIDTH)


def _digits(written: re.Match[str]) -> str:
    value = number(written[0])
    return written[0] if value is None else f"{value:.12g}" if value % 1 else f"{value:.0f}"


def _below(text: str) -> float | None:
    """Return the value of a number below 万: "2,500.50", "5千", "千二百", "1.5百"; None for what is none."""
    *small, rest = re.split("(?<=[千百十])", text)
    total, last = 0.0, float("inf")
    for part in small:
        unit = SMALL[part[-1]]
        value = 1.0 if part[:-1] == "" else _plain(part[:-1])
        if value is None or unit >= last or (value >= 10 and total > 0):
            return None
        total, last = total + value * unit, unit
    value = 0.0 if small and not rest else _plain(rest)
    return None if value is None or value >= last else total + value


def _plain(text: str) -> float | None:
    """Return the value of digits with their groups, None if there are none or the groups are not of three digits."""
    digits = "".join(DIGITS.get(c, c) for c in text)
    whole = _GROUPED.fullmatch(digits)
    return float(re.sub("[,_]", "", digits)) if whole else None
