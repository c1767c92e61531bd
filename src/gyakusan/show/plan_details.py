"""One plan in full: price, power, files, memory by part, how far it grows, speed, quality, settings, who can reach it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import groupby
from typing import Any

from gyakusan.catalog.quality import SMALLEST_MEASURED, penalty_law, penalty_sources
from gyakusan.catalog.quality import find as find_quality
from gyakusan.catalog.quality import sources as score_sources
from gyakusan.catalog.thinking import effort_of
from gyakusan.core.ledger import Account, LineKind
from gyakusan.core.machine import Machine
from gyakusan.doors.shell import shell_words
from gyakusan.engines.base import System
from gyakusan.engines.front_line import FRONT_PORT
from gyakusan.engines.registry import engine
from gyakusan.engines.server import ServerModule
from gyakusan.engines.service_files import KEY_FILE, Service, shell_line
from gyakusan.message import Listed, Message, duration, people, say
from gyakusan.planning.candidates.hardware import outlet_watts
from gyakusan.planning.fleet.costs import CostTerms, monthly_power
from gyakusan.planning.predict.capacity import Capacity
from gyakusan.planning.select.inspect_line import inspect_words
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.shown_plans import shown_figures
from gyakusan.show.assessment import BIND_TEXTS
from gyakusan.show.ledger import growth, label
from gyakusan.show.plan_notes import (
    EFFORT_TEXTS,
    QUALITY_TEXTS,
    THINKING_TEXTS,
    basis_of,
    unknown_speed,
)
from gyakusan.show.plan_words import amounts, as_text, machine_title
from gyakusan.show.purchase import purchase_lines
from gyakusan.show.request_line import asked
from gyakusan.show.source_words import licence_words
from gyakusan.show.tree import Command, Fact, Facts, Next, Pause, Tree, Verdict, Words, whole
from gyakusan.show.wording import brief, caveat, gib, needed_gib, quality, short, spare_gib
from gyakusan.units import GIB

PART_TEXTS: dict[LineKind, str] = {
    "weights": "weights {n}",
    "kv_cache": "KV cache {n}",
    "recurrent_state": "recurrent state {n}",
    "scratch": "compute buffer {n}",
    "overhead": "overhead {n}",
}
SHOWN_BYTES = GIB // 20
"""Smaller parts of a device are not named. [B]"""
SHOWN_COST = 0.1
"""A smaller cost of quantisation is not named. [points]"""


def details(
    answer: Recommendation, plan: Plan, number: int, limits: Capacity, server: Service | None, when: date
) -> Tree:
    """Return one plan in full.

    plan: of the answer, or of the whole list
    number: of the plan, from 1
    limits: how far its load can grow
    server: how it is started, None where its files are not published
    when: the day of the answer
    """
    where, who, context = asked(answer.request, plan.offer.machine.name)
    head = say(
        "Plan {n} of the question: {where}, {who}, {context} (answered {date})",
        n=number,
        where=where,
        who=who,
        context=context,
        date=str(when),
    )
    options = dict.fromkeys(("--command", as_text(answer.request.os, plan)))
    lan = " --lan" if server is not None and server.keyed else ""
    commands = tuple(f"gyakusan plan {option} {number}{lan}" for option in options)
    return (
        Verdict((head, _sentence(answer, plan))),
        Pause(),
        Facts(tuple(_facts(answer, plan, number, limits, server))),
        *caveat(plan.engine),
        Pause(),
        *(() if server is None else (Next(commands),)),
    )


def _sentence(answer: Recommendation, plan: Plan) -> Message:
    title = machine_title(plan.offer)
    model, engine = whole(f"{plan.name} {plan.quantization}"), whole(plan.engine)
    if plan.offer.price is None:
        return say("{machine}, {model} with {engine}.", machine=title, model=model, engine=engine)
    price = amounts(answer).words(plan.offer.price)
    return say("{machine}, {model} with {engine}: {price}.", machine=title, model=model, engine=engine, price=price)


def _facts(answer: Recommendation, plan: Plan, number: int, limits: Capacity, server: Service | None) -> Iterator[Fact]:
    if plan.offer.price is not None:
        yield Fact(say("Price"), tuple(_price(answer, plan)))
    if plan.offer.power:
        yield Fact(say("Power"), (_power(answer, plan), *_electricity(answer, plan)))
    yield Fact(say("Files"), tuple(_files(answer, plan)))
    yield Fact(say("Memory"), tuple(_memories(plan)))
    yield Fact(say("At most"), (_at_most(plan, limits),))
    yield Fact(say("Speed"), tuple(_speed(plan)) if plan.pace else (unknown_speed(answer.request, plan),))
    if plan.thinking.factor > 1 and plan.pace is not None:
        yield Fact(say("Thinking"), tuple(_thinking(plan)))
    yield Fact(say("Quality"), (_quality(plan), *quantization_cost(answer, plan), *_cache_costs(plan)))
    if server is not None:
        yield from install_fact(plan.engine, plan.offer.machine, answer.request.os)
        yield Fact(say("Settings"), (Command(shell_line(server)),))
        if server.command.then:
            yield Fact(say("Then"), tuple(Command(shell_words(line)) for line in server.command.then))
        yield Fact(say("Network"), tuple(_networks(server, int(plan.ledger.load.users), number)))
    if words := inspect_words(answer.request, plan):
        yield Fact(say("Check"), (Command(shell_words(words)),))


def installing(name: str, machine: Machine, system: System = "any") -> tuple[str, ...]:
    """Return the commands that put an engine's program on PATH, () where its own page says how.

    system: what the machine runs, "any" where nobody said
    """
    module = engine(name).server()
    if module is None:
        return ()
    folder = name.lower()
    found = module.installing(machine, folder)
    return (*found, f". {folder}/bin/activate") if found else module.packaged(machine, system)


def install_fact(name: str, machine: Machine, system: System) -> Iterator[Fact]:
    """Yield how an engine's program is installed, with the page of its makers that says so and has other ways."""
    module = engine(name).server()
    if module is None:
        return
    lines = tuple(Command(line) for line in installing(name, machine, system))
    yield Fact(
        say("Install"), (*lines, *_seen_gpu(module, machine), say("other ways: {page}", page=module.INSTALL_PAGE))
    )


