"""Dated prices that people gathered -> data/prices.toml: only what may be shipped, of things of one size, seen in a month.

    python -m tools.prices --prices prices_2026.csv

prices: one row per price (device_or_computer, memory_gib, configuration, what, new_or_used, amount, currency,
tax_included, country, date_seen, shop_or_source, url_or_text, in_production, confidence).
Facts with a source are kept; hand-made tables without a licence (`OWN_CHECK_ONLY`) are not copied. Of a range only the
high end is kept: it is what buys the thing for certain. Prices of computers without a card, and of supplies, are rules of
thumb (`RULES_OF_THUMB`), derived from several rows or recalled, and marked so.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from gyakusan.catalog.devices import find
from gyakusan.errors import UnknownName

TARGET = Path(__file__).resolve().parent.parent / "src" / "gyakusan" / "catalog" / "data" / "prices.toml"
OWN_CHECK_ONLY = ("Sippo79", "SeverinAlexB", "Townie-au", "derived from rows")
"""Parts of the sources that are not shipped: tables without a licence, and what was derived from them."""
CURRENCIES = ("JPY", "USD", "EUR", "CHF")
ADDRESS = {
    "hogeheer499": "https://github.com/hogeheer499-commits/strix-halo-guide",
    "noonghunna": "https://github.com/noonghunna/club-3090",
}
"""Repositories with a licence, which are named besides the shop."""
LEFT_OUT = (
    ("Mac Studio M5 Max", "one reader: 64 GB"),
    ("Framework Desktop (Ryzen AI Max+ 395)", "secondary: Phoronix"),
    ("", "DIY"),
    ("", "assumption"),
    ("RTX PRO 6000 Blackwell", "rental"),
)
"""Name and words of the configuration: readers contradict each other, parts are missing, or it is nobody's price."""
CARD_INSIDE = re.compile(r"\((RTX 50[\w ]+?|RX 9[\w ]+?)\)$")
NAMES = {
    "BTO PC with RTX 5090": "RTX 5090",
    "gaming PC, RTX 5090 + Ryzen 9 9950X": "RTX 5090",
    "Tesla P100": "Tesla P100-PCIE-16GB",
    "Tesla V100 32GB": "Tesla V100-PCIE-32GB",
    "NVIDIA DGX Spark Founders Edition": "NVIDIA DGX Spark",
    "Framework Desktop (Ryzen AI Max 385)": "Framework Desktop Max 385",
    "Framework Desktop (Ryzen AI Max+ PRO 495)": "Framework Desktop Max+ PRO 495",
}
DERIVED = "derived: a complete PC of that month less the price of its card"
THUMB = "rule of thumb, derived from parts lists and shop prices of February to September 2026"
RECALLED = "recalled: price of a common power supply"
RULES_OF_THUMB = (
    ("computer without a card, 16 GB RAM, 750 W", "kit", 181000, "JPY", "2026-09", DERIVED, 16, 1, 750),
    ("computer without a card, 32 GB RAM, 850 W", "kit", 231000, "JPY", "2026-09", DERIVED, 32, 1, 850),
    ("computer for two cards, 64 GB RAM, 1,000 W", "kit", 360000, "JPY", "2026-02", THUMB, 64, 2, 1000),
    ("workstation without cards, 64 GB RAM, 1,600 W", "kit", 600000, "JPY", "2026-02", THUMB, 64, 4, 1600),
    ("power supply, 850 W", "part", 20000, "JPY", "2026-11", RECALLED, 0, 0, 850),
    ("power supply, 1,000 W", "part", 28000, "JPY", "2026-11", RECALLED, 0, 0, 1000),
    ("power supply, 1,600 W", "part", 50000, "JPY", "2026-11", RECALLED, 0, 0, 1600),
)
"""Name, what, amount, currency, month, source, RAM [GiB], cards that it takes, power of its supply [W]."""
EARLIER = (
    (
        "RTX 5090 gaming laptop PC",
        24,
        "laptop",
        550000,
        "JPY",
        "JP",
        "2025-12",
        "Qiita guide to local LLMs, 2025-12-09",
    ),
    (
        "Jetson AGX Orin Developer Kit 64GB",
        64,
        "computer",
        410000,
        "JPY",
        "JP",
        "2025-12",
        "Qiita guide to local LLMs, 2025-12-09",
    ),
    (
        "AMD Ryzen AI Halo",
        128,
        "computer",
        3999,
        "USD",
        "US",
        "2026-06",
        "https://www.compute-market.com/blog/dgx-spark-vs-strix-halo-local-ai-2026",
    ),
)
"""Prices with a size that the catalogue had before: of, size [GiB], what, amount, currency, country, month, source."""
HEADER = """\
#:schema ../schemas/prices.json
# Prices of cards, computers and what stands around a card, each of one size and seen in one month. The schema says what
# each field means. Made by tools/prices.py; append, never overwrite. confidence low: guide values and rules of thumb.
"""


