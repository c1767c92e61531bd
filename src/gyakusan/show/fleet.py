"""Fleets on the terminal: how many of which machines, the question, a numbered table, a note for each row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gyakusan.engines.registry import engine
from gyakusan.message import Listed, Message, duration, people, say, typed_duration
from gyakusan.planning.candidates.hardware import outlet_watts
from gyakusan.planning.fleet.labels import shown_figures
from gyakusan.planning.fleet.plan import FleetPlan
from gyakusan.planning.fleet.ranking import keeps_pace, lacks_for_cheapest
from gyakusan.planning.fleet.recommend import FleetAnswer, left_out
from gyakusan.planning.fleet.relaxations import FleetWay, at_most_replicas
from gyakusan.planning.fleet.request import FleetRequest
from gyakusan.planning.fleet.sweep import sold_used_only
from gyakusan.planning.request.pace import longest_wait, slowest_answer
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.missed_figures import at_least_time, at_most
from gyakusan.show.amounts import MONTH_HEAD_TEXTS, Amounts, money_words
from gyakusan.show.answer import answer_screen, no_answer
from gyakusan.show.plan_notes import price_note
from gyakusan.show.plan_words import CHEAPEST_TEXTS, PREFERRED_TEXTS
from gyakusan.show.request_line import usual_pace
from gyakusan.show.tasks import DOING_TEXTS, JAPANESE_TEXTS
from gyakusan.show.tree import Cell, Column, Next, Note, Pause, Question, Table, Text, Tree, Verdict, Words, whole
from gyakusan.show.wording import brief, counted, may_not_fit, quality, short, typed

ROLE_TEXTS = {
    "balanced": "balanced",
    "best": "highest quality",
    "fastest": "fastest",
    "cheapest": "cheapest",
    "fewest": "fewest",
    "survives": "survives a failure",
    "across": "across machines",
}


def screen(answer: FleetAnswer) -> Tree:
    """Return the answer on one screen."""
    if not answer.plans:
        none = Verdict((say("No fleet meets these conditions."),), say("No fleet"), "fails")
        ways = _ways(answer.ways)
        return (*no_answer(none, answer.reasons, question(answer)), *ways)
    closing = (*map(Text, _closing(answer)), *(Text(m, "note") for m in _rules(answer)))
    return answer_screen(_verdict(answer), question(answer), _table(answer), closing)


def _ways(ways: Sequence[FleetWay]) -> Tree:
    """Return what would work, the smallest change first, each with the fleet that it gives."""
    if not ways:
        return ()
    columns = (Column(say("change")), Column(say("then: quality, tokens/s")), Column(say("add to the command")))
    rows = tuple((w.change, _then(w.plan), whole(w.options)) for w in ways)
    head = Text(say("What would work, the smallest change first"))
    return (
        Pause(),
        head,
        Table(columns, rows, numbered=True),
        Pause(),
        Next((say("add {options}", options=rows[0][2]),)),
    )


def _then(plan: FleetPlan) -> Message:
    """Return a fleet in a few words."""
    figures = (Message(whole(t)) for t in (plan.plan.name, quality(plan.plan.score), short(plan.user_speed)))
    return say("{items}", items=Listed((say("{machines}", machines=machines(plan)), *figures)))


PRICE_TEXTS = {
    "month": "{fleet}, {cost} a month ({price} to buy).",
    "power": "{fleet}, {price} to buy. Its power is not known, so neither is the cost of a month.",
    "unknown": "{fleet}. Its price is not known.",
    "used": "{fleet}. Only used prices of it are known: add --used.",
}
"""What a fleet costs, by what is known of that."""


def amounts(answer: FleetAnswer) -> Amounts:
    """Return how amounts are said: in the currency of the question."""
    return Amounts(answer.request.plan_request.paid_in, answer.rates)


def _verdict(answer: FleetAnswer) -> Verdict:
    """Return what to take, how fast it is, what it costs, and what a failure does.

    Nobody is told to take what may not fit or is too slow to be of use.
    """
    plan, told, request = answer.plans[0], amounts(answer), answer.request.plan_request
    total, price = plan.cost.requested.total, plan.plan.offer.price
    facts = {"machines": machines(plan), "model": whole(plan.plan.name), "speed": _speed_words(answer, plan)}
    slow = () if keeps_pace(request, plan) else tuple(_too_slow(request, plan))
    if not plan.plan.surely_fits:
        fleet = say("Fleet 1 is {machines} with {model}: {speed}, it may not fit", **facts)
    elif slow:
        fleet = say("Fleet 1 is {machines} with {model}: {speed}", **facts)
    else:
        fleet = say("Take {machines} with {model}: {speed}", **facts)
    kind = "month" if total is not None and price is not None else "power" if price is not None else "unknown"
    kind = "used" if kind == "unknown" and sold_used_only(request, plan.plan.offer) else kind
    paid = None if price is None else told.words(price * plan.machines)
    first = Message(PRICE_TEXTS[kind], {"fleet": fleet, "cost": told.words(total), "price": paid})
    if slow or not plan.plan.surely_fits:
        return Verdict((*slow, first, failure(plan)), Message(""), "doubt")
    return Verdict((first, failure(plan)), say("Take"), "fits")


def _too_slow(request: PlanRequest, plan: FleetPlan) -> Iterator[Message]:
    """Yield by which figure the first fleet is too slow: then no other keeps the limits either."""
    least, longest = slowest_answer(request), longest_wait(request)
    if plan.answer_speed < least:
        yield say(
            "*No fleet keeps all limits of speed*: fleet 1 has {n} tokens/s of answer, and {least} are the least (default).",
            n=at_most(plan.answer_speed, 2),
            least=typed(least),
        )
        return
    yield say(
        "*No fleet keeps all limits of speed*: the first token of fleet 1 takes {n}, and {longest} is the most (default).",
        n=at_least_time(plan.first_token),
        longest=duration(longest),
    )


def _speed_words(answer: FleetAnswer, plan: FleetPlan) -> Message:
    request, speed = answer.request.plan_request, short(plan.user_speed)
    if request.arrivals is None:
        return say("{n} tokens/s for each of {people}", n=speed, people=people(request.users))
    return say("{n} tokens/s for each answer at {rate} requests an hour", n=speed, rate=hourly(request.arrivals))


def failure(plan: FleetPlan) -> Message:
    """Return what one failed machine does."""
    impact = plan.failure_impact
    facts = {"each": "?" if impact.each is None else short(impact.each), "served": _percent(plan)}
    match impact.verdict:
        case "spare":
            return say("If one fails, the spare takes its place.")
        case "holds":
            return say("If one fails, the others serve all at {each} tokens/s each.", **facts)
        case "slower":
            return say("If one fails, the others serve all at {each} tokens/s each, with waits.", **facts)
        case "full":
            return say("If one fails, {served} % are still served; --spare 1 adds a machine.", **facts)
        case _:
            return say("If it fails, nobody is served; --spare 1 adds a machine.")


def machines(plan: FleetPlan) -> Words:
    """Return the machines of a fleet: "8 RTX 5090 PCs", "2 PCs of 2x RTX 5090", "3 x DGX Spark"."""
    offer, count = plan.plan.offer, plan.replicas * plan.nodes
    name = brief(offer.machine.name, series=False)
    facts: dict[str, Words] = {"n": f"{count}+{plan.spares}" if plan.spares else f"{count:,}", "name": whole(name)}
    gpus = offer.machine.gpus
    if not gpus or gpus[0].kind == "unified":
        return say("{n} x {name}", **facts)
    if plan.nodes > 1:
        return say("{n} servers of {name}, {nodes} for each model", nodes=plan.nodes, **facts)
    if len(gpus) > 2:
        return say("1 server of {name}", **facts) if plan.machines == 1 else say("{n} servers of {name}", **facts)
    if len(gpus) == 2:
        facts["name"] = counted(offer.machine.name, series=False)
        return say("1 PC of {name}", **facts) if plan.machines == 1 else say("{n} PCs of {name}", **facts)
    return say("1 {name} PC", **facts) if plan.machines == 1 else say("{n} {name} PCs", **facts)


def hourly(rate: float) -> str:
    """Return requests a second as requests an hour."""
    return f"{rate * 3600:,.0f}" if rate * 3600 >= 100 else f"{rate * 3600:.3g}"


def question(answer: FleetAnswer) -> Question:
    """Return the question as it was understood, with each default that acts."""
    request = answer.request
    first, second = (say("{limits}", limits=Listed(tuple(part))) for part in (_load(request), _limits(request)))
    return Question((first, second, terms(request, amounts(answer))))


def _load(request: FleetRequest) -> Iterator[Message]:
    """Yield who asks how much, and how much may be bought."""
    plan_request = request.plan_request
    texts = JAPANESE_TEXTS if plan_request.language == "ja" else DOING_TEXTS
    facts = {"n": f"{plan_request.workload.context:,}", "doing": Message(texts[plan_request.task])}
    if plan_request.arrivals is None:
        yield say("{people} at once, {n} tokens each, {doing}", people=people(plan_request.users), **facts)
    else:
        yield say("{rate} requests an hour, {n} tokens each, {doing}", rate=hourly(plan_request.arrivals), **facts)
        if "users" in request.given:
            yield say("places for {people} at once", people=people(plan_request.users))
    if request.budget is not None:
        yield say("budget {amount}", amount=money_words(request.budget))
    if "replicas" in request.given:
        yield at_most_replicas(request.replicas)


def _limits(request: FleetRequest) -> Iterator[Message]:
    """Yield lengths and limits of speed."""
    plan_request, workload = request.plan_request, request.plan_request.workload
    facts = {"prompt": f"{workload.prompt_tokens:,}", "answer": f"{workload.output_tokens:,}"}
    yield say("prompts of {prompt}, answers of {answer}", **facts)
    yield from usual_pace(plan_request)
    if plan_request.speed:
        yield say("at least {n} tokens/s", n=typed(plan_request.speed))
    if plan_request.max_ttft is not None:
        yield say("first token within {n}", n=typed_duration(plan_request.max_ttft))


def terms(request: FleetRequest, told: Amounts) -> Message:
    """Return what costs are computed with, in the asker's currency."""
    costs_terms, given = request.terms, request.given
    facts = {
        "months": typed(costs_terms.months),
        "tariff": told.tariff(costs_terms.tariff),
        "hours": typed(costs_terms.hours),
    }
    usual = not given & {"months", "tariff", "hours", "upkeep", "pue"}
    if usual:
        return say("{months} months, {tariff}/kWh, {hours} h a day, no upkeep (defaults)", **facts)
    return say(
        "{months} months, {tariff}/kWh, {hours} h a day, PUE {pue}, upkeep {upkeep} % a year",
        **facts,
        pue=typed(costs_terms.pue),
        upkeep=typed(costs_terms.upkeep),
    )


