"""Dated prices: each is of one thing of one size that the catalogue has, and says when, where and how sure."""

from __future__ import annotations

import re

from gyakusan.catalog.devices import device_records, machine_records
from gyakusan.catalog.prices import PriceRecord, price_records, prices_of
from gyakusan.catalog.rates import rate

SOLD = ("card", "computer", "laptop")


def test_every_price_is_of_one_size_of_something_in_the_catalogue() -> None:
    known = {(r.name, size) for r in (*device_records(), *machine_records()) for size in r.sizes_gib}
    priced = [p for p in price_records() if p.what in SOLD]
    assert len(priced) > 150
    assert [p.name for p in priced if (p.of, p.size_gib) not in known] == []
    assert all(p in prices_of(p.of, p.size_gib) for p in priced)


def test_every_price_names_month_country_and_a_currency_with_a_rate() -> None:
    for price in price_records():
        assert re.fullmatch(r"\d{4}-\d{2}", price.month), price.name
        assert re.fullmatch("[A-Z]{2}", price.country), price.name
        assert price.currency == "USD" or rate(price.currency, "USD").rate > 0


def test_tables_without_a_licence_are_not_shipped() -> None:
    assert not [p.name for p in price_records() if re.search("Sippo|sippo|SeverinAlexB|toppreise|Townie", p.source)]


def test_rules_of_thumb_are_low_and_say_what_they_take() -> None:
    kits = [p for p in price_records() if p.what == "kit"]
    assert {p.cards for p in kits} == {1, 2, 4}
    assert all(p.confidence == "low" and p.watts and p.ram_gib for p in kits)
    assert all(p.confidence == "low" for p in price_records() if p.what == "part")


def test_prices_of_one_thing_go_from_old_to_new() -> None:
    months = [p.date for p in prices_of("NVIDIA GeForce RTX 5090", 32)]
    assert months == sorted(months)
    assert prices_of("NVIDIA GeForce RTX 5090", 24) == ()


def test_whether_tax_is_in_a_price_whose_shop_does_not_say_it_depends_on_the_country() -> None:
    def price(country: str, tax: str) -> PriceRecord:
        return PriceRecord("p", "card", 1, "USD", "2026-09", "s", country=country, tax=tax)  # type: ignore[arg-type]

    assert price("JP", "unknown").has_tax
    assert not price("US", "unknown").has_tax
    assert price("US", "included").has_tax
    assert not price("JP", "excluded").has_tax
