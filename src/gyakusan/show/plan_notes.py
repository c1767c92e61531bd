"""What is said of each plan in one line below the table, and what holds for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from gyakusan.catalog.thinking import effort_of
from gyakusan.doors.shell import shell_words
from gyakusan.engines.service_files import Service
from gyakusan.message import Listed, Message, say
from gyakusan.planning.candidates.hardware import HardwareOption, outlet_watts
from gyakusan.planning.candidates.prices import PriceItem, month_text, price_facts
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.plan_difference import plan_difference
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.shown_plans import shown_figures
from gyakusan.show.amounts import amount_words
from gyakusan.show.plan_words import against_best, amounts, labels, price_words
from gyakusan.show.purchase import LEAST_RATE, converted_words
from gyakusan.show.tree import Note, Text, Words
from gyakusan.show.wording import may_not_fit, short, typed
from gyakusan.units import GIB

EFFORT_TEXTS = {
    "low": "low effort",
    "medium": "medium effort",
    "high": "high effort",
    "xhigh": "highest effort",
}
THINKING_TEXTS = {
    "measured": "measured",
    "family": "measured on a model of its family",
    "assumed": "as other models",
}
"""How sure the tokens of thinking are."""
QUALITY_TEXTS = {
    "measured": "quality measured",
    "few": "few scores",
    "vendor": "maker's scores",
    "inferred": "quality from scores in English",
    "agentic": "agentic quality from other scores",
    "assumed": "quality assumed",
}
TIGHT_BYTES, TIGHT_SHARE = GIB // 2, 0.03
"""To spare is tight below this much, or below this share of what is usable. [B], [fraction]"""
WIDE = 3.0
"""An interval is wide from this ratio of its ends on."""
OUTLET_SHARE = 0.6
"""Shares of an outlet above this are shown. [fraction]"""
UNPRICED = (
    "The price of {name} is not known.",
    "The newest price of {name} is of {month}: too old or too unsure to plan with.",
)
"""Reasons of machines without a price that counts."""
PRICES_ALONE = -1
"""Instead of a number of lines that hold for all plans: see shared_notes."""
MONTHS_ALONE = -2
"""The same without rates of exchange, which stand beside each price in --details."""
MANY = 99
"""More than is said of anything."""
SHORT_CONTEXT = 8192
"""A default context that is little for a long conversation. [tokens]"""


def notes(answer: Recommendation, most: int = MANY) -> tuple[Note, ...]:
    """Return a note for each plan. most: things that are said of one plan, the weightiest first."""
    plans = answer.plans
    why = tuple(against_best(answer.request, plans))
    return tuple(Note(_label(answer, n), _weightiest(answer, p, () if n else why, most)) for n, p in enumerate(plans))


def _weightiest(answer: Recommendation, plan: Plan, why: Sequence[Words], most: int) -> tuple[Words, ...]:
    """Return what is said of one plan: what it must say however little room there is, then other things up to `most`.

    A row below the wanted speed always says so; one with a smaller cache too, for without it `inspect` says that
    it does not fit; a card alone beside computers is cheaper only for who has a PC. why: said first of the others
    """
    cache = tuple(_files(plan, owned=answer.request.owned)) if plan.small_cache else ()
    must = (*cache, *_missed_speed(answer.request, plan), *_card_alone(answer, plan))
    return (*must, *(*why, *_items(answer, plan))[: max(0, most - len(must))])


def _label(answer: Recommendation, number: int) -> Message:
    return say("{labels}", labels=Listed(labels(answer.request, answer.plans, number)))


def _items(answer: Recommendation, plan: Plan) -> Iterator[Words]:
    """Yield what could make the row false, what costs money, then what is assumed."""
    owned = answer.request.owned
    yield from _tight(plan)
    if not plan.small_cache:
        yield from _files(plan, owned=owned)
    if plan.artifact is None and plan.preparation:
        yield say("files are made first: add --details {n}", n=answer.plans.index(plan) + 1)
    if not owned:
        yield from _thinking(plan, first=False, wanted=0.0, in_table=True)
        yield from _bought(answer, plan)
    yield from _beside(plan)
    if owned:
        yield from _thinking(plan, first=plan is answer.plans[0], wanted=answer.request.workload.target_tps)
    if plan.pace is None:
        yield say("speed not known")
    elif is_wide(plan) and not plan.in_ram:
        yield say("speed uncertain")  # its ends stand in the table, or before this
    basis = basis_of(plan)
    if basis != "measured":
        yield Message(QUALITY_TEXTS[basis])


def _tight(plan: Plan) -> Iterator[Words]:
    """Yield how little is to spare."""
    spare, figures = plan.spare, shown_figures(plan)
    if spare is not None and spare < 0:
        yield may_not_fit(plan.ledger.tightest)
    elif spare is not None and is_tight(plan):
        yield say("tight: {n} GiB", n=f"{figures.spare:.1f}") if figures.spare else say("tight: less than 0.1 GiB")


def _missed_speed(request: PlanRequest, plan: Plan) -> Iterator[Words]:
    """Yield that the answer is slower than the task wants, by the figures that are shown."""
    answer, wanted = shown_figures(plan).answer, request.workload.target_tps
    if answer is not None and answer < wanted:
        yield say("{n} of {wanted} wanted", n=short(answer), wanted=typed(wanted))


def _card_alone(answer: Recommendation, plan: Plan) -> Iterator[Words]:
    """Yield that a row's price pays a card alone where plan 1 is a computer; where plan 1 is a card, the headline says it."""
    if (
        not plan.offer.own_computer
        or answer.plans[0].offer.own_computer
        or answer.request.base_computer_price is not None
    ):
        return
    if plan.offer.around is None:
        yield say("card alone")
    else:
        yield say("card alone ({whole} with a PC)", whole=amounts(answer).words(plan.offer.around))


