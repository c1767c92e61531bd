"""Which prices count today, and what one pays for them at home."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec import structs

from gyakusan.catalog.prices import PriceRecord
from gyakusan.core.machine import Price
from gyakusan.planning.candidates import prices
from gyakusan.planning.candidates.prices import (
    OLDEST,
    Buyer,
    cheapest,
    counts,
    months_since,
    price_facts,
    price_item,
    sold_elsewhere,
    why_unpriced,
)
from gyakusan.planning.request.money import ExchangeRates, exchange_rates

RATES = ExchangeRates({"JPY": 1.0, "USD": 150.0, "EUR": 170.0, "CHF": 190.0}, "2026-10", "given")
YEN, DOLLARS, EUROS = (Buyer(currency, RATES) for currency in ("JPY", "USD", "EUR"))
CARD = PriceRecord("p", "card", 1000, "USD", "2026-09", "s", of="NVIDIA GeForce RTX 5090", size_gib=32, country="US")


def yen(amount: float, month: str = "2026-09", **more: object) -> PriceRecord:
    return structs.replace(CARD, amount=amount, currency="JPY", country="JP", date=month, tax="included", **more)  # type: ignore[arg-type]


def test_only_new_enough_prices_of_a_month_count() -> None:
    assert counts(CARD)
    assert counts(structs.replace(CARD, date="2025-08"))
    assert not counts(structs.replace(CARD, date="2025-07"))
    assert not counts(structs.replace(CARD, date="2026"))
    assert months_since("2025-08") == OLDEST


@pytest.mark.parametrize(
    "wrong", [{"launch": True}, {"available": False}, {"confidence": "low"}, {"in_production": "no"}]
)
def test_what_one_cannot_buy_does_not_count(wrong: dict[str, object]) -> None:
    assert not counts(structs.replace(CARD, **wrong))  # type: ignore[arg-type]


def test_what_is_no_longer_made_counts_second_hand() -> None:
    old = structs.replace(CARD, in_production="no", used=True)
    assert counts(old)
    assert cheapest([old], DOLLARS) is None
    assert cheapest([old], structs.replace(DOLLARS, used=True)) is not None


def test_all_prices_grow_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "today", lambda: date(2028, 3, 1))
    assert not counts(CARD)
    assert months_since("2026-09") == 18


def test_a_price_of_another_country_is_converted_and_taxed() -> None:
    item = price_item(CARD, YEN, 2)
    assert item is not None
    assert item.paid == 2 * 1000 * 150 * 1.1
    assert (item.rate, item.tax_added, item.confidence, item.amount, item.currency) == (150.0, 0.1, "low", 1000, "USD")
    european = price_item(structs.replace(CARD, currency="EUR", country="DE", amount=119), DOLLARS)
    assert european is not None
    assert (european.paid, european.tax_removed, european.country) == (round(100 * 170 / 150), 0.19, "DE")


def test_a_price_of_ones_own_country_is_what_the_shop_says() -> None:
    item = price_item(yen(200_000), YEN)
    assert item is not None
    assert (item.paid, item.rate, item.confidence, months_since(item.month)) == (200_000, None, "medium", 2)
    untaxed = price_item(structs.replace(yen(200_000), tax="excluded"), YEN)
    assert untaxed is not None
    assert untaxed.paid == pytest.approx(220_000)


def test_second_hand_goods_carry_no_tax() -> None:
    item = price_item(structs.replace(CARD, used=True), YEN)
    assert item is not None
    assert item.paid == 150_000


def test_the_own_country_counts_before_others_and_the_newest_month_before_cheap_ones() -> None:
    found = cheapest([CARD, yen(300_000, "2026-01"), yen(500_000), yen(400_000)], YEN)
    assert found is not None
    assert (found.paid, found.month) == (400_000, "2026-09")
    abroad = cheapest([CARD, yen(1)], EUROS)
    assert abroad is not None
    assert abroad.currency == "USD"
    assert cheapest([], YEN) is None


def test_of_one_offer_only_the_newest_day_counts() -> None:
    before, after = yen(149_800, "2025-12-05", product="PC"), yen(209_800, "2025-12-26", product="PC")
    found = cheapest([before, after], YEN)
    assert found is not None
    assert found.paid == 209_800


def test_a_computer_that_a_shop_builds_is_bought_in_its_own_country() -> None:
    assert cheapest([yen(400_000, product="PC with an RTX 5090")], DOLLARS) is None


def test_a_price_without_a_rate_is_none() -> None:
    assert price_item(CARD, Buyer("JPY", ExchangeRates({"JPY": 1.0}, "", ""))) is None


def test_why_there_is_no_price() -> None:
    buyer = Buyer("JPY", exchange_rates())
    used = why_unpriced("NVIDIA GeForce RTX 3090", 24, buyer)
    assert used.template == "{name} is sold second-hand only, for about {price} ({month}): add --used."
    assert str(used.facts["month"]) == "August 2026"
    assert str(used.facts["price"]) == "150,000 yen"
    assert why_unpriced("Framework Desktop", 64, buyer).template == "{name} is out of stock."
    assert why_unpriced("NVIDIA A2", 16, buyer).template == "The price of {name} is not known."
    old = why_unpriced("Mac Studio M4 Max", 128, buyer)
    assert (old.template[:16], str(old.facts["month"])) == ("The newest price", "March 2025")


def test_one_age_holds_in_every_currency_and_what_is_sold_in_another_one_only_says_so() -> None:
    """A computer of December 2025 was too old in dollars, and plan 1 in yen."""
    of = ("AMD Radeon RX 9060 XT 16GB", 16)
    dollars, yens = (Buyer(c, exchange_rates()) for c in ("USD", "JPY"))
    found = sold_elsewhere(*of, dollars)
    assert found is not None
    assert (found.paid, found.paid_in, found.month) == (209_800, "JPY", "2025-12")
    assert sold_elsewhere(*of, yens) is None
    assert str(why_unpriced(*of, dollars)).endswith("has a price in JPY only (209,800 yen): add --currency JPY.")
    assert sold_elsewhere("Mac Studio M4 Max", 128, dollars) is None


def test_a_launch_price_or_one_without_a_month_is_told_but_buys_nothing() -> None:
    buyer = Buyer("JPY", exchange_rates())
    launch = Price(330, "USD", "2021", "s", launch=True)
    said = why_unpriced("NVIDIA GeForce RTX 3060 12GB", 12, buyer, (launch,))
    assert str(said) == "Of NVIDIA GeForce RTX 3060 12GB only the launch price is known: 330 USD (2021)."
    seen = Price(44_980, "JPY", "2026", "s", used=True)
    assert "second-hand for 44,980 yen in 2026" in str(why_unpriced("RTX 3060 12GB", 12, buyer, (launch, seen)))
    assert "RTX 9 cost 44,980 yen in 2026" in str(
        why_unpriced("RTX 9", 12, buyer, (structs.replace(seen, used=False),))
    )


def test_the_facts_of_a_note_name_the_oldest_month_and_what_was_converted() -> None:
    item = price_item(CARD, YEN)
    assert item is not None
    older = structs.replace(item, month="2026-05", rate=None, used=True)
    thumb = structs.replace(item, what="kit", month="2026-02", rate=None)
    facts = price_facts((item, older, thumb))
    assert facts is not None
    assert (facts.month, facts.age, facts.used, facts.converted) == ("2026-02", 9, True, (item,))
    assert facts.parts == (item, older, thumb)
    assert price_facts(()) is None
    alone = price_facts((item,))
    assert alone is not None
    assert alone.parts is None
