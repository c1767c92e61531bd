"""What is bought around cards, and the cheaper of two ways."""

from __future__ import annotations

import pytest

from gyakusan.catalog.devices import find
from gyakusan.planning.candidates.computers import card_items, complete_items
from gyakusan.planning.candidates.prices import Buyer, PriceItem
from gyakusan.planning.request.money import Money, exchange_rates

YEN, DOLLARS = Buyer("JPY", exchange_rates()), Buyer("USD", exchange_rates())
OWN = Money(0.0, "JPY")


def bought(
    name: str, count: int = 1, buyer: Buyer = YEN, computer: Money | None = None, ram: int = 0
) -> tuple[PriceItem, ...]:
    match = find(name)
    return card_items(match.device(), match.size, count, buyer, computer, ram)


def kinds(items: tuple[PriceItem, ...]) -> list[str]:
    return [item.what for item in items]


def test_a_card_is_bought_with_a_computer_that_its_memory_asks_for() -> None:
    card, around = bought("RTX 5060 Ti 16GB")
    assert (card.what, card.paid, around.what, around.size_gib, around.confidence) == ("card", 90_000, "kit", 16, "low")
    assert bought("RTX 5060 Ti 16GB", ram=32)[1].size_gib == 32
    assert bought("R9700")[1].size_gib == 32


def test_a_computer_that_a_shop_builds_is_taken_where_it_is_cheaper() -> None:
    (item,) = bought("RTX 5090")
    assert (item.what, item.paid, item.month) == ("computer", 750_000, "2026-08")
    assert kinds(bought("RTX 5090", computer=Money(100_000, "JPY"))) == ["card", "kit"]
    assert kinds(bought("RTX 5090", buyer=DOLLARS)) == ["card", "kit"]


def test_a_computer_that_costs_less_than_its_card_has_the_price_of_the_card() -> None:
    """Two prices of one day say so, and nobody who reads one of them would believe it."""
    (item,) = bought("RTX 5090")
    card = bought("RTX 5090", computer=OWN)[0]
    assert item.card_price == card.paid > item.paid
    assert all(i.card_price == 0 for i in (*bought("RTX 5060 Ti 16GB"), *bought("RTX 5090", buyer=DOLLARS)))


def test_two_cards_ask_for_a_larger_computer_and_a_larger_supply() -> None:
    cards, around = bought("RTX 5060 Ti 16GB", 2)
    assert (cards.quantity, cards.paid) == (2, 180_000)
    assert around.paid == 360_000
    assert bought("RTX 5080", 2)[1].paid == 600_000


def test_a_computer_of_ones_own_costs_nothing_but_the_supply_that_it_lacks() -> None:
    assert kinds(bought("RTX 5060 Ti 16GB", computer=OWN)) == ["card"]
    card, supply = bought("RTX 5090", computer=OWN)
    assert (card.paid, supply.what, supply.name) == (900_000, "part", "power supply, 1,000 W")
    assert bought("RTX 5090", 3, computer=OWN) == ()


def test_the_price_of_a_computer_may_be_given() -> None:
    cards, around = bought("RTX 5060 Ti 16GB", 2, computer=Money(1000, "USD"))
    assert (around.paid, around.confidence) == (pytest.approx(157_930), "high")
    assert cards.paid == 180_000


def test_a_price_of_one_size_is_no_price_of_another() -> None:
    match = find("RTX 5060 Ti 16GB")
    assert card_items(match.device(), 8, 1, YEN, None) == ()
    assert complete_items("GMKtec EVO-X2", 96, YEN) == ()
    assert complete_items("GMKtec EVO-X2", 64, YEN)[0].paid == 319_999


def test_complete_computers_of_a_country_without_a_price_are_converted_with_its_tax() -> None:
    (item,) = complete_items("Mac Studio M5 Max", 128, YEN)
    assert item.paid == pytest.approx(5099 * 157.93 * 1.1, abs=1)
    (same,) = complete_items("Mac Studio M5 Max", 128, DOLLARS)
    assert (same.paid, same.rate) == (5099, None)
