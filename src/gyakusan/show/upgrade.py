"""What to buy next: the advice, the question, a row for what is owned and one for each purchase."""

from __future__ import annotations

from collections.abc import Iterator

from gyakusan.doors.shell import shell_word
from gyakusan.message import Listed, Message, people, say
from gyakusan.planning.candidates.power import supply_watts
from gyakusan.planning.candidates.prices import PriceItem
from gyakusan.planning.predict.capacity import Capacity
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.shown_plans import shown_figures
from gyakusan.planning.upgrade.labels import LEAST_GAIN, first_for_speed, quality_for_money, slower_than_today
from gyakusan.planning.upgrade.option import UpgradeOption
from gyakusan.planning.upgrade.recommend import UpgradeAnswer
from gyakusan.show.amounts import CURRENCY_HEAD_TEXTS, PER, PER_TEXTS, Amounts, amount_words, money_words
from gyakusan.show.answer import answer_screen
from gyakusan.show.plan_notes import price_note
from gyakusan.show.plan_words import bought, machine_title
from gyakusan.show.request_line import spaced
from gyakusan.show.tasks import DOING_TEXTS, JAPANESE_TEXTS
from gyakusan.show.tree import Cell, Column, Note, Pause, Question, Table, Text, Tree, Verdict, Words, whole
from gyakusan.show.wording import brief, counted, quality, short

SUPPLY_STEP = 50
"""Power supplies are sold in these steps. [W]"""
ROLE_TEXTS = {
    "balanced": "balanced",
    "yen": "most for the money",
    "best": "highest quality",
    "fastest": "fastest",
    "cheapest": "cheapest",
}
BUY_TEXTS = {
    "same_card": "add {what}",
    "added_card": "add {what}",
    "replacement_card": "swap: {what}",
    "first_card": "add {what}",
    "computer": "{what}",
}
ADVICE_TEXTS = {
    "same_card": "Add another {what} for {price}",
    "added_card": "Add {what} for {price}",
    "replacement_card": "Replace the card with {what} for {price}",
    "first_card": "Add {what} for {price}",
    "computer": "Buy {what} for {price}",
}


def screen(answer: UpgradeAnswer) -> Tree:
    """Return the answer on one screen."""
    closing = tuple(Text(m, "note") for m in notes(answer))
    if answer.now is None and not answer.steps:
        return _verdict(answer), Pause(), question(answer), Pause(), *closing
    return answer_screen(_verdict(answer), question(answer), _table(answer), closing, _next(answer))


def _next(answer: UpgradeAnswer) -> tuple[Words, ...]:
    """Return what can be typed next: the plans of the machine after the purchase, or of the one that is owned."""
    step = advised(answer)
    device = answer.owned.machine.name if step is None else step.option.offer.machine.name
    asked = answer.wanted.question
    own_ram = asked.ram is not None and (
        step is None or step.option.kind != "computer"
    )  # a bought computer has its own
    options = [f" --ram {shell_word(asked.ram or '')}"] * own_ram + [f" --users {asked.users}"] * (asked.users != 1)
    options += [] if asked.context is None else [f" --context {asked.context}"]
    options += [f" --task {asked.task}"] * (asked.task != "chat") + [f" --language {asked.language}"] * (
        asked.language != "en"
    )
    options += [f" --prefer {asked.prefer}"] * (asked.prefer != "balanced") + [" --images"] * asked.images
    return (whole(f"gyakusan plan --device {shell_word(brief(device))}{''.join(options)}"),)


def amounts(answer: UpgradeAnswer) -> Amounts:
    """Return how amounts are said: in the currency of the question."""
    return Amounts(answer.wanted.question.paid_in, answer.rates)


def _verdict(answer: UpgradeAnswer) -> Verdict:
    """Return what to buy and what it brings, or that nothing is worth its money."""
    if answer.keep:
        return Verdict(tuple(_keep(answer)), say("Buy nothing"), "doubt")
    speedy, told = first_for_speed(answer.steps), amounts(answer)
    first = advised(answer) or answer.steps[0]
    thing = bought(first.option.offer) if first.option.kind == "computer" else counted(first.option.what)
    what = Message(ADVICE_TEXTS[first.option.kind], {"what": thing, "price": told.words(first.option.net)})
    advice = say("{advice}: {gain}.", advice=what, gain=_with_answers(answer.now, first))
    whole_pc = tuple(_cheaper_whole(first, told))
    if speedy is None:
        return Verdict((advice, *whole_pc))
    none = say("Nothing is worth its money in quality: no gain is beyond its error.")
    return Verdict(
        (none, say("For speed only. {advice}", advice=advice), *whole_pc),
        say("Nothing is worth its money in quality"),
        "doubt",
    )


def _cheaper_whole(step: UpgradeOption, told: Amounts) -> Iterator[Message]:
    """Yield that a whole computer with the card costs less than the card; not where the plan needs the RAM of the old one."""
    if step.option.complete is not None and not step.plan.in_ram:
        yield say("A complete PC with it costs less: {price}.", price=told.words(step.option.complete))