def _table(answer: FleetAnswer) -> Table:
    columns = (
        Column(say("machines")),
        Column(say("model")),
        Column(say("files"), leaves=2, wide=True),
        Column(say("people each"), "number", wide=True),
        Column(say("tokens/s"), "number"),
        Column(say("quality"), "number"),
        Column(Message(MONTH_HEAD_TEXTS[amounts(answer).currency]), "number"),
        Column(say("to buy"), "number", leaves=4, wide=True),
        Column("kW", "number", leaves=3, wide=True),
        Column(say("one down"), "number", leaves=1),
    )
    rows = tuple(tuple(_row(answer, p)) for p in answer.plans)
    return Table(columns, rows, numbered=True, notes=tuple(_note(answer, p) for p in answer.plans))


def _row(answer: FleetAnswer, plan: FleetPlan) -> Iterator[Cell]:
    told, month, price = amounts(answer), plan.cost.requested, plan.plan.offer.price
    yield machines(plan)
    yield plan.plan.name
    yield plan.plan.quantization
    yield f"{plan.users_per_replica:,}"
    yield speed(plan)
    yield quality(plan.plan.score)
    yield told.figure(month.total)
    yield told.figure(None if price is None else price * plan.machines)
    yield "?" if month.watts is None else _kilowatts(month.watts)
    yield served(plan)


