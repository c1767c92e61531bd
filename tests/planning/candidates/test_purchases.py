"""What a budget buys: more money never takes away, and cards alone stand for the computer that they make."""

from __future__ import annotations

import pytest
from msgspec import structs

from gyakusan.planning.candidates.hardware import HardwareOption, priced_machines
from gyakusan.planning.candidates.purchases import (
    CARDS,
    COMPLETE,
    SECOND_HAND,
    hardware_options,
    kind_of_purchase,
    reachable_machines,
)
from gyakusan.planning.request.money import Money
from gyakusan.planning.request.request import PlanRequest

LARGE = 10**12


def by_name(options: tuple[HardwareOption, ...]) -> dict[str, HardwareOption]:
    return {o.machine.name: o for o in options}


def test_a_small_budget_buys_cards_for_a_computer_of_ones_own() -> None:
    def names(amount: float, currency: str) -> dict[str, bool]:
        found = hardware_options(PlanRequest(budget=Money(amount, currency)))[0]
        return {o.machine.name: o.own_computer for o in found}

    assert names(100_000, "JPY")["NVIDIA GeForce RTX 5060 Ti 16GB"]
    assert not names(300_000, "JPY")["NVIDIA GeForce RTX 5060 Ti 16GB"]
    assert all(names(200, "USD").values())
    assert names(200, "USD")
    assert names(30_000, "JPY")
    assert not any(names(1_000_000, "JPY").values())
    assert "Mac mini M6 16GB" in names(1000, "USD")


def test_more_money_buys_all_that_less_money_buys() -> None:
    for currency, chain in (("JPY", (30, 60, 100, 150, 215, 300, 400, 750, 1500)), ("USD", (0.2, 0.5, 0.9, 1.5, 3, 9))):
        before: set[str] = set()
        for thousands in chain:
            found = hardware_options(PlanRequest(budget=Money(thousands * 1000, currency)))[0]
            new = {o.machine.name for o in found if not o.items[0].used}
            assert before <= new, (currency, thousands)
            before = new


def test_more_money_never_takes_away_the_largest_memory() -> None:
    """A second-hand card stays until something new within the budget has as much memory, and is never beside such a one."""
    for currency, chain in (
        ("JPY", (30, 45, 60, 80, 100, 150, 215)),
        ("USD", (0.2, 0.31, 0.39, 0.488, 0.61, 0.9, 1.5)),
    ):
        before = 0
        for thousands in chain:
            found = hardware_options(PlanRequest(budget=Money(thousands * 1000, currency)))[0]
            sizes = [(sum(g.memory or 0 for g in o.machine.gpus), o.items[0].used) for o in found]
            assert max(sizes)[0] >= before, (currency, thousands)
            before = max(sizes)[0]
            new = max((size for size, used in sizes if not used), default=0)
            assert all(size > new for size, used in sizes if used)


def test_whatever_some_budget_buys_is_reachable() -> None:
    request = PlanRequest(budget=Money(35_000, "JPY"))
    reachable = by_name(reachable_machines(request))
    assert {o.machine.name for o in hardware_options(request)[0]} <= reachable.keys()
    first = min(reachable.values(), key=lambda o: o.price or LARGE)
    assert first.items[0].used
    assert first.own_computer
    assert not any(
        o.own_computer for o in reachable_machines(structs.replace(request, base_computer_price=Money(1e5, "JPY")))
    )


@pytest.mark.parametrize("used", [False, True])
def test_cards_alone_know_what_the_whole_computer_costs(used: bool) -> None:
    request = PlanRequest(budget=Money(200_000, "JPY"), used=used)
    found = hardware_options(request)[0]
    whole = by_name(priced_machines(request))
    assert any(o.own_computer for o in found)
    for option in found:
        if not option.own_computer:
            assert option.whole_price == option.price
        elif used or not option.items[0].used:
            assert option.whole_price == whole[option.machine.name].price
        assert (option.whole_price or 0) >= (option.price or 0)


def test_a_complete_computer_is_better_than_new_cards_and_these_than_second_hand_ones() -> None:
    small, usual = (PlanRequest(budget=Money(n, "JPY")) for n in (35_000, 160_000))
    second_hand = next(o for o in hardware_options(small)[0] if o.items[0].used)
    kinds = {kind_of_purchase(usual, o) for o in hardware_options(usual)[0]}
    assert kinds <= {COMPLETE, CARDS, SECOND_HAND}
    assert {COMPLETE, CARDS} <= kinds
    assert kind_of_purchase(small, second_hand) == SECOND_HAND
    assert kind_of_purchase(structs.replace(small, used=True), second_hand) == CARDS
    assert kind_of_purchase(structs.replace(small, base_computer_price=Money(0.0, "JPY")), second_hand) == COMPLETE
