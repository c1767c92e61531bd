"""Hardware of the catalogue: limits are kept, nothing is lost, and "no budget" is None."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gyakusan.planning.candidates.hardware import (
    all_machines,
    buyable_machines,
    chassis_factor,
    hardware_options,
    priced_machines,
)
from gyakusan.planning.request.money import Money
from gyakusan.planning.request.request import CHASSIS_PRICE, PlanRequest

LARGE = 10**12


@pytest.mark.parametrize("limits", [{}, {"brand": "AMD"}, {"power": 400.0}, {"enterprise": False, "used": True}])
def test_no_budget_is_a_budget_that_nothing_exceeds(limits: dict[str, Any]) -> None:
    request = PlanRequest(model="gpt-oss-20b", **limits)
    for currency in ("JPY", "USD"):
        unlimited = priced_machines(request, currency)
        assert unlimited == buyable_machines(replace(request, budget=Money(LARGE, currency)))[0]
        prices = [o.price or 0.0 for o in unlimited]
        assert prices == sorted(prices)


def test_every_machine_is_an_option_or_has_a_reason() -> None:
    request = PlanRequest(budget=Money(400_000, "JPY"), power=350.0, os="linux", count=4)
    options, rejected = buyable_machines(request)
    assert len(options) + len(rejected) == len(all_machines(request))
    assert all((o.price or LARGE) <= 400_000 and (o.power or LARGE) <= 350 and o.count <= 4 for o in options)
    assert all(o.machine.gpus[0].backend != "metal" for o in options)
    beyond = [r for r in rejected if "more than the budget" in r.reason.template]
    assert beyond
    assert all((r.price or 0.0) > 400_000 for r in beyond)


def test_without_a_budget_a_machine_needs_no_price() -> None:
    options, _ = buyable_machines(PlanRequest(model="gpt-oss-20b"))
    assert any(o.price is None for o in options)
    assert options[-1].price is None


def test_a_computer_around_cards_is_paid_once_and_grows_with_their_number() -> None:
    request = PlanRequest(model="gpt-oss-20b", count=4)
    machines = {o.machine.name: o for o in priced_machines(request)}
    one, two, four = (machines[f"{n}NVIDIA GeForce RTX 5090"] for n in ("", "2x ", "4x "))
    card = (two.price or 0.0) - (one.price or 0.0)
    assert one.price == card + CHASSIS_PRICE.amount
    assert four.price == 4 * card + chassis_factor(4) * CHASSIS_PRICE.amount
    free = replace(request, base_computer_price=Money(0.0, "JPY"))
    assert {o.machine.name: o for o in priced_machines(free)}[one.machine.name].price == card


def test_an_owned_machine_is_the_only_option() -> None:
    options, rejected = hardware_options(PlanRequest(device="RTX 4090", reserve="2GiB"))
    (option,) = options
    assert option.owned
    assert option.price is None
    assert option.machine.gpus[0].reserved == 2 * 2**30
    assert rejected == ()