def _seen_gpu(module: ServerModule[Any, Any], machine: Machine) -> Iterator[Message]:
    """Yield how it is seen that the installed program has the GPU, where a package may be a build without it."""
    if module.LISTS_DEVICES and any(d.kind == "gpu" and d.backend not in ("cuda", "metal") for d in machine.gpus):
        command = whole(module.LISTS_DEVICES)
        yield say("{command} must name the GPU; if it does not, take a build for Vulkan or ROCm", command=command)


def _thinking(plan: Plan) -> Iterator[Message]:
    """Yield the effort, what thinking costs, and how sure that is."""
    tokens = plan.thinking
    if effort := effort_of(plan.name, plan.mode.mode):
        yield Message(EFFORT_TEXTS[effort])
    answer_speed = short(shown_figures(plan).answer or 0.0)
    yield say("x{times} tokens: {n} tokens/s of answer", times=f"{tokens.factor:.2g}", n=answer_speed)
    facts = {"low": f"{tokens.low:.2g}", "high": f"{tokens.high:.2g}", "basis": Message(THINKING_TEXTS[tokens.basis])}
    yield say("x{low} to x{high}, {basis}", **facts)


def _price(answer: Recommendation, plan: Plan) -> Iterator[Words]:
    """Yield the sum, then each thing that is bought: its amount as it was seen, when and where."""
    offer = plan.offer
    yield amounts(answer).words(offer.price)
    yield from purchase_lines(offer.items)


def _power(answer: Recommendation, plan: Plan) -> Message:
    """Return the watts of the devices, and at the socket beside what it gives."""
    offer, outlet = plan.offer, outlet_watts(answer.request)
    devices = f"{offer.power or 0.0:,.0f}"
    if offer.wall_power is None:
        return say("{n} W for the devices", n=devices)
    facts = {"n": devices, "wall": f"{offer.wall_power:,.0f}", "slots": offer.slots}
    if outlet is None:
        return say("{n} W for the devices, {wall} W at the wall", **facts)
    facts["outlet"] = f"{outlet:,.0f}"
    if offer.wall_power > outlet:
        return say("{n} W for the devices, {wall} W at the wall: more than an outlet of {outlet} W gives", **facts)
    if not offer.slots:
        return say("{n} W for the devices, {wall} W at the wall; outlet {outlet} W", **facts)
    return say("{n} W for the devices, {wall} W at the wall; outlet {outlet} W; {slots} slots", **facts)