def _files(plan: Plan, *, owned: bool) -> Iterator[Words]:
    """Yield the files where the table may lack them, with a smaller cache."""
    if plan.small_cache:
        if owned:
            yield say("KV cache in 8 bits")
        else:
            yield say("{files} with KV cache in 8 bits", files=plan.quantization)
    elif not owned:
        yield plan.quantization


def beforehand(plan: Plan) -> Iterator[Message]:
    """Yield what is to be done before the server is started."""
    if plan.artifact is None and plan.preparation:
        commands = " && ".join(plan.preparation)
        yield say("These files are not published. Make them first: {commands}", commands=commands)


def afterwards(server: Service) -> Iterator[Message]:
    """Yield what is to be done once the server listens."""
    for words in server.command.then:
        yield say("Once the server listens: {command}", command=shell_words(words))


def unknown_speed(request: PlanRequest, plan: Plan) -> Message:
    """Return why the speed of a plan is not known, and what tells it. It has none."""
    if request.device is None and request.memory is not None:
        return say('Without a device its speed is not known: add for example --device "RTX 4090".')
    if request.owned and request.device is None:
        return say("The speed of this computer is not known: gyakusan calibrate measures it.")
    if not plan.deployment.machine.gpus:
        return say("The speed of its RAM is not known: gyakusan calibrate measures it; or add --bandwidth 80GB/s.")
    return say("No bandwidth is known of this machine, so its speed is not known.")


def _knows_ram(plan: Plan) -> bool:
    """Return True if the bandwidth of the RAM is known or was specified."""
    host = plan.deployment.machine.host
    return host is not None and bool(host.bandwidth)


def is_wide(plan: Plan) -> bool:
    """Return True if the interval of a plan's speed is wide."""
    return plan.pace is not None and plan.pace.decode_each.high > WIDE * plan.pace.decode_each.low


def is_tight(plan: Plan) -> bool:
    """Return True if little memory is to spare."""
    spare, usable = plan.spare, plan.ledger.accounts[0].device.usable
    return spare is not None and (spare < TIGHT_BYTES or (usable is not None and spare < TIGHT_SHARE * usable))


def basis_of(plan: Plan) -> str:
    """Return what the quality that counts rests on."""
    basis = plan.quality_basis
    return "agentic" if plan.metric == "agentic" and basis == "inferred" else basis


