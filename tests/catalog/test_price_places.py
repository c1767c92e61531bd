"""Each price says its kind, and names a place that a person can find."""

from __future__ import annotations

from gyakusan.catalog.price_places import MAKERS_LISTS, SHOPS, STREET, host, kind, place
from gyakusan.catalog.prices import PriceRecord, price_records


def record(source: str, configuration: str = "", confidence: str = "medium") -> PriceRecord:
    return PriceRecord(
        "n",
        "card",
        1.0,
        "USD",
        "2026-09",
        source,
        configuration=configuration,
        confidence=confidence,  # type: ignore[arg-type]
    )


def test_every_site_of_the_catalogue_is_a_shop_a_makers_list_or_a_street() -> None:
    sites = {h for p in price_records() if (h := host(p))}
    assert sites <= SHOPS | MAKERS_LISTS | STREET
    assert not SHOPS & STREET
    assert not SHOPS & MAKERS_LISTS


def test_every_price_that_is_no_estimate_names_a_place_that_can_be_looked_for() -> None:
    for price in price_records():
        assert kind(price) == "estimate" or place(price), price.name
        assert "file id" not in place(price)


def test_kinds() -> None:
    assert kind(record("rule of thumb, derived from parts lists")) == "estimate"
    assert kind(record("https://cdw.com/x", confidence="low")) == "estimate"
    assert kind(record("https://www.cdw.com/x", "CDW list")) == "shop"
    assert kind(record("https://support.apple.com/en-us/122211")) == "list"
    assert kind(record("GitHub file id 57 (comparison table, vendor figures)", "list")) == "list"
    assert kind(record("https://kakaku.com/pc")) == "street"


def test_places() -> None:
    assert place(record("https://www.cdw.com/x via https://github.com/a/b")) == "cdw.com"
    assert (
        place(record("GitHub file id 57 (comparison table, vendor figures)"))
        == "a comparison table in a public repository"
    )
    assert (
        place(record("noonghunna/club-3090 docs/X.md (Apache-2.0) via https://github.com/a/b"))
        == "github.com/noonghunna/club-3090"
    )
    assert place(record("recalled: price of a common power supply")) == ""
