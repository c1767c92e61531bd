"""Words that the screens of plans share: machines that are bought, amounts of money, months, labels of plans."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gyakusan.engines.service_files import has_container, has_systemd
from gyakusan.message import Message, say
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.prices import PriceItem, month_text, months_since
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.shown_plans import cheaper_than_cheapest, counted_wait, leads_speed, shown_figures
from gyakusan.show.amounts import Amounts
from gyakusan.show.source_words import PRODUCT_TEXTS, product_words
from gyakusan.show.tree import Words, whole
from gyakusan.show.wording import begins_with_vowel, brief, counted, short

FRESH_MONTHS = 2
"""A price that is older is shown with its age. [months]"""
ROLE_TEXTS = {
    "balanced": "balanced",
    "best": "highest quality",
    "fastest": "fastest",
    "cheapest": "cheapest",
    "room": "most room",
    "smallest": "smallest",
    "other": "another family",
}
PREFERRED_TEXTS = {
    "balanced": "balanced",
    "quality": "quality counts most",
    "speed": "speed counts most",
    "price": "price counts most",
}
CHEAPEST_TEXTS = {
    "speed": "cheapest at the wanted speed",
    "points": "cheapest of enough quality",
    "room": "cheapest that surely fits",
    "": "cheapest suitable",
}
"""What cheaper rows lack -> what the cheapest row that lacks nothing is called; "" = several things, or speed of use."""
CHEAPEST_OF_KIND_TEXTS = {
    ("computer", False): "cheapest complete computer",
    ("computer", True): "cheapest suitable computer",
    ("new", False): "cheapest new card",
    ("new", True): "cheapest suitable new card",
}
"""Kind of purchase, whether cheaper rows of that kind lack something -> what the cheapest row of the kind is called."""
BOUGHT_TEXTS = {
    "card an": "an {name} for your PC",
    "card a": "a {name} for your PC",
    "PC an": "an {name} PC",
    "PC a": "a {name} PC",
    "computer an": "an {name}",
    "computer a": "a {name}",
}


def machine_title(option: HardwareOption) -> Words:
    """Return what is bought, as a table names it: "RTX 5090 PC", "2x RTX 5060 Ti 16GB PC"; a computer by its own name."""
    name = brief(option.machine.name)
    if not is_card(option):
        return sold_words(name)
    if option.own_computer:
        return say("{name} for your PC", name=whole(name))
    if option.count == 1:
        return say("{name} PC", name=whole(name))
    return say("{count}x {card} PC", count=option.count, card=whole(brief(option.machine.gpus[0].name)))


def is_card(option: HardwareOption) -> bool:
    """Return True if graphics cards are bought, with or without a computer around them; a laptop is a computer itself."""
    gpus = option.machine.gpus
    return not option.owned and bool(gpus) and gpus[0].kind == "gpu" and "laptop" not in option.machine.name


def as_text(system: str, plan: Plan) -> str:
    """Return the option that prints a plan as a service on an operating system; the command where there is none."""
    if has_container(plan.deployment):
        return "--compose"
    return "--systemd" if system != "windows" and has_systemd(plan.deployment.machine) else "--command"


def bought(option: HardwareOption) -> Message:
    """Return what is bought, as a sentence names it: "an RTX 5090 PC", "a PC with 2x RTX 5060 Ti 16GB"."""
    name = brief(option.machine.name)
    if option.own_computer and option.count > 1:
        return say("{name} for your PC", name=whole(name))
    if is_card(option) and option.count > 1 and not option.own_computer:
        return say("a PC with {cards}", cards=counted(option.machine.name))
    thing = "card" if option.own_computer else "PC" if is_card(option) else "computer"
    kind = (thing, "an" if begins_with_vowel(name) else "a")
    return Message(BOUGHT_TEXTS[" ".join(kind)], {"name": sold_words(name)})


def amounts(answer: Recommendation) -> Amounts:
    """Return how amounts are said: in the asker's currency."""
    return Amounts(answer.request.paid_in, answer.rates)


def price_words(month: str) -> Message:
    """Return when a price was seen, with its age where it is old. month: e.g. "2026-08"."""
    age = months_since(month)
    if age <= FRESH_MONTHS:
        return say("price of {month}", month=month_text(month))
    return say("price of {month}, {n} months old", month=month_text(month), n=age)


def labels(request: PlanRequest, plans: Sequence[Plan], number: int) -> tuple[Message, ...]:
    """Return what one plan of an answer is called. number: its place in `plans`."""
    plan = plans[number]
    told = tuple(_role(request, plans, number, role) for role in plan.roles)
    if told:
        return told
    if number == next(complete_rows(request, plans), None):
        return (say("complete computer"),)
    if plan.tied_with:
        return say("quality near {n}", n=plan.tied_with), _beside_tied(request, plan, plans[plan.tied_with - 1])
    return (_against_first(request, plan, plans[0]),) if number else (say("the only plan"),)


def complete_rows(request: PlanRequest, plans: Sequence[Plan]) -> Iterator[int]:
    """Yield the places of complete computers to buy beside a first plan that is a card alone, the best of them first."""
    if plans[0].offer.own_computer and request.base_computer_price is None:
        yield from (n for n, p in enumerate(plans) if not p.offer.own_computer)


