"""Values of an address as they were understood: what a form is filled with, and what its slider can read.

"５人" is answered for 5 people, but a field of numbers shows nothing of it, and its button would then ask about nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gyakusan.choices import CHOICE_WORDS, choice
from gyakusan.errors import GyakusanError
from gyakusan.numerals import half_width
from gyakusan.planning.request.money import parse_currency, parse_money
from gyakusan.units import parse_count

_PLAIN: Mapping[str, re.Pattern[str]] = {
    "users": re.compile(r"\d+", re.ASCII),
    "context": re.compile(r"\d[\d,]*k?", re.ASCII | re.IGNORECASE),
    "budget": re.compile(r"\d[\d,]*(?:\.\d+)? ?(?:JPY|USD|EUR|CHF)", re.ASCII | re.IGNORECASE),
    "currency": re.compile("[A-Z]{3}"),
}
"""Name -> what fields and sliders read as it is typed."""


def understood(name: str, value: str) -> str:
    """Return a value as a field of the page shows it: counts and money in digits, a currency and a choice by its letters.

    What cannot be read stays as it is.

    name: of the value in the address
    """
    if name in CHOICE_WORDS:
        return choice(name, half_width(value))
    plain = _PLAIN.get(name)
    if plain is None or plain.fullmatch(value):
        return value
    try:
        if name == "currency":
            return parse_currency(value)
        if name == "budget":
            money = parse_money(value)
            return f"{money.amount:.12g}{money.currency}"
        return str(parse_count(value, length=name == "context"))
    except GyakusanError:
        return value