def advised(answer: UpgradeAnswer) -> UpgradeOption | None:
    """Return the purchase that the first sentence names, None where there is none.

    Where nothing is surely better it is the first for speed; who prefers speed is advised nothing that is slower than today
    while a row is faster.
    """
    if speedy := first_for_speed(answer.steps):
        return speedy
    faster = (s for s in answer.steps if not slower_than_today(s))
    if answer.wanted.question.prefer == "speed" and (first := next(faster, None)):
        return first
    return next(iter(answer.steps), None)


def _keep(answer: UpgradeAnswer) -> Iterator[Message]:
    told = amounts(answer)
    if answer.wanted.budget is None:
        yield say("Buy nothing: no change is better beyond its error.")
    else:
        yield say("Buy nothing: no change under {budget} is better beyond its error.", budget=_budget(answer))
    if answer.nearest is not None:
        yield say(
            "The cheapest that is: {what} for {price}, to run {model}.",
            what=counted(answer.nearest.option.what),
            price=told.words(answer.nearest.option.net),
            model=whole(answer.nearest.plan.name),
        )


def _budget(answer: UpgradeAnswer) -> Message:
    budget = answer.wanted.budget
    return say("the budget") if budget is None else money_words(budget)


def _gain(now: Plan | None, step: UpgradeOption) -> Message:
    """Return model, quality and speed beside those of today."""
    facts: dict[str, object] = {"model": whole(step.plan.name), "speed": _speed(step.plan)}
    if now is None or step.between is None:
        return say("{model} at {speed} tokens/s, where nothing runs today", **facts)
    if now.pace is None and now.name != step.plan.name:
        return say(
            "{model} at {speed} tokens/s instead of {old}, whose speed is not known", old=whole(now.name), **facts
        )
    gap = step.between.quality_gap
    points = shown_figures(step.plan).quality - shown_figures(now).quality  # that of the table's figures
    facts |= {"old": whole(now.name), "was": _speed(now), "points": f"{points:.0f} ±{gap.error:.0f}"}
    if now.name == step.plan.name:
        return say("{model} at {speed} tokens/s instead of {was}", **facts)
    if gap.value < 0.5 or gap.value <= gap.error:
        return say("{model} instead of {old}, {speed} tokens/s instead of {was}", **facts)
    return say("{model} instead of {old}, {points} points better, {speed} tokens/s instead of {was}", **facts)


def _with_answers(now: Plan | None, step: UpgradeOption) -> Message:
    """Return what a purchase brings, with the speed of what people read where one of both models thinks."""
    gain, after = _gain(now, step), shown_figures(step.plan).answer
    before = None if now is None else shown_figures(now).answer
    if now is None or after is None or before is None or now.thinking.factor <= 1 >= step.plan.thinking.factor:
        return gain
    return say("{gain}; {n} of answer instead of {was}", gain=gain, n=short(after), was=short(before))


def _speed(plan: Plan) -> str:
    return "?" if plan.pace is None else short(plan.pace.decode_each.value)


def question(answer: UpgradeAnswer) -> Question:
    """Return the question as it was understood."""
    request = answer.wanted.question
    texts = JAPANESE_TEXTS if request.language == "ja" else DOING_TEXTS
    owned = counted(answer.owned.machine.name)
    if request.ram is not None:
        owned = say("{machine} with {ram} of RAM", machine=owned, ram=spaced(request.ram))
    facts = {
        "machine": owned,
        "people": people(request.users),
        "doing": Message(texts[request.task]),
        "n": f"{request.workload.context:,}",
    }
    if answer.wanted.budget is None:
        return Question((say("{machine}, {people}, {doing}, {n} tokens; any price", **facts),))
    return Question(
        (say("{machine}, {people}, {doing}, {n} tokens; at most {budget}", **facts, budget=_budget(answer)),)
    )


def _table(answer: UpgradeAnswer) -> Table:
    """Return what is owned as the row without a number, then each purchase."""
    currency = amounts(answer).currency
    columns: tuple[Column, ...] = (
        Column(say("buy")),
        Column(Message(CURRENCY_HEAD_TEXTS[currency]), "number"),
        Column(say("then run")),
        Column(say("files"), wide=True),
        Column(say("quality"), "number"),
        Column(say("tokens/s"), "number"),
        Column(say("tokens up to"), "number", wide=True),
    )
    gains = any(per_amount(s, amounts(answer)) != "-" for s in answer.steps)
    columns += (Column(Message(PER_TEXTS[currency]), "number", leaves=1),) if gains else ()
    now = (_now_row(answer),) if answer.now is not None else ()
    rows = tuple(row[: len(columns)] for row in (*now, *(tuple(_row(answer, s)) for s in answer.steps)))
    told = tuple(Note(_labels(s), tuple(_items(answer, s))) for s in answer.steps)
    blank = (Note("", tuple(_now_items(answer))),) if now else ()
    return Table(columns, rows, numbered=True, first=0 if now else 1, notes=(*blank, *told))