def speed(plan: FleetPlan) -> str:
    """Return each user's speed; with its interval where everybody is served all the time."""
    each = plan.speed.decode_each
    if plan.queue_estimate is not None:
        return short(plan.user_speed)
    return f"{short(each.value)} ({short(each.low)}-{short(each.high)})"


def served(plan: FleetPlan) -> Words:
    """Return who is still served if one machine fails."""
    percent = _percent(plan)
    return say("all") if percent >= 100 else say("nobody") if percent <= 0 else say("{n} % of all", n=percent)


def _percent(plan: FleetPlan) -> int:
    """Return the share that a failure leaves served, rounded down [%]."""
    return int(100 * plan.failure_impact.served + 1e-9)


def _kilowatts(watts: float) -> str:
    return f"{watts / 1000:.0f}" if watts >= 9950 else f"{watts / 1000:.1f}"


def _note(answer: FleetAnswer, plan: FleetPlan) -> Note:
    prefer = answer.request.plan_request.prefer
    texts = ROLE_TEXTS | {"balanced": PREFERRED_TEXTS[prefer], "cheapest": _cheapest(answer, plan)}
    if shown_figures(plan).speed < max(shown_figures(p).speed for p in answer.plans):
        texts["fastest"] = "fastest answers"
    return Note(
        say("{labels}", labels=Listed(tuple(Message(texts[r]) for r in plan.roles))), tuple(_items(answer, plan))
    )


