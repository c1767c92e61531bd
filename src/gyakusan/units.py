"""Parse and print quantities with units, in one place. Inside, bytes are bytes [B]."""

from __future__ import annotations

import re

from gyakusan.errors import BadQuantity
from gyakusan.message import quoted
from gyakusan.numerals import in_digits
from gyakusan.patterns import late

KIB, MIB, GIB, TIB = 2**10, 2**20, 2**30, 2**40

_BYTES = {
    "b": 1,
    "kib": KIB,
    "mib": MIB,
    "gib": GIB,
    "tib": TIB,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
}
_COUNT = {"": 1, "ki": 1024, "mi": 2**20}
_LENGTHS, _AMOUNTS = {"k": 1024, "m": 2**20}, {"k": 1000, "m": 10**6}
_COUNTED, _TOKENS = re.compile(r"(?<=.)[人名件台枚]$"), re.compile(r"(?<=.)トークン$")
"""How Japanese counts people, requests, computers and GPUs; and tokens."""
_QUANTITY = late(r"\s*([+-]?\d{1,15}(?:[_,]\d{3})*(?:\.\d{1,9})?)\s*([A-Za-z]{0,3})\s*")


def parse_bytes(text: str) -> int:
    """Return the bytes of "24 GiB" [B]. A unit is required: GiB (1024^3) and GB (1000^3) differ by 7 %.

    Raises BadQuantity for no number, no unit, an unknown unit, or a size that is not positive.
    """
    number, unit = _split(in_digits(text), text)
    factor = _BYTES.get(unit.casefold())
    if not unit:
        raise BadQuantity(
            "{text} has no unit.",
            text=quoted(_short(text)),
            number=number.lstrip("+-"),
            mend="Write {number}GiB or {number}GB.",
        )
    if factor is None:
        raise BadQuantity("{unit} is not a unit of memory.", unit=quoted(unit), mend="Use MiB, GiB, TiB, MB, GB or TB.")
    value = round(float(number) * factor)
    if not 0 < value < 2**60:
        raise BadQuantity(
            "{text} is outside the range of memory sizes.",
            text=quoted(_short(text)),
            mend="Give a size above 0, e.g. 24GiB.",
        )
    return value


def parse_count(text: str | int, *, at_least: int = 1, at_most: int = 2**31 - 1, length: bool = True) -> int:
    """Return the whole number of "128k", "131072", "3万" or "五人".

    Raises BadQuantity outside at_least .. at_most and for no whole number.

    length: of a context, a prompt or an answer, whose k is 1,024 [tokens]; False for people, requests and budgets of tokens,
        whose k is 1,000
    """
    written = in_digits(str(text)).strip()
    if not any(c.isdigit() for c in written):
        raise _no_count(str(text), length=length)
    digits = (_TOKENS if length else _COUNTED).sub("", written)
    if len(digits) > 64 or not _QUANTITY.fullmatch(digits):
        raise _no_count(str(text), length=length)
    number, unit = _split(digits, str(text))
    factor = {**_COUNT, **(_LENGTHS if length else _AMOUNTS)}.get(unit.casefold())
    if factor is None:
        raise _no_count(str(text), length=length)
    value = float(number) * factor
    if value != int(value):
        raise _no_count(str(text), length=length)
    if not at_least <= value <= at_most:
        raise BadQuantity(
            "{text} is out of range.",
            text=quoted(_short(str(text))),
            low=f"{at_least:,}",
            high=f"{at_most:,}",
            mend="Give a whole number from {low} to {high}.",
        )
    return int(value)


def _no_count(text: str, *, length: bool) -> BadQuantity:
    mend = "Write 32768 or 32k." if length else "Write a whole number, e.g. 5."
    return BadQuantity("A whole number was expected, not {text}.", text=quoted(_short(text)), mend=mend)


def format_bytes(value: float | None, digits: int = 2) -> str:
    """Return "24.00 GiB" for 25769803776 [B]: binary units only, so that GiB and GB never mix. None gives "?"."""
    if value is None:
        return "?"
    size = abs(value)
    for name, factor in (("TiB", 1024 * GIB), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if size >= factor and not (name == "TiB" and size < 4 * TIB):
            return f"{value / factor:,.{digits}f} {name}"
    return f"{value:,.0f} B"


def format_decimal(value: float) -> str:
    """Return "9.0 GB" for 9.0e9 [B]: decimal gigabytes, as registries list file sizes."""
    return f"{value / 1e9:.1f} GB" if value >= 1e9 else f"{value / 1e6:.0f} MB"


def format_count(value: float) -> str:
    """Return "14.8 B" for 14770033664, "131,072" for 131072: parameters are rounded, tokens are not."""
    for name, factor in (("T", 1e12), ("B", 1e9), ("M", 1e6)):
        if value >= (factor if name == "M" else 0.9995 * factor):
            share = value / factor
            return f"{share:.3g} {name}" if share < 999.5 else f"{share:,.0f} {name}"
    return f"{value:,.0f}"


def _split(text: str, typed: str = "") -> tuple[str, str]:
    """Return number and unit. typed: as the user wrote it, if that differs."""
    match = _QUANTITY.fullmatch(text) if len(text) <= 64 else None
    if match is None:
        raise BadQuantity(
            "A quantity was expected, not {text}.",
            text=quoted(_short(typed or text)),
            mend="Write a number and a unit, e.g. 24GiB.",
        )
    return match[1].replace(",", "").replace("_", ""), match[2]


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