def _bought(answer: Recommendation, plan: Plan) -> Iterator[Words]:
    """Yield the conversion of the price, second-hand, the parts, and the watts where they are many."""
    offer = plan.offer
    facts = price_facts(offer.items)
    if facts is None:
        yield say("price not known")
    else:
        if (seen := next((i for i in facts.converted if i.kind != "estimate"), None)) is not None:
            yield converted_words(seen, brief=True)
        if facts.used:
            yield say("used")
        if facts.parts is not None and offer.items[0].what == "card":
            yield _parts(offer)
    outlet = outlet_watts(answer.request)
    if offer.wall_power and outlet and offer.wall_power > OUTLET_SHARE * outlet:
        yield say("{n} W of {outlet} W", n=f"{offer.wall_power:,.0f}", outlet=f"{outlet:,.0f}")


def price_note(offers: Sequence[HardwareOption], *, details: bool = False, brief: int = MANY) -> Message | None:
    """Return from when the prices of purchases are, their exchange rates, and that some are estimates. None without any.

    details: say where each price stands; brief: PRICES_ALONE or MONTHS_ALONE leave out what stands there
    """
    items = [item for offer in offers for item in offer.items]
    if not items:
        return None
    converted = {(i.currency, i.paid_in): i for i in items if i.rate}
    first, last = min(i.month for i in items), max(i.month for i in items)
    if first == last:
        head = say("All rows: {price}", price=price_words(first))
    else:
        head = say("Prices of {first} to {last}", first=month_text(first), last=month_text(last))
    rates = tuple(_rate(converted[key]) for key in sorted(converted))
    if details and brief in (PRICES_ALONE, MONTHS_ALONE):
        return say("{told}: --details N", told=Listed((head,) if brief == MONTHS_ALONE else (head, *rates)))
    told = Listed((head, *rates, *_estimates(items)))
    return say("{told}; each: add --details N.", told=told) if details and first != last else say("{told}.", told=told)


def _estimates(items: Sequence[PriceItem]) -> Iterator[Message]:
    """Yield what of the things that are bought has an estimate for a price."""
    guessed = {i.what for i in items if i.kind == "estimate"}
    if "kit" in guessed:
        yield say("PCs around cards are estimates")
    if "part" in guessed:
        yield say("power supplies are estimates")


def _rate(item: PriceItem) -> Message:
    """Return the rate by which a price was converted: "1 USD = 155.00 yen"."""
    rate, one, other = item.rate or 0.0, item.currency, item.paid_in
    if rate < LEAST_RATE:
        rate, one, other = 1 / rate, other, one
    return say("{one} = {other}", one=amount_words("1", one), other=amount_words(f"{rate:,.2f}", other))


def _parts(offer: HardwareOption) -> Message:
    """Return the cards and what is bought around them."""
    cards = offer.items[0]
    rest = sum(item.paid for item in offer.items[1:])
    facts = {"one": f"{cards.paid / cards.quantity:,.0f}", "rest": f"{rest:,.0f}", "n": cards.quantity}
    guessed = offer.items[1].kind == "estimate"
    if cards.quantity == 1:
        return say("card {one} + PC {rest} (estimate)", **facts) if guessed else say("card {one} + PC {rest}", **facts)
    if guessed:
        return say("{n} cards x {one} + PC {rest} (estimate)", **facts)
    return say("{n} cards x {one} + PC {rest}", **facts)


def _beside(plan: Plan) -> Iterator[Words]:
    """Yield what is in RAM, what is loaded beside the weights, copies."""
    if plan.in_ram == "experts":
        yield say("{n} blocks of experts in RAM", n=plan.blocks_in_ram)
    elif plan.in_ram:
        yield say("{n} layers in RAM", n=plan.blocks_in_ram)
    if plan.projector == "counted":
        size = f"{plan.projector_bytes / GIB:.1f}" if plan.projector_bytes else "?"
        yield say("image part counted: {n} GiB", n=size)
    if not plan.deployment.rules.KEY and plan.ledger.load.users > 1:
        yield say("its server has no key: gyakusan serve adds one")
    if plan.replicas > 1:
        yield say("{n} copies, each for its share of the people", n=plan.replicas)


