"""Machines that a request is about: the one that is owned, those that its budget buys, and cards for a computer of one's own.

A small budget buys cards alone. They stand for the computer that they make: what ranks them is its whole price, so that a budget
that pays the computer around them changes nothing but what is bought.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import structs

from gyakusan import machines
from gyakusan.planning.candidates.hardware import (
    HardwareOption,
    Rejected,
    all_machines,
    buyable_machines,
    by_price,
    owned_machine,
    priced_machines,
)
from gyakusan.planning.request.money import Money, exchange_rates
from gyakusan.planning.request.request import PlanRequest

COMPLETE, CARDS, SECOND_HAND = 2, 1, 0
"""Kinds of purchase, the better the higher: a complete computer, new cards alone, second-hand ones that nobody asked for."""


def kind_of_purchase(request: PlanRequest, option: HardwareOption) -> int:
    """Return COMPLETE, CARDS or SECOND_HAND. With more money a better kind takes the place of another, never the reverse."""
    if not option.own_computer or request.base_computer_price is not None:
        return COMPLETE
    return SECOND_HAND if option.items[0].used and not request.used else CARDS


def hardware_options(request: PlanRequest) -> tuple[tuple[HardwareOption, ...], tuple[Rejected, ...]]:
    """Return the machines that a request is about, and those of the catalogue that are left out."""
    if request.owned:
        return (owned_machine(request),), ()
    options, rejected = buyable_machines(request)
    every = tuple(sorted((*options, *_cards_for_an_own_computer(request, options)), key=by_price))
    return (every if request.ram is None else tuple(with_ram_beside(o, request.ram) for o in every)), rejected


def with_ram_beside(option: HardwareOption, ram: str) -> HardwareOption:
    """Return a machine to buy with the RAM that was asked for beside its cards; unified memory has none beside it."""
    if option.machine.host is None:
        return option
    return structs.replace(option, machine=machines.with_ram(option.machine, ram))


def reachable_machines(request: PlanRequest) -> tuple[HardwareOption, ...]:
    """Return every machine that some budget buys, cheapest first: complete ones, and cards for a computer of one's own."""
    complete = priced_machines(request)
    new = _cards_alone(request, _least(complete))
    second_hand = _cards_alone(structs.replace(request, used=True), _least((*new, *complete)))
    return tuple(sorted((*complete, *new, *second_hand), key=by_price))


def _cards_for_an_own_computer(request: PlanRequest, complete: Sequence[HardwareOption]) -> list[HardwareOption]:
    """Return cards that a small budget buys for a computer that the asker has.

    A budget that pays a computer around them buys that instead: the same cards, so that more money never gives less.
    Second-hand cards, cheaper than anything new, are among them where nothing new within the budget has as much memory.
    complete: the machines within the budget
    """
    budget = request.budget
    if budget is None:
        return []
    limit = exchange_rates(dict(request.rates)).convert(budget.amount, budget.currency, "JPY") or 0.0
    least = _least(complete or priced_machines(request))
    new = _cards_alone(request, least)
    within = [o for o in new if (o.price or 0.0) <= limit]
    names = {o.machine.name for o in complete}
    largest = max((_memory(o) for o in (*within, *complete)), default=0)
    used = _cards_alone(structs.replace(request, used=True), min(least, _least(new)))
    larger = (o for o in used if (o.price or 0.0) <= limit and _memory(o) > largest)
    return [*(o for o in within if o.machine.name not in names), *larger]


def _memory(option: HardwareOption) -> int:
    """Return the memory of all GPUs [B]."""
    return sum(gpu.memory or 0 for gpu in option.machine.gpus)


def _cards_alone(request: PlanRequest, below: float) -> list[HardwareOption]:
    """Return cards for a computer of one's own that cost less than `below`, cheapest first [JPY]."""
    if request.base_computer_price is not None:
        return []
    own = priced_machines(structs.replace(request, base_computer_price=Money(0.0, "JPY")))
    cards = [o for o in own if o.own_computer and (o.price or 0.0) < below]
    whole = {o.machine.name: o.price for o in all_machines(request) if not o.own_computer} if cards else {}
    return [*_with_whole_price(cards, whole)]


def _with_whole_price(cards: Iterable[HardwareOption], whole: Mapping[str, float | None]) -> Iterator[HardwareOption]:
    """Yield cards with what they cost in a computer; none without one: then no computer that is sold takes them.

    whole: name of a machine -> its price [JPY]
    """
    for option in cards:
        if (price := whole.get(option.machine.name)) is not None:
            yield structs.replace(option, around=price)


def _least(options: Iterable[HardwareOption]) -> float:
    """Return the smallest price, infinite without one [JPY]."""
    return min((o.price for o in options if o.price is not None), default=float("inf"))
