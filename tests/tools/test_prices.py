"""The table of prices: what may not be shipped stays out, ranges keep their high end, names are the catalogue's."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from tools.prices import EARLIER, RULES_OF_THUMB, TARGET, records, toml

ROW = {
    "device_or_computer": "GeForce RTX 3090",
    "memory_gib": "24",
    "configuration": "about",
    "what": "card",
    "new_or_used": "used",
    "amount": "990",
    "currency": "USD",
    "tax_included": "no",
    "country": "US",
    "date_seen": "2026-09",
    "shop_or_source": "a shop",
    "url_or_text": "https://shop.example/3090",
    "in_production": "no",
    "confidence": "medium",
}


def made(*rows: Mapping[str, str]) -> list[dict[str, Any]]:
    return list(records([{**ROW, **row} for row in rows]))[: -len(EARLIER) - len(RULES_OF_THUMB)]


def test_a_row_becomes_a_record_of_the_catalogues_card() -> None:
    (record,) = made({})
    assert (record["of"], record["size_gib"], record["amount"]) == ("NVIDIA GeForce RTX 3090", 24, 990)
    assert (record["tax"], record["used"], record["source"]) == ("excluded", True, "https://shop.example/3090")


def test_what_may_not_be_shipped_or_has_no_size_month_or_kind_stays_out() -> None:
    out = (
        {"shop_or_source": "SeverinAlexB/local-llm-research"},
        {"shop_or_source": "Sippo79/sippo79.github.io"},
        {"memory_gib": ""},
        {"date_seen": "2026"},
        {"new_or_used": "unknown"},
        {"currency": "AUD"},
        {"amount": ""},
        {"device_or_computer": "GeForce RTX 9999"},
        {"memory_gib": "16"},
        {"configuration": "assumption of a rental pay-back sum"},
    )
    assert [made(row) for row in out] == [[] for _ in out]


def test_the_high_end_of_a_range_counts() -> None:
    low, high = {"configuration": "low end of 1-2", "amount": "1"}, {"configuration": "high end", "amount": "2"}
    assert [r["amount"] for r in made(low, high)] == [2]
    assert [r["amount"] for r in made(low)] == [1]


def test_a_computer_around_a_card_is_a_price_of_that_card() -> None:
    (record,) = made({"device_or_computer": "Shop X (RTX 5080)", "memory_gib": "16", "what": "computer"})
    assert (record["of"], record["what"], record["product"]) == (
        "NVIDIA GeForce RTX 5080",
        "computer",
        "Shop X (RTX 5080)",
    )


def test_what_was_out_of_stock_or_a_launch_price_is_marked() -> None:
    (gone,) = made({"configuration": "system; out of stock"})
    (first,) = made({"configuration": "MSRP before February 2026"})
    assert not gone["available"]
    assert first["launch"]


def test_the_file_is_toml_with_names_of_its_own_and_the_rules_of_thumb() -> None:
    text = toml([ROW, {**ROW, "configuration": 'a "quoted" word'}])
    names = [p["name"] for p in tomllib.loads(text)["price"]]
    assert len(set(names)) == len(names) == 2 + len(EARLIER) + len(RULES_OF_THUMB)
    shipped = tomllib.loads(TARGET.read_text("utf-8"))["price"]
    assert {name for name, *_ in RULES_OF_THUMB} <= {p["name"] for p in shipped}