def records(rows: Iterable[Mapping[str, str]]) -> Iterator[dict[str, str | int | float | bool]]:
    """Yield the prices that may be shipped and that say what was sold."""
    kept = [row for row in rows if _shipped(row)]
    high = {_range_key(row) for row in kept if row["configuration"].startswith("high end")}
    for row in kept:
        if row["configuration"].startswith("low end") and row["what"] == "card" and _range_key(row) in high:
            continue
        if (record := _record(row)) is not None:
            yield record
    for of, size, what, amount, currency, country, month, source in EARLIER:
        yield {
            "of": of,
            "size_gib": size,
            "what": what,
            "amount": amount,
            "currency": currency,
            "country": country,
            "date": month,
            "source": source,
            "confidence": "medium",
        }
    for name, what, amount, currency, month, source, ram, cards, watts in RULES_OF_THUMB:
        yield {
            "name": name,
            "what": what,
            "amount": amount,
            "currency": currency,
            "tax": "included",
            "country": "JP",
            "date": month,
            "source": source,
            "ram_gib": ram,
            "cards": cards,
            "watts": watts,
            "confidence": "low",
        }


def _shipped(row: Mapping[str, str]) -> bool:
    """Return True for a new or used price of a card or computer with amount, size and month, of a source that is shipped."""
    return (
        not any(source in row["shop_or_source"] for source in OWN_CHECK_ONLY)
        and row["currency"] in CURRENCIES
        and row["what"] in ("card", "computer", "laptop")
        and bool(row["amount"] and row["memory_gib"])
        and re.match(r"\d{4}-\d{2}", row["date_seen"]) is not None
        and row["new_or_used"] != "unknown"
        and not any(name in row["device_or_computer"] and words in row["configuration"] for name, words in LEFT_OUT)
    )


def _range_key(row: Mapping[str, str]) -> tuple[str, ...]:
    return row["device_or_computer"], row["memory_gib"], row["currency"], row["date_seen"], row["new_or_used"]


def _record(row: Mapping[str, str]) -> dict[str, str | int | float | bool] | None:
    """Return a price with the catalogue's name of what it buys, None for what the catalogue does not have."""
    size = int(row["memory_gib"])
    sold, title = _sold(row["device_or_computer"], size)
    if not sold:
        return None
    date = re.match(r"\d{4}-\d{2}(-\d{2})?", row["date_seen"])
    amount = float(row["amount"])
    words = row["configuration"]
    record: dict[str, str | int | float | bool] = {
        "of": sold,
        "size_gib": size,
        "what": row["what"],
        "amount": int(amount) if amount.is_integer() else amount,
        "currency": row["currency"],
        "tax": {"yes": "included", "no": "excluded"}.get(row["tax_included"], "unknown"),
        "country": row["country"],
        "date": date[0] if date else "",
        "source": _source(row),
        "product": title,
        "configuration": words,
        "used": row["new_or_used"].startswith("used"),
        "launch": "launch price" in words or "MSRP before" in words,
        "available": "out of stock" not in words,
        "in_production": row["in_production"],
        "confidence": row["confidence"],
    }
    ram = re.search(r"(\d+) GB (?:RAM|DDR)", words)
    return {**record, "ram_gib": int(ram[1])} if ram and row["what"] == "computer" else record


def _sold(name: str, size: int) -> tuple[str, str]:
    """Return the catalogue's name of what is sold, and the shop's name where it is a computer around a card."""
    inside = CARD_INSIDE.search(name)
    plain = NAMES.get(name) or (inside[1] if inside else re.sub(r" \([^)]*\)$", "", name))
    product = name if inside or " PC" in name else ""
    for text in (f"{plain} {size}GB", plain):
        try:
            match = find(text)
        except UnknownName:
            continue
        if match.size == size:
            return match.entry.name, product
    return "", ""


def _source(row: Mapping[str, str]) -> str:
    """Return where the price was seen: the address if there is one, and the collection that recorded it."""
    shop, address = row["shop_or_source"], row["url_or_text"]
    repository = next((url for part, url in ADDRESS.items() if part in shop), "")
    shop = re.sub(r" ?\([^()]*(?:licence|commit)[^()]*\)", "", shop).split(";")[0].split(": average")[0].strip()
    parts = (address if address.startswith("http") and address != repository else shop, repository)
    return " via ".join(p for p in parts if p)


def toml(rows: Iterable[Mapping[str, str]]) -> str:
    """Return the text of prices.toml."""
    every = list(records(rows))
    counted: dict[str, int] = {}
    blocks = [HEADER]
    for record in sorted((r for r in every if "of" in r), key=_order) + [r for r in every if "of" not in r]:
        stem = str(record.get("name") or f"{record['of']} {record['size_gib']}GB {record['date']} {record['country']}")
        counted[stem] = counted.get(stem, 0) + 1
        name = stem if counted[stem] == 1 else f"{stem}, {counted[stem]}"
        lines = {"name": name, **{k: v for k, v in record.items() if k != "name" and not _is_default(k, v)}}
        blocks.append("[[price]]\n" + "".join(f"{k} = {_value(v)}\n" for k, v in lines.items()))
    return "\n".join(blocks)


def _order(record: Mapping[str, object]) -> tuple[str, int, str, str, float]:
    size, amount = record["size_gib"], record["amount"]
    assert isinstance(size, int)
    assert isinstance(amount, int | float)
    return str(record["of"]), size, str(record["date"]), str(record["currency"]), amount


def _is_default(key: str, value: object) -> bool:
    return (
        value == {"available": True, "in_production": "unknown", "cards": 0, "ram_gib": 0}.get(key, False)
        or value == ""
    )


def _value(value: str | int | float | bool) -> str:
    return json.dumps(value, ensure_ascii=False)


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prices", type=Path, required=True)
    parser.add_argument("--to", type=Path, default=TARGET)
    given = parser.parse_args()
    with given.prices.open(encoding="utf-8") as file:
        given.to.write_text(toml(csv.DictReader(file)), "utf-8")


if __name__ == "__main__":
    main()
