"""Fleets on the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from gyakusan.message import Message, people, say
from gyakusan.planning.fleet import costs
from gyakusan.planning.fleet.plan import FleetPlan
from gyakusan.planning.fleet.recommend import FleetAnswer
from gyakusan.show.plan_notes import BASIS_TEXTS, reasoning
from gyakusan.show.request_line import load
from gyakusan.show.tree import Section, Table, Text, Title, Tree, columns
from gyakusan.show.wording import brief, caveat, command, listed, points, short

ROLE_TEXTS = {
    "balanced": "balanced",
    "best": "best quality",
    "fastest": "fastest",
    "cheapest": "lowest monthly cost",
    "fewest": "fewest machines",
    "survives": "survives a failure",
    "across": "across machines",
}
HEAD_TEXTS = ("machines", "model", "quant", "tokens/s", "first s", "quality", "JPY a month")


def screen(answer: FleetAnswer) -> Tree:
    """Return the question, what was assumed, the fleets, and each with its cost, its limits and its commands."""
    terms = (load(answer.request.plan_request), assumed(answer))
    head: Tree = (Title(_title(answer)), *(Text(m, "note") for m in terms))
    if not answer.plans:
        return *head, Section(
            Text(say("No fleet meets these conditions."), "fails"), tuple(Text(r.sentence) for r in answer.relaxations)
        )
    details = tuple(_details(answer, p) for p in answer.plans)
    table = Table(columns(HEAD_TEXTS, 3), tuple(_row(p) for p in answer.plans))
    return *head, table, *details, *(Text(m, "note") for m in _closing(answer))


def _title(answer: FleetAnswer) -> Message:
    question = answer.request.plan_request
    facts = {"context": f"{question.workload.context:,}", "replicas": f"{answer.request.replicas:,}"}
    if question.arrivals is None:
        return say("{users} x {context} tokens, at most {replicas} replicas", users=people(question.users), **facts)
    rate = _hourly(question.arrivals)
    return say("{rate} requests an hour x {context} tokens, at most {replicas} replicas", rate=rate, **facts)


def _hourly(rate: float) -> str:
    """Requests a second as requests an hour."""
    return f"{rate * 3600:,.0f}" if rate * 3600 >= 100 else f"{rate * 3600:.3g}"


def assumed(answer: FleetAnswer) -> Message:
    """The terms of costs: what was given, and what was taken for it."""
    terms = answer.request.terms
    return say(
        (
            "costs: {months} months, {tariff} per kWh, {hours} h a day, PUE {pue}, upkeep {upkeep} % a "
            "year; an idle device draws {idle} %, the rest of the computer {least} to {most} W"
        ),
        months=f"{terms.months:g}",
        tariff=f"{terms.tariff.amount:g} {terms.tariff.currency}",
        hours=f"{terms.hours:g}",
        pue=f"{terms.pue:g}",
        upkeep=f"{terms.upkeep:g}",
        idle=round(100 * costs.IDLE_POWER_SHARE),
        least=round(costs.UNIFIED_MEMORY_WATTS),
        most=round(costs.CHASSIS_WATTS[-1][1]),
    )


def _row(plan: FleetPlan) -> tuple[str, ...]:
    total, estimate = plan.cost.requested.total, plan.queue_estimate
    first = plan.speed.ttft.value if estimate is None else float(estimate.first)
    speed = plan.speed.decode_each.value if estimate is None else 1 / float(estimate.token)
    cost = "?" if total is None else f"{total:,.0f}"
    one = plan.plan
    return _machines(plan), one.name, one.quantization, short(speed), short(first), points(one.score), cost


def _machines(plan: FleetPlan) -> str:
    name = brief(plan.plan.offer.machine.name, series=False)
    inner = f"{plan.nodes} x {name}" if plan.nodes > 1 else name
    inner = f"({inner})" if plan.plan.offer.count > 1 or plan.nodes > 1 else inner
    return f"{plan.replicas} x {inner}" + (f" +{plan.spares}" if plan.spares else "")


def _details(answer: FleetAnswer, plan: FleetPlan) -> Section:
    one = plan.plan
    lines = [_where(plan), _quality(plan), *_queue(plan), *_cost(plan), _failure(answer, plan)]
    several = len(plan.commands) > 1
    commands = [command(c, say("machine {n}: ", n=n) if several else "") for n, c in enumerate(plan.commands, 1)]
    head = say(
        "{machines}, {name} {quantization}: {roles}",
        machines=_machines(plan),
        name=one.name,
        quantization=one.quantization,
        roles=listed(plan.roles, ROLE_TEXTS),
    )
    return Section(Title(head), (*(Text(m, "note") for m in lines), *caveat(one.engine), *commands))


def _where(plan: FleetPlan) -> Message:
    offer, each = plan.plan.offer, plan.speed.decode_each
    facts = {
        "replicas": f"{plan.replicas:,}",
        "users": people(plan.users_per_replica),
        "machine": offer.machine.name,
        "engine": plan.plan.engine,
        "price": "?" if offer.price is None else _price(plan),
        "speed": f"{each.value:.0f} ({each.low:.0f}-{each.high:.0f})",
    }
    if plan.nodes == 1:
        return say(
            (
                "replicas: {replicas}, each for {users} at once at {speed} tokens/s, on {machine} ({price}) "
                "with {engine}"
            ),
            **facts,
        )
    return say(
        (
            "replicas: {replicas}, each for {users} at once at {speed} tokens/s, on {nodes} machines "
            "{machine} ({price} each) with {engine}, tensor parallel {tensor} x pipeline parallel {nodes}"
        ),
        **facts,
        nodes=plan.nodes,
        tensor=plan.tensor_parallel,
    )


def _price(plan: FleetPlan) -> Message:
    """Of one machine, and when it was seen."""
    seen, amount = plan.plan.offer.seen, f"{plan.plan.offer.price:,.0f} JPY"
    if seen is None:
        return Message(amount)
    if seen.used:
        return say("{amount}, {date}, used", amount=amount, date=seen.date)
    return Message(f"{amount}, {seen.date}")


def _quality(plan: FleetPlan) -> Message:
    return say(
        "quality: {basis}, {reasoning}",
        basis=Message(BASIS_TEXTS[plan.plan.mode.basis]),
        reasoning=reasoning(plan.plan),
    )


def _queue(plan: FleetPlan) -> Iterator[Message]:
    """What people meet under arrivals."""
    estimate = plan.queue_estimate
    if estimate is None:
        return
    yield say(
        (
            "One replica serves {running} requests at once on average; {slots} slots suffice 99 % of the "
            "time. First token {first} s, then {token} ms for each token. All replicas serve up to "
            "{most} requests an hour"
        ),
        running=_running(float(estimate.running) / plan.replicas),
        slots=-(-int(estimate.slots) // plan.replicas),
        first=f"{float(estimate.first):.2g}",
        token=f"{1000 * float(estimate.token):.3g}",
        most=_hourly(float(estimate.saturation_rate)),
    )


def _running(mean: float) -> str:
    return f"{mean:.1f}" if mean >= 1 else f"{mean:.1g}"


def _cost(plan: FleetPlan) -> Iterator[Message]:
    requested, full = plan.cost.requested, plan.cost.full
    if requested.total is None or full.total is None:
        yield say("cost unknown: the price of the machine (--price) or its power is missing")
        return
    yield say(
        "{total} JPY a month: purchase {purchase}, power {power} ({watts} kW), upkeep {upkeep}",
        total=_yen(requested.total),
        purchase=_yen(requested.purchase),
        power=_yen(requested.power),
        watts=f"{(requested.watts or 0) / 1000:.2g}",
        upkeep=_yen(requested.upkeep),
    )
    facts = {"full": _yen(full.output_token_price), "most": f"{full.requests:,.0f}", "least": _yen(full.token_price)}
    if requested.requests > 0.995 * full.requests:
        yield say(
            (
                "A million output tokens cost {full} JPY at full load ({most} requests a day); counting "
                "prompt tokens too: {least} JPY"
            ),
            **facts,
        )
    else:
        yield say(
            (
                "A million output tokens cost {asked} JPY at {load} requests a day, {full} JPY at full load "
                "({most} requests); counting prompt tokens too: {both} and {least} JPY"
            ),
            **facts,
            asked=_yen(requested.output_token_price),
            load=f"{requested.requests:,.0f}",
            both=_yen(requested.token_price),
        )
    if requested.api is not None:
        yield _api(plan, requested.api)


def _api(plan: FleetPlan, price: float) -> Message:
    facts = {"api": _yen(price)}
    if plan.cost.break_even is None:
        return say(
            ("An API costs {api} JPY a month for the same tokens; this fleet costs more at every load it can serve"),
            **facts,
        )
    return say(
        "An API costs {api} JPY a month for the same tokens; owning is cheaper from {load} requests a day",
        **facts,
        load=f"{plan.cost.break_even:,.0f}",
    )


def _yen(value: float | None) -> str:
    if value is None:
        return "?"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _failure(answer: FleetAnswer, plan: FleetPlan) -> Message:
    """What one failed machine does."""
    impact = plan.failure_impact
    facts = {"each": "?" if impact.each is None else short(impact.each), "served": f"{100 * impact.served:.0f}"}
    match impact.verdict:
        case "spare":
            return say("If one machine fails, a spare replaces it")
        case "holds":
            return say("If one machine fails, the others serve everyone at {each} tokens/s each", **facts)
        case "slower":
            return say(
                "If one machine fails, the others serve everyone, but slower than planned: {each} tokens/s each",
                **facts,
            )
        case "full":
            return say("If one machine fails, {served} % are served until it is back (--spare 1 adds one)", **facts)
        case _:
            return say("If the machine fails, nobody is served until it is back (--spare 1 adds one)")


def _closing(answer: FleetAnswer) -> Iterator[Message]:
    """What stands before the replicas, and what the answer rests on."""
    if any(p.replicas > 1 for p in answer.plans):
        yield say(
            "Several replicas need a load balancer that picks the one with the fewest open requests. "
            "Keep a conversation on its replica (sticky sessions): its prefix is cached there."
        )
    if any(p.nodes > 1 for p in answer.plans):
        yield say(
            (
                "Speed across machines: that of one machine plus the network's time ({network} Gbit/s). No "
                "measurement supports it."
            ),
            network=f"{answer.request.network * 8 / 1e9:g}",
        )
    yield say("{cells} combinations were evaluated.", cells=f"{answer.count:,}")