def _electricity(answer: Recommendation, plan: Plan) -> Iterator[Message]:
    """Yield what a month of work costs in power, by the tariff and the hours that a fleet has without options."""
    if plan.offer.wall_power is None:
        return
    told, terms = amounts(answer), CostTerms()
    tariff = answer.rates.convert(terms.tariff.amount, terms.tariff.currency, "JPY") or 0.0
    yield say(
        "{amount} of electricity a month, if it answers {hours} h a day at {tariff}/kWh (as in gyakusan fleet)",
        amount=told.words(float(monthly_power(plan.offer.wall_power, terms, tariff))),
        hours=f"{terms.hours:g}",
        tariff=told.tariff(terms.tariff),
    )


def _files(answer: Recommendation, plan: Plan) -> Iterator[Words]:
    """Yield the published files with their size and licence, or how they are made."""
    place = answer.grid.columns.places.get(plan.name)
    known = None if place is None else answer.grid.columns.models[place].license
    license_ = licence_words(known) if known else say("licence not known")
    found = plan.artifact
    from gyakusan.fetching.get import gigabytes  # only details say it

    size = found.bytes if found is not None and found.bytes else plan.deployment.model.bytes
    name = f"{plan.name} {plan.quantization}" if found is None else found.reference
    yield say("{items}", items=Listed((Message(whole(name)), Message(whole(gigabytes(int(size), up=True))), license_)))
    if found is None and plan.preparation:
        yield say("not published; made by: {commands}", commands=whole(" && ".join(plan.preparation)))


def _memories(plan: Plan) -> Iterator[Message]:
    """Yield what each device holds; neighbours that hold the same stand in one line, with their numbers."""
    shown = [a for a in plan.ledger.accounts if int(a.total) >= SHOWN_BYTES]
    for _, same in groupby(enumerate(shown), key=lambda one: str(_memory(one[1]))):
        (first, account), *rest = same
        yield _memory(account, f"GPU {first}-{rest[-1][0]}: " if rest else "")
    for account in plan.ledger.accounts:
        yield from _growing(account)


def _growing(account: Account) -> Iterator[Message]:
    """Yield what use adds to a device up to a limit, and whether it has room for that."""
    sizes = [(line, int(line.greatest - line.bytes)) for line in account.lines if line.grows]
    more = int(growth(account.lines))
    if more < SHOWN_BYTES:
        return
    parts = tuple(
        say("{part} {n}", part=label(line, account), n=needed_gib(size)) for line, size in sizes if size >= SHOWN_BYTES
    )
    facts = {"device": _memory_of(account), "n": needed_gib(more), "parts": Listed(parts)}
    spare = account.spare
    if spare is None or more <= int(spare):
        yield say("{device}: with use up to {n} GiB more: {parts}", **facts)
        return
    yield say(
        "{device}: with use up to {n} GiB more ({parts}), and {spare} are free", spare=spare_gib(float(spare)), **facts
    )


def _memory_of(account: Account) -> str:
    """Return whose memory it is: of a CPU it is the RAM, whatever the processor is called."""
    return "RAM" if account.device.kind == "host" else whole(brief(account.device.name))


def _memory(account: Account, numbers: str = "") -> Message:
    """Return one device: its range, what is usable, and its parts. numbers: of those that hold the same each."""
    usable = account.device.usable
    parts = tuple(
        Message(template, {"n": f"{int(account.of(kind)) / GIB:.1f}"})
        for kind, template in PART_TEXTS.items()
        if int(account.of(kind)) >= SHOWN_BYTES
    )
    facts = {
        "device": whole(numbers + _memory_of(account)),
        "total": gib(float(account.total)),
        "low": gib(float(account.at_least)),
        "high": gib(float(account.at_most)),
        "parts": Listed(parts),
    }
    if usable is None:
        return say("{device}: {total} GiB ({low}-{high}): {parts}", **facts)
    return say("{device}: {total} GiB ({low}-{high}) of {usable}: {parts}", usable=gib(usable), **facts)


def _at_most(plan: Plan, limits: Capacity) -> Message:
    users = int(plan.ledger.load.users)
    facts = {
        "context": f"{limits.context:,}",
        "asked_users": people(users),
        "users": people(limits.users),
        "asked_context": f"{int(plan.ledger.load.context):,}",
    }
    if users == 1:
        return say("{context} tokens for {asked_users}, or {users} at {asked_context} tokens", **facts)
    return say("{context} tokens for each of {asked_users}, or {users} at {asked_context} tokens each", **facts)