def _role(request: PlanRequest, plans: Sequence[Plan], number: int, role: str) -> Message:
    if role == "balanced":
        return Message(PREFERRED_TEXTS[request.prefer])
    if role == "cheapest":
        lacks, kind = cheaper_than_cheapest(request, plans, number)
        if kind:
            return Message(CHEAPEST_OF_KIND_TEXTS[kind, bool(lacks)])
        if lacks:
            (one,) = lacks if len(lacks) == 1 and request.model is None else ("",)
            return Message(CHEAPEST_TEXTS[one])
    if role == "fastest" and not leads_speed(plans, number):
        return say("fastest answers")
    return Message(ROLE_TEXTS[role])


def against_best(request: PlanRequest, plans: Sequence[Plan]) -> Iterator[Message]:
    """Yield why the first plan is not that of the highest quality, where quality is preferred: by its pace or its price."""
    figures = [shown_figures(p) for p in plans]
    first, best = figures[0], max(figures, key=lambda f: f.quality)
    if request.prefer != "quality" or best.quality <= first.quality:
        return
    facts, wanted = {"n": figures.index(best) + 1}, request.workload.target_tps
    if best.answer is not None and best.answer < wanted:
        n = short(best.answer)
        yield say(
            "{n} is better, at {speed} tokens/s of answer where {wanted} are wanted",
            speed=n,
            wanted=f"{wanted:g}",
            **facts,
        )
    elif (best.answer or 0) < (first.answer or 0):
        yield say("{n} is better, with slower answers", **facts)
    elif (best.ttft or 0) > (first.ttft or 0):
        yield say("{n} is better, with a longer wait", **facts)
    elif best.price is not None and first.price is not None and best.price > first.price:
        yield say("{n} is better, at a higher price", **facts)


def _against_first(request: PlanRequest, plan: Plan, best: Plan) -> Message:
    """Return in what a plan without a role is better than plan 1: no plan is worse in everything."""
    mine, first = shown_figures(plan), shown_figures(best)
    if mine.price is not None and first.price is not None and mine.price < first.price:
        return say("cheaper than 1")
    if mine.quality > first.quality:
        return say("better than 1")
    if (mine.answer or 0) > (first.answer or 0):
        return say("faster answers than 1")
    if (counted_wait(request, mine) or 0) < (counted_wait(request, first) or 0):
        return say("shorter wait than 1")
    if (mine.spare or 0) > (first.spare or 0):
        return say("more room than 1")
    return say("another machine") if plan.offer.machine.name != best.offer.machine.name else say("another model")


def _beside_tied(request: PlanRequest, plan: Plan, tied: Plan) -> Message:
    """Return why a plan has a row beside one of the same quality: in what its printed figures are better, or what differs."""
    mine, other = shown_figures(plan), shown_figures(tied)
    if mine.price is not None and other.price is not None and mine.price < other.price:
        return say("cheaper")
    for better, figures in (
        (say("faster answers"), (mine.answer, other.answer)),
        (say("shorter wait"), (counted_wait(request, other), counted_wait(request, mine))),
        (say("more room"), (mine.spare, other.spare)),
    ):
        if figures[0] is not None and figures[1] is not None and figures[0] > figures[1]:
            return better
    if plan.offer.machine.name != tied.offer.machine.name:
        return say("another machine")
    return say("another model") if plan.name != tied.name else say("other files")


SOLD_TEXTS = (
    "computer without a card",
    "computer without a card, {n} GB RAM, {watts} W",
    "computer for two cards, {n} GB RAM, {watts} W",
    "workstation without cards, {n} GB RAM, {watts} W",
    "power supply, {watts} W",
)
"""How the price list names what has no name of its own."""
_RAM, _WATTS = re.compile(r"[\d,]+(?= GB RAM)"), re.compile(r"[\d,]+(?= W$)")


def sold_words(name: str) -> Message | str:
    """Return what a thing of the price list is called: a proper name as it is, a computer or a supply in words."""
    ram, watts = _RAM.search(name), _WATTS.search(name)
    facts = {"n": ram[0] if ram else "", "watts": watts[0] if watts else ""}
    template = _WATTS.sub("{watts}", _RAM.sub("{n}", name))
    if template in SOLD_TEXTS:
        return Message(template, facts)
    told = product_words(name)
    return told if told.template in PRODUCT_TEXTS else whole(name)


COUNTED_TEXTS = {
    "card": "{n} x {card}",
    "part": "{n} x {part}",
    "kit": "{n} x {computer}",
    "computer": "{n} x {computer}",
    "laptop": "{n} x {computer}",
}
"""Kind of thing that is bought -> how many of it: Japanese counts cards in 枚 and computers in 台."""


def counted_item(item: PriceItem, *, short_name: bool = False) -> Message:
    """Return what is bought and how many: "2 x AMD Radeon AI PRO R9700". short_name: without its maker."""
    template = COUNTED_TEXTS[item.what]
    thing = re.findall(r"\w+(?=})", template)[1]
    return Message(template, {"n": item.quantity, thing: sold_words(brief(item.name) if short_name else item.name)})
