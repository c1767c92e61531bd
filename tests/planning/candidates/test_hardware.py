"""Hardware of the catalogue: limits are kept, nothing is lost, every price is itemised, and "no budget" is None."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from gyakusan import machines
from gyakusan.planning.candidates.hardware import (
    HardwareOption,
    all_machines,
    buyable_machines,
    outlet_watts,
    priced_machines,
)
from gyakusan.planning.candidates.purchases import hardware_options
from gyakusan.planning.predict.speed_inputs import chip_of
from gyakusan.planning.request.money import Money
from gyakusan.planning.request.request import PlanRequest

LARGE = 10**12
OWN = Money(0.0, "JPY")


def by_name(options: tuple[HardwareOption, ...]) -> dict[str, HardwareOption]:
    return {o.machine.name: o for o in options}


def reasons(request: PlanRequest) -> dict[str, str]:
    return {r.name: r.reason.template for r in buyable_machines(request)[1]}


@pytest.mark.parametrize("limits", [{}, {"brand": "AMD"}, {"power": 400.0}, {"enterprise": True, "used": True}])
def test_no_budget_is_a_budget_that_nothing_exceeds(limits: dict[str, Any]) -> None:
    request = PlanRequest(model="gpt-oss-20b", **limits)
    for currency in ("JPY", "USD"):
        unlimited = priced_machines(request, currency)
        bought = buyable_machines(structs.replace(request, budget=Money(LARGE, currency)))[0]
        assert {o.machine.name for o in unlimited} >= {o.machine.name for o in bought}
        prices = [o.price or 0.0 for o in unlimited]
        assert prices == sorted(prices)
    assert priced_machines(request) == buyable_machines(structs.replace(request, budget=Money(LARGE, "JPY")))[0]


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


@pytest.mark.parametrize("currency", ["JPY", "USD", "EUR", "CHF"])
def test_every_price_is_the_sum_of_items_with_size_month_source_and_kind(currency: str) -> None:
    options = priced_machines(PlanRequest(model="gpt-oss-20b"), currency)
    assert len(options) > 40
    for option in options:
        assert option.items
        assert all(i.paid_in == currency and i.month and i.source and i.tax != "unknown" for i in option.items)
        assert all(i.size_gib for i in option.items if i.what != "part")
        assert not any(i.used for i in option.items)
        complete = option.items[0].what in ("computer", "laptop") or any(i.what == "kit" for i in option.items)
        assert complete != option.own_computer
        assert complete


def test_one_or_two_cards_unless_more_are_asked_for() -> None:
    assert max(o.count for o in priced_machines(PlanRequest(model="x"))) == 2
    four = reasons(PlanRequest(budget=Money(LARGE, "EUR"), count=4))
    assert four["4x NVIDIA GeForce RTX 5060 Ti 16GB"] == "A case takes {most} of {name} ({slots} slots each)."


def test_four_blowers_stand_in_one_case_where_the_socket_bears_them() -> None:
    name = "4x AMD Radeon AI PRO R9700"
    europe = PlanRequest(budget=Money(LARGE, "EUR"), count=4)
    option = by_name(buyable_machines(europe)[0])[name]
    assert (option.slots, [i.what for i in option.items]) == (8, ["card", "kit"])
    japan = structs.replace(europe, budget=Money(LARGE, "JPY"))
    assert "household outlet" in reasons(japan)[name]
    assert name in by_name(buyable_machines(structs.replace(japan, outlet=3000.0))[0])
    assert name in by_name(buyable_machines(structs.replace(japan, power=1300.0))[0])


def test_the_socket_is_that_of_the_country_unless_it_is_given() -> None:
    assert [outlet_watts(PlanRequest(currency=c)) for c in ("JPY", "USD", "EUR", "CHF")] == [1500, 1440, 3680, 2300]
    assert outlet_watts(PlanRequest(outlet=2000.0, power=500.0)) == 2000
    assert outlet_watts(PlanRequest(power=500.0)) is None


def test_cards_without_a_fan_are_not_sold_into_a_desktop() -> None:
    request = PlanRequest(budget=Money(LARGE, "USD"), used=True)
    assert "has no fan" in reasons(request)["NVIDIA H100 PCIe"]
    asked = reasons(structs.replace(request, enterprise=True))["NVIDIA H100 PCIe"]
    assert asked == "{name} has no fan: it needs a server, whose price is not known."


def test_cards_that_are_no_longer_made_are_bought_second_hand_or_not_at_all() -> None:
    request = PlanRequest(budget=Money(LARGE, "JPY"))
    for name in ("NVIDIA GeForce RTX 3090", "NVIDIA GeForce RTX 4090"):
        assert "second-hand only" in reasons(request)[name]
        option = by_name(buyable_machines(structs.replace(request, used=True))[0])[name]
        assert option.items[0].used
        assert option.seen is not None
        assert option.seen.used
        assert option.items[1].what == "kit"
    assert "too old" in reasons(request)["Mac Studio M4 Max 128GB"]


def test_a_chip_alone_is_not_sold() -> None:
    names = by_name(all_machines(PlanRequest(model="x")))
    assert "Mac Studio M5 Max 128GB" in names
    assert "Apple M5 Max 128GB" not in names
    assert names["RTX 5090 gaming laptop PC 24GB"].items[0].what == "laptop"


def test_a_computer_of_ones_own_needs_cards_only() -> None:
    own = by_name(priced_machines(PlanRequest(model="x", base_computer_price=OWN)))
    card = own["NVIDIA GeForce RTX 5060 Ti 16GB"]
    assert (card.price, card.own_computer, card.slots, card.wall_power) == (90_000, True, 2, 327)
    assert not own["Mac mini M6 16GB"].own_computer


def test_the_ram_that_was_asked_for_is_bought() -> None:
    found = by_name(priced_machines(PlanRequest(model="x", ram="64GiB")))
    card = found["NVIDIA GeForce RTX 5060 Ti 16GB"]
    assert card.items[1].size_gib == 64
    assert "NVIDIA GeForce RTX 5090" in found
    assert "NVIDIA GeForce RTX 5060 Ti 16GB" not in by_name(priced_machines(PlanRequest(model="x", ram="128GiB")))


def test_a_machine_to_buy_is_the_one_that_its_name_means() -> None:
    """A Bosgame M5 was timed as an Apple M5, and the small Mac Studio M4 Max with the cores of the large one."""
    every = [o for o in all_machines(PlanRequest(model="gpt-oss-20b")) if o.count == 1]
    assert len(every) > 300
    for option in every:
        named = machines.parse(option.machine.name)
        assert structs.replace(named, name="", prices=()) == structs.replace(option.machine, name="", prices=())
        assert chip_of(named) == chip_of(option.machine)


def test_a_maker_of_computers_is_a_brand() -> None:
    names = {o.machine.name for o in buyable_machines(PlanRequest(brand="bosgame", budget=Money(LARGE, "JPY")))[0]}
    assert names == {"Bosgame M5 128GB"}


def test_an_owned_machine_is_the_only_option() -> None:
    options, rejected = hardware_options(PlanRequest(device="RTX 4090", reserve="2GiB"))
    (option,) = options
    assert option.owned
    assert option.price is None
    assert option.seen is None
    assert option.items == ()
    assert option.machine.gpus[0].reserved == 2 * 2**30
    assert rejected == ()


def test_an_unknown_power_passes_no_outlet_unless_a_computer_brings_its_plug() -> None:
    request = PlanRequest(model="gpt-oss-20b", outlet=2000.0, count=2)
    unknown = [o for o in all_machines(request) if o.wall_power is None]
    assert unknown
    kept = set(by_name(buyable_machines(request)[0]))
    weak = set(by_name(buyable_machines(structs.replace(request, outlet=900.0))[0]))
    for option in unknown:
        alone = option.count == 1 and option.machine.gpus[0].kind != "gpu"
        assert alone or option.machine.name not in kept
        assert option.machine.name not in weak
    assert any(o.machine.name in kept for o in unknown)