def _speed(plan: Plan) -> Iterator[Words]:
    pace = plan.pace
    assert pace is not None
    each = pace.decode_each
    users = int(plan.ledger.load.users)
    facts = {"n": short(each.value), "low": short(each.low), "high": short(each.high)}
    if users == 1:
        yield say("{n} tokens/s ({low}-{high})", **facts)
    else:
        together = short(pace.decode_all.value)
        yield say(
            "{n} tokens/s for each of {people} ({low}-{high}), all together {together}",
            people=people(users),
            together=together,
            **facts,
        )
    yield say(
        "first token {first} ({low} to {high}); limited by {binds}",
        first=duration(pace.ttft.value),
        low=duration(pace.ttft.low),
        high=duration(pace.ttft.high),
        binds=Message(BIND_TEXTS[pace.bottleneck]),
    )


def _quality(plan: Plan) -> Message:
    """Return the points, how they are known, and where the scores stand from which they follow."""
    known = score_sources()
    places = (known[told.partition(" ")[0]][1] for scored in find_quality(plan.name) for told in scored.sources)
    sites = tuple(Message(site) for site in dict.fromkeys(p.removeprefix("https://").rstrip("/") for p in places))
    basis, n = Message(QUALITY_TEXTS[basis_of(plan)]), plan.mode.count
    if not sites:
        return say("{points}, {basis}, {n} scores", points=quality(plan.score), basis=basis, n=n)
    return say(
        "{points}, {basis}, {n} scores: {sites}", points=quality(plan.score), basis=basis, n=n, sites=Listed(sites)
    )


def quantization_cost(answer: Recommendation, plan: Plan) -> Iterator[Message]:
    """Yield what the files cost in quality against the widest published ones of the model for the engine.

    Nothing where that is less than a tenth of a point, or below the width for which the law was checked. One law gives both
    figures, so that their errors move together.
    """
    table, place = answer.grid.columns.of_engine(plan.engine), answer.grid.columns.places.get(plan.name)
    rows = [i for i, model in enumerate(table.model.tolist()) if model == place]
    mine = next((i for i in rows if table.name[i] == plan.quantization), None)
    if mine is None or table.bits[mine] < penalty_law().trusted:
        return
    offered = [i for i in rows if table.published[i] or i == mine]
    widest = max(offered, key=lambda i: float(table.bits[i]))
    lost = float(table.cost[mine] - table.cost[widest])
    if lost < SHOWN_COST:
        return
    yield say(
        "{files} costs {n} ±{error} points against {widest}: law fitted to measurements of {sources}",
        files=whole(plan.quantization),
        n=f"{lost:.1f}",
        error=f"{float(table.cost_error[mine] - table.cost_error[widest]):.1f}",
        widest=whole(table.name[widest]),
        sources=", ".join(penalty_sources()),
    )
    if answer.grid.columns.models[table.model[mine]].parameters < SMALLEST_MEASURED:
        yield say("the law was fitted to models of 4 billion weights and more: extrapolated here")


def _cache_costs(plan: Plan) -> tuple[Message, ...]:
    """Return what is published of a cache of 8 bits."""
    deployment = plan.deployment
    return deployment.rules.SMALLER_CACHE.costs(deployment.model, deployment.machine) if plan.small_cache else ()


def _networks(server: Service, users: int, number: int) -> Iterator[Message]:
    """Yield who reaches the command above, then the port of `gyakusan serve` where that is another one."""
    yield _network(server, users, number)
    if server.port != FRONT_PORT:
        yield say("gyakusan serve listens on port {port} in its place (--port)", port=FRONT_PORT)


def _network(server: Service, users: int, number: int) -> Message:
    if server.keyed:
        return say(
            "every address, port {port}; the first start makes the key, in {file}",
            port=server.port,
            file=whole(KEY_FILE),
        )
    if not server.variable:
        return say("this computer only, port {port}; {engine} has no key", port=server.port, engine=server.engine)
    if users == 1:  # there are no colleagues
        return say("this computer only, port {port}", port=server.port)
    return say(
        "this computer only, port {port}; for colleagues: {command} (makes a key)",
        port=server.port,
        command=whole(f"gyakusan plan --command {number} --lan"),
    )