def _thinking(plan: Plan, *, first: bool, wanted: float, in_table: bool = False) -> Iterator[Words]:
    """Yield what thinking costs. At 80 columns it is said here, and nowhere else where the machine is owned."""
    if plan.deployment.mode == "off":
        yield say("thinking off")
    if plan.thinking.factor <= 1:
        return
    if effort := effort_of(plan.name, plan.mode.mode):
        yield Message(EFFORT_TEXTS[effort])
    times = f"{plan.thinking.factor:.2g}"
    left = shown_figures(plan).answer
    if left is None or in_table or left < wanted:  # then it is said before
        yield say("thinks x{times}", times=times)
        return
    template = "thinks x{times}: {left} tokens/s of answer" if first else "thinks x{times}: {left} of answer"
    yield Message(template, {"times": times, "left": short(left)})


def shared_notes(answer: Recommendation, most: int = MANY) -> tuple[Text, ...]:
    """Return what holds for the whole answer, a line for each.

    most: lines besides that of the prices; PRICES_ALONE: none, and that one is short; MONTHS_ALONE: it is shortest
    """
    offers = () if answer.request.owned else tuple(p.offer for p in answer.plans)
    prices = price_note(offers, details=True, brief=most)
    others = [*_sold_elsewhere(answer), *_shared(answer)][: max(most, 0)]
    return tuple(Text(note, "note") for note in (*(() if prices is None else (prices,)), *others))


def _sold_elsewhere(answer: Recommendation) -> Iterator[Message]:
    """Yield how many machines cheaper than the first plan are sold in another currency only, for each currency."""
    most = answer.plans[0].offer.price
    offers = [r.elsewhere for r in answer.rejected if r.elsewhere is not None and most is not None]
    yen = [answer.rates.convert(o.paid, o.paid_in, "JPY") or most for o in offers]
    cheaper = [o.paid_in for o, paid in zip(offers, yen, strict=True) if (paid or 0.0) < (most or 0.0)]
    for currency, n in sorted(Counter(cheaper).items()):
        facts = {"n": n, "currency": currency}
        if n == 1:
            yield say(
                "1 cheaper machine, not tried here, has a price in {currency} only: --currency {currency}",
                currency=currency,
            )
        else:
            yield say(
                "{n} cheaper machines, not tried here, have a price in {currency} only: --currency {currency}", **facts
            )


def _shared(answer: Recommendation) -> Iterator[Message]:
    """Yield the notes that hold for the whole answer, the weightiest first."""
    plans, request = answer.plans, answer.request
    if (unknown := next((p for p in plans if p.pace is None), None)) is not None:
        yield unknown_speed(request, unknown)
    if any(p.in_ram and is_wide(p) and not _knows_ram(p) for p in plans):
        yield say("Intervals are wide: the RAM's speed is assumed: add --bandwidth 80GB/s.")
    if off := [n for n, p in enumerate(plans, 1) if p.projector == "off"]:
        yield _no_images(off, len(plans))
    if request.context is None and request.workload.context <= SHORT_CONTEXT and request.task == "chat":
        n = f"{request.workload.context:,}"
        yield say("{n} tokens is little for coding or long chats: add --context 32k.", n=n)
    if (one := _beats_first(answer)) is not None:
        yield one
    if not request.owned and (unpriced := unpriced_machines(answer)):
        yield say("{n} machines have no price that counts today: add --why-not NAME for why.", n=f"{unpriced:,}")


def _no_images(rows: Sequence[int], count: int) -> Message:
    """Return which plans load no image part."""
    if len(rows) == count:
        return say("No image part is loaded; add --images to count it.")
    return say("{rows}: no image part; add --images to count it.", rows=", ".join(map(str, rows)))


def unpriced_machines(answer: Recommendation) -> int:
    """Return how many kinds of machines were left out because no price of them counts."""
    return len({str(r.reason) for r in answer.rejected if r.price is None and r.reason.template in UNPRICED})


def _beats_first(answer: Recommendation) -> Message | None:
    """Return with what probability the plan of highest quality is better than plan 1, None where nothing is to say."""
    plans: Sequence[Plan] = answer.plans
    best = next((n for n, p in enumerate(plans) if "best" in p.roles), 0)
    if not best:
        return None
    chance = plan_difference(plans[0], plans[best], answer.request.workload.quality_metric).p_better
    return say(
        "{n} beats 1 in quality with {percent} % probability. Why not another: add --why-not NAME",
        n=best + 1,
        percent=min(99, round(100 * chance)),
    )
