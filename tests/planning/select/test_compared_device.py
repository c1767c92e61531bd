"""One source of a price: what compare says of a device is what a plan buys it for."""

from __future__ import annotations

import pytest

from gyakusan import machines
from gyakusan.catalog.devices import largest
from gyakusan.planning.candidates.hardware import all_machines
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.compared_device import device_facts, price_as_named

SOLD = [o for o in all_machines(PlanRequest(count=1)) if o.price is not None]


@pytest.mark.parametrize("option", SOLD[::4], ids=lambda o: o.machine.name)
def test_a_device_costs_the_same_everywhere(option: object) -> None:
    """The DGX Spark had a price in plans and none in compare: computers of one size are named without it."""
    sold = next(o for o in SOLD if o is option)
    facts = device_facts(machines.parse(largest(sold.machine.name)))
    assert facts.price == pytest.approx(sold.price)
    assert not facts.used


def test_a_chip_has_the_price_of_the_cheapest_computer_with_it() -> None:
    chip = machines.parse("Ryzen AI Max+ 395 128GB")
    inside = {"GMKtec EVO-X2 128GB", "Bosgame M5 128GB", "ONEXStation 128GB"}
    prices = [o.price for o in SOLD if o.machine.name in inside]
    assert len(prices) == len(inside)
    price = device_facts(chip).price
    assert price is not None
    assert price <= min(p for p in prices if p is not None)


def test_a_card_alone_is_not_a_whole_computer() -> None:
    """The guide gave 550,000 yen as the later price of a card for which plans pay 900,000."""
    card, computer = machines.parse("RTX 5090"), machines.parse("GMKtec EVO-X2 128GB")
    alone, whole = price_as_named(card), price_as_named(computer)
    assert alone is not None
    assert whole is not None
    assert alone[0] != device_facts(card).price
    assert whole[0] == device_facts(computer).price
    assert price_as_named(machines.parse("RTX 5060 Laptop")) is None
