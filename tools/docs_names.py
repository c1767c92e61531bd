"""The nomenclature page: one name for each quantity, from docs/names.toml, and the parts of a ledger."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HEADS = {
    "en": ("in code", "in JSON", "option", "unit", "definition", "Japanese term"),
    "ja": ("用語", "定義", "単位", "コード", "JSON", "オプション"),
}

UNITS_JA = {
    "1/day": "1/日", "1/min": "1/分", "1/s": "1/秒", "JPY": "円", "JPY, % a year": "円、年率%", "JPY/kWh": "円/kWh",
    "bits": "ビット", "blocks": "ブロック", "currency": "通貨", "fraction": "割合", "h": "時間", "months": "か月", "points": "点",
    "ratio": "比", "s": "秒", "tokens": "トークン", "tokens/min": "トークン/分", "tokens/s": "トークン/秒", "values": "個",
    "B/s": "B/秒", "FLOP/s": "FLOP/秒",
}  # fmt: skip
"""Units as the Japanese page writes them; others are the same in both."""


def load() -> dict[str, Any]:
    """The table as it is written."""
    return tomllib.loads((ROOT / "docs" / "names.toml").read_text("utf-8"))


def names(section: str, language: str, _before: str) -> str:
    """The table of one section of docs/names.toml, or of the parts of a ledger."""
    if section == "parts":
        return "\n".join(_parts(language))
    rows = [q for q in load()["quantity"] if q["section"] == section]
    if not rows:
        raise ValueError(f"docs/names.toml has no section {section!r}")
    return "\n".join((*_head(HEADS[language]), *(_row(q, language) for q in rows)))


def _head(titles: tuple[str, ...]) -> tuple[str, str]:
    return "| " + " | ".join(titles) + " |", "|" + " --- |" * len(titles)


def _row(quantity: dict[str, Any], language: str) -> str:
    code, json, options = (_code(quantity[k]) for k in ("code", "json", "cli"))
    unit = quantity["unit"] or "-"
    unit = UNITS_JA.get(unit, unit) if language == "ja" else unit
    if language == "ja":
        cells = (quantity["term"], quantity["ja"], unit, code, json, options)
    else:
        cells = (code, json, options, unit, quantity["en"], quantity["term"])
    return "| " + " | ".join(cells) + " |"


def _code(words: list[str]) -> str:
    return ", ".join(f"`{w}`" for w in words) or "-"


def _parts(language: str) -> Iterator[str]:
    """The closed list of parts, as core/ledger.py documents it."""
    text = (ROOT / "src" / "gyakusan" / "core" / "ledger.py").read_text("utf-8")
    translations = load()["parts"]
    yield from _head(("part", "what it pays for") if language == "en" else ("part", "内容"))
    for name, what in re.findall(r"^([a-z_]+(?:\.[a-z_]+)?): (.+)$", text[text.index("Part = ") :], re.MULTILINE):
        if f'"{name}"' in text:
            yield f"| `{name}` | {translations[name] if language == 'ja' else what} |"