def _cheapest(answer: FleetAnswer, plan: FleetPlan) -> str:
    """Return what a fleet is called that is the cheapest of those that lack nothing, by what cheaper rows lack."""
    price = shown_figures(plan).price
    cheaper = [p for p in answer.plans if shown_figures(p).price < price]
    lacks = {lacks_for_cheapest(answer.request.plan_request, p) for p in cheaper}
    return CHEAPEST_TEXTS[lacks.pop() if len(lacks) == 1 else ""] if cheaper else ROLE_TEXTS["cheapest"]


def _items(answer: FleetAnswer, plan: FleetPlan) -> Iterator[Message]:
    """Yield how many share a machine, the speed of what people read, the power."""
    request, answer_speed = answer.request.plan_request, plan.answer_speed
    target = request.workload.target_tps
    if request.arrivals is None:
        yield say("{n} on each", n=f"{plan.users_per_replica:,}")
    elif plan.queue_estimate is not None:
        yield say("{n} at once on each", n=f"{plan.running_each:.1f}")
    if answer_speed < target:
        yield say("{n} of answer, {target} wanted", n=short(answer_speed), target=typed(target))
    elif plan.plan.thinking.factor > 1:
        yield say("{n} of answer", n=short(answer_speed))
    if plan.plan.spare is not None and plan.plan.spare < 0:
        yield may_not_fit(plan.plan.ledger.tightest)
    if plan.cost.requested.watts is not None:
        yield say("{n} kW", n=_kilowatts(plan.cost.requested.watts))
    wall, most = plan.plan.offer.wall_power, outlet_watts(request)
    if wall is not None and most is not None and wall > most:
        yield say("{n} W each at the wall: more than an outlet gives", n=f"{wall:,.0f}")


def full_watts(plan: FleetPlan) -> float | None:
    """Return what one machine takes at work, None if it is not known [W]."""
    return plan.plan.offer.wall_power


def _closing(answer: FleetAnswer) -> Iterator[Message]:
    """Yield what tokens cost, beside an API's where its price was given."""
    plan, told = answer.plans[0], amounts(answer)
    month, full = plan.cost.requested, plan.cost.full
    if full.output_token_price is not None and month.output_token_price is not None:
        facts = {"full": told.words(full.output_token_price), "most": f"{full.requests:,.0f}"}
        if month.requests > 0.995 * full.requests:
            yield say(
                "A million answer tokens, thinking included, cost {full} at full load ({most} requests a day).", **facts
            )
        else:
            yield say(
                "A million answer tokens, thinking included, cost {asked}; at full load ({most} requests a day) {full}.",
                asked=told.words(month.output_token_price),
                **facts,
            )
    if month.api is not None:
        yield api(answer, plan)


def api(answer: FleetAnswer, plan: FleetPlan) -> Message:
    """Return what an API takes for the same tokens, thinking included, and from which load on owning is cheaper."""
    price = amounts(answer).words(plan.cost.requested.api)
    if plan.cost.break_even is None:
        return say("An API costs {api} a month for the same tokens, less than 1 at every load.", api=price)
    return say(
        "An API costs {api} a month for the same tokens; 1 is cheaper from {load} requests a day.",
        api=price,
        load=f"{plan.cost.break_even:,.0f}",
    )


def _rules(answer: FleetAnswer) -> Iterator[Message]:
    """Yield what stands before the replicas, and what the answer rests on."""
    if (prices := price_note([p.plan.offer for p in answer.plans])) is not None:
        yield prices
    yield from _keys(answer)
    if any(p.replicas > 1 for p in answer.plans):
        yield say("In front: a balancer by fewest open requests, with sticky conversations.")
    if any(p.nodes > 1 for p in answer.plans):
        yield say(
            "Across machines: the speed of one machine plus the network's time ({network} Gbit/s), never measured.",
            network=typed(answer.request.network * 8 / 1e9),
        )
    if not all(p.commands for p in answer.plans):
        yield address_missing()


def _keys(answer: FleetAnswer) -> Iterator[Message]:
    """Yield how people at other computers are let in where the server has no key, and which servers were left out for that."""
    for name in dict.fromkeys(p.plan.engine for p in answer.plans if not p.key_variable):
        yield say("{engine} has no API key: gyakusan serve asks for one before it.", engine=name)
        if (known := engine(name).CAVEAT) is not None:
            yield known
    if left := left_out(answer):
        yield say(
            "Only servers with an API key, for people at other computers: {engines} is left out, which plan may propose;"
            " --engine takes it, behind gyakusan serve.",
            engines=", ".join(left),
        )


def address_missing() -> Message:
    """Return what the commands of machines that are one server need."""
    return say("Commands across machines name the first one: add --first-address with its address.")