def _now_row(answer: UpgradeAnswer) -> tuple[Cell, ...]:
    now = answer.now
    assert now is not None
    facts = (now.name, now.quantization, quality(now.score), _speed(now), _reach(answer.limits), "")
    return (say("nothing"), "0", *facts)


def _now_items(answer: UpgradeAnswer) -> Iterator[Message]:
    now = answer.now
    if now is not None and now.thinking.factor > 1 and (left := shown_figures(now).answer) is not None:
        yield say("today: {n} of answer", n=short(left))


def _row(answer: UpgradeAnswer, step: UpgradeOption) -> Iterator[Cell]:
    plan, told = step.plan, amounts(answer)
    yield what(step)
    yield told.figure(step.option.net)
    yield plan.name
    yield plan.quantization
    yield quality(plan.score)
    yield _speed(plan)
    yield _reach(step.limits)
    yield per_amount(step, told)


def what(step: UpgradeOption) -> Message:
    """Return what is bought, as a table names it."""
    if step.option.kind == "computer":
        return Message(BUY_TEXTS["computer"], {"what": machine_title(step.option.offer)})
    return Message(BUY_TEXTS[step.option.kind], {"what": counted(step.option.what, series=False)})


def per_amount(step: UpgradeOption, told: Amounts) -> str:
    """Return the gain in quality, less its error, for 10,000 yen or 100 dollars; "-" where there is none [points]."""
    gain = quality_for_money(step) * PER[told.currency] * _yen(told)
    return f"{gain:.1f}" if quality_for_money(step) >= LEAST_GAIN and gain >= 0.05 else "-"


def _reach(limits: Capacity | None) -> str:
    return "" if limits is None else f"{limits.context:,}"


def _labels(step: UpgradeOption) -> Message:
    if not step.roles:
        return say("another way")
    return say("{labels}", labels=Listed(tuple(Message(ROLE_TEXTS[r]) for r in step.roles)))


def _items(answer: UpgradeAnswer, step: UpgradeOption) -> Iterator[Message]:
    """Yield how fast what people read comes, what a purchase needs, and its price item by item."""
    offer = step.option.offer
    if step.plan.thinking.factor > 1 and (left := shown_figures(step.plan).answer) is not None:
        yield say("{n} of answer", n=short(left))
    if step.option.complete is not None and not step.plan.in_ram:
        yield say("a complete PC with it: {price}", price=amounts(answer).words(step.option.complete))
    if step.option.kind == "computer" or offer.power is None:
        return
    facts = {"slots": offer.slots, "watts": f"{-(-supply_watts(offer.power, 1) // SUPPLY_STEP) * SUPPLY_STEP:,.0f}"}
    yield say("{slots} slots, a supply of {watts} W", **facts)
    if len(offer.items) > 1 or any(i.quantity > 1 for i in offer.items):
        yield say("{parts}", parts=Listed(tuple(map(_part, offer.items))))


def _part(item: PriceItem) -> Message:
    """Return one thing that is bought, with the price of each: "2 cards at 1,600,000 yen", "power supply: 28,000 yen"."""
    price = amount_words(f"{item.paid / item.quantity:,.0f}", item.paid_in)
    if item.what == "card":
        return (
            say("{n} cards at {price}", n=item.quantity, price=price)
            if item.quantity > 1
            else say("card: {price}", price=price)
        )
    return say("{name}: {price}", name=_part_name(item.name), price=price)


def _part_name(name: str) -> Message:
    return say("power supply") if name.startswith("power supply") else Message("{name}", {"name": name})


def notes(answer: UpgradeAnswer) -> tuple[Message, ...]:
    """Return what the figures rest on."""
    shown = (*answer.steps, *((answer.nearest,) if answer.nearest else ()))
    prices = price_note([s.option.offer for s in shown])
    out: list[Message] = [] if prices is None else [prices]
    if any(per_amount(s, amounts(answer)) != "-" for s in answer.steps):
        out.append(_per_words(amounts(answer)))
    if any(s.option.kind != "computer" for s in shown):
        out.append(say("Not checked: whether your case has the slots and your supply the watts."))
    if any(s.option.kind == "added_card" for s in shown):
        out.append(say("Unlike cards: llama.cpp splits layers by memory; the speed is that of the slower card."))
    if any(s.option.kind in ("replacement_card", "computer") for s in shown):
        resale = answer.wanted.resale
        out.append(
            say("The old machine brings nothing unless you add --resale.")
            if resale is None
            else say("The old machine brings {amount}, which is subtracted.", amount=money_words(resale))
        )
    out.append(
        say("{tried} of {every} purchases with a known price are within reach.", tried=answer.tried, every=answer.every)
    )
    return tuple(out)


def _per_words(told: Amounts) -> Message:
    head, amount = Message(PER_TEXTS[told.currency]), told.words(PER[told.currency] * _yen(told))
    return say("{head}: points of quality, less the error, for {amount}.", head=head, amount=amount)


def _yen(told: Amounts) -> float:
    return told.rates.convert(1.0, told.currency, "JPY") or 1.0
