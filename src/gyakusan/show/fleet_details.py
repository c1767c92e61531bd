"""Everything about one fleet: its queue, its purchase and power item by item, an API beside it, its commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gyakusan.engines.front_line import served_source
from gyakusan.engines.service_files import KEY_FILE, Service, shell_line
from gyakusan.message import Message, duration, people, say
from gyakusan.planning.fleet import costs
from gyakusan.planning.fleet.costs import Month
from gyakusan.planning.fleet.plan import FleetPlan
from gyakusan.planning.fleet.recommend import FleetAnswer
from gyakusan.show.amounts import Amounts
from gyakusan.show.fleet import address_missing, amounts, api, failure, full_watts, hourly, machines, question
from gyakusan.show.plan_notes import QUALITY_TEXTS, basis_of
from gyakusan.show.purchase import purchase_lines
from gyakusan.show.tree import Command, Fact, Facts, Pause, Text, Tree, Verdict, whole
from gyakusan.show.wording import caveat, quality, short


def details(answer: FleetAnswer, number: int, servers: Sequence[Service]) -> Tree:
    """Return one fleet of an answer in full.

    number: as in the table
    servers: how each machine of one replica is started, none if the address of its first machine is not known
    """
    plan = answer.plans[number - 1]
    title = say(
        "{n}: {machines} with {model} ({files}) on {engine}.",
        n=number,
        machines=machines(plan),
        model=whole(plan.plan.name),
        files=whole(plan.plan.quantization),
        engine=whole(plan.plan.engine),
    )
    facts = (
        *_served(answer, plan),
        *_queue(plan),
        Fact(say("quality"), (_quality(plan),)),
        *_money(answer, plan),
        Fact(say("failure"), (failure(plan),)),
        *_network(servers),
    )
    return (
        Verdict((title,)),
        Pause(),
        question(answer),
        Pause(),
        Facts(facts),
        *caveat(plan.plan.engine),
        Pause(),
        *_commands(servers),
        *(Text(m, "note") for m in start_notes(plan, servers)),
    )


def _network(servers: Sequence[Service]) -> Iterator[Fact]:
    """Yield where people at other computers reach a machine, and its key."""
    if not servers:
        return
    facts = {"port": servers[0].port, "file": whole(KEY_FILE), "engine": servers[0].engine}
    if servers[0].variable:
        told = say("every address, port {port}; the first start makes the key, in {file}", **facts)
    else:
        told = say(
            "every address, port {port}: gyakusan before {engine}; the first start makes the key, in {file}", **facts
        )
    yield Fact(say("network"), (told,))


def _commands(servers: Sequence[Service]) -> Tree:
    """Return how each machine of one replica starts its server."""
    several = len(servers) > 1
    return tuple(Command(shell_line(s), say("machine {n}: ", n=n) if several else "") for n, s in enumerate(servers, 1))


def start_notes(plan: FleetPlan, servers: Sequence[Service]) -> Iterator[Message]:
    """Yield what is to be done on the machines before the commands are run there. servers: of one replica."""
    if not servers:
        yield address_missing()
        return
    if not servers[0].variable:
        source, name = served_source(plan.plan.deployment), plan.plan.engine
        yield say("First on each machine: {command}", command=f"gyakusan get {source} --engine {name}")
        if plan.plan.deployment.thinking_words:
            yield say("gyakusan serve leaves thinking to the model: clients ask for it with each request.")
    if plan.machines > 1:
        yield say(
            "The first machine makes {file}: copy it to the others before they start, for all need the same key.",
            file=whole(KEY_FILE),
        )
    if plan.nodes > 1 and plan.replicas > 1:
        yield say("Each of the {n} replicas has its own first machine: ask for each with its address.", n=plan.replicas)


def _served(answer: FleetAnswer, plan: FleetPlan) -> Iterator[Fact]:
    each = plan.speed.decode_each
    taken = say(
        "{n} ({low}-{high}) tokens/s each with all {slots} taken (80 %)",
        n=short(each.value),
        low=short(each.low),
        high=short(each.high),
        slots=people(plan.users_per_replica),
    )
    yield Fact(
        say("replicas"),
        (say("{n}, each for {people} at once", n=plan.replicas, people=people(plan.users_per_replica)),),
    )
    if plan.nodes > 1:
        spans = say(
            "{nodes} machines for each replica, tensor parallel {tensor} in each",
            nodes=plan.nodes,
            tensor=plan.tensor_parallel,
        )
        yield Fact(say("across"), (spans,))
    yield Fact(say("speed"), (taken,))


def _queue(plan: FleetPlan) -> Iterator[Fact]:
    """Yield what people meet under arrivals."""
    estimate = plan.queue_estimate
    if estimate is None:
        return
    yield Fact(
        say("queue"),
        (
            say(
                "{n} at once on each, busy {busy} % of the time; {waits} % of the requests wait for a slot",
                n=f"{plan.running_each:.1f}",
                busy=f"{100 * float(estimate.working):.0f}",
                waits=_share(float(estimate.waits)),
            ),
            say(
                "first token {first}, then {speed} tokens/s, {low} at the low end (80 %)",
                first=duration(float(estimate.first)),
                speed=short(plan.user_speed),
                low=short(plan.tokens_per_s_low),
            ),
            say("all slots are taken at {most} requests an hour", most=hourly(float(estimate.saturation_rate))),
        ),
    )


def _share(share: float) -> str:
    percent = 100 * share
    return "<0.1" if percent < 0.05 else f"{percent:.1f}"


def _quality(plan: FleetPlan) -> Message:
    facts = {"score": quality(plan.plan.score), "basis": Message(QUALITY_TEXTS[basis_of(plan.plan)])}
    if plan.plan.thinking.factor <= 1:
        return say("{score}, {basis}, no thinking", **facts)
    return say("{score}, {basis}, thinks x{times}", **facts, times=f"{plan.plan.thinking.factor:.2g}")


def _money(answer: FleetAnswer, plan: FleetPlan) -> Iterator[Fact]:
    told, month, full = amounts(answer), plan.cost.requested, plan.cost.full
    price = plan.plan.offer.price
    if price is None:
        yield Fact(say("purchase"), (say("the price of one machine is not known: add --price"),))
    else:
        lines = [
            say(
                "{n} x {price} = {sum}, {month} a month",
                n=plan.machines,
                price=told.figure(price),
                sum=told.words(price * plan.machines),
                month=told.words(month.purchase),
            ),
            *purchase_lines(plan.plan.offer.items),
        ]
        yield Fact(say("purchase"), tuple(lines))
    if month.watts is not None:
        yield Fact(say("power"), tuple(_power(answer, plan, month, told)))
    if month.upkeep:
        yield Fact(say("upkeep"), (say("{amount} a month", amount=told.words(month.upkeep)),))
    if month.total is not None:
        yield Fact(say("sum"), (say("{amount} a month", amount=told.words(month.total)),))
        yield Fact(say("tokens"), tuple(_tokens(told, month, full)))
    if month.api is not None:
        yield Fact(say("API"), (api(answer, plan),))


def _power(answer: FleetAnswer, plan: FleetPlan, month: Month, told: Amounts) -> Iterator[Message]:
    terms, machine = answer.request.terms, full_watts(plan)
    yield say(
        "{mean} W x {hours} h x {tariff}/kWh = {amount} a month",
        mean=f"{(month.watts or 0.0) * terms.pue:,.0f}",
        hours=f"{terms.hours * costs.DAYS_PER_MONTH:.0f}",
        tariff=told.tariff(terms.tariff),
        amount=told.words(month.power),
    )
    yield say(
        "one machine takes {most} W at work; its cards {idle} % of theirs while they wait",
        most="?" if machine is None else f"{machine:,.0f}",
        idle=round(100 * costs.IDLE_POWER_SHARE),
    )


def _tokens(told: Amounts, month: Month, full: Month) -> Iterator[Message]:
    yield say(
        "{n} million answer tokens a month, thinking included: {amount} for a million",
        n=f"{month.output_tokens / costs.MILLION:,.0f}",
        amount=told.words(month.output_token_price),
    )
    yield say(
        "counting prompts: {amount} for a million; at full load {full}",
        amount=told.words(month.token_price),
        full=told.words(full.token_price),
    )
