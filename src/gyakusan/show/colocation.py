"""Several uses of one machine: the table, what each gets, and the commands of the servers."""

from __future__ import annotations

from collections.abc import Iterator

from gyakusan.message import Listed, Message, say
from gyakusan.planning.colocate.model_options import QUALITY_PER_MTEB_POINT
from gyakusan.planning.colocate.recommend import ColocatedModel, Colocation, ColocationAnswer
from gyakusan.planning.request.money import exchange_rates
from gyakusan.planning.request.request import PlanRequest
from gyakusan.show import plan as plans
from gyakusan.show.amounts import Amounts
from gyakusan.show.request_line import TASK_TEXTS
from gyakusan.show.tree import Pause, Section, Table, Text, Title, Tree, Words, columns
from gyakusan.show.wording import caveat, command, listed, spare_gib
from gyakusan.units import GIB

HEAD_TEXTS = ("for", "model", "people", "tokens/s alone", "all busy", "GiB")
COLUMNS = columns(HEAD_TEXTS, 2)


def screen(answer: ColocationAnswer) -> Tree:
    """Return every plan, or why there is none."""
    title = Title(_title(answer.request))
    if not answer.plans:
        return title, Section(
            Text(say("These models do not fit together."), "fails"), tuple(Text(r.sentence) for r in answer.relaxations)
        )
    money = Amounts(answer.request.paid_in, exchange_rates(dict(answer.request.rates)))
    plans = (part for plan in answer.plans for part in _plan(plan, money))
    return title, *plans, Pause(), *(Text(n, "note") for n in notes(answer))


def _title(request: PlanRequest) -> Message:
    where = request.device or request.memory or (str(request.budget) if request.budget else None)
    facts = {"n": 1 + len(request.colocated)}
    if where is None:
        return say("{n} uses on this computer", **facts)
    return say("{n} uses: {where}", where=where, **facts)


def _plan(plan: Colocation, money: Amounts) -> Tree:
    """The machine, a row for each model, what is left, the commands."""
    machine: Words = plan.offer.machine.name
    roles = listed(plan.roles, plans.ROLE_TEXTS)
    if plan.offer.price is not None:
        machine = say("{machine}, {price}", machine=plan.offer.machine.name, price=money.words(plan.offer.price))
    rows = ((member, use) for member in plan.members for use in member.uses)
    table = Table(COLUMNS, tuple(_row(plan, member, use) for member, use in rows))
    caveats = (line for name in dict.fromkeys(m.deployment.engine for m in plan.members) for line in caveat(name))
    below: Tree = (
        *_remarks(plan),
        *caveats,
        *(command(m.deployment.rules.short_command(m.command, m.deployment.machine)) for m in plan.members),
    )
    return Pause(), Title(say("{machine}: {roles}", machine=machine, roles=roles)), table, Section(None, below)


def _remarks(plan: Colocation) -> Iterator[Text]:
    if plan.left is not None:
        yield Text(say("{n} GiB to spare on the fullest device.", n=spare_gib(plan.left)))
    if not plan.meets_target_speed:
        yield Text(say("Some models are slower than their task's target."), "caution")
    for member in plan.members:
        if len(member.uses) > 1:
            yield Text(_shared(member))


def _shared(member: ColocatedModel) -> Message:
    """Return what one server for several uses holds."""
    load = member.ledger.load
    uses = Listed(tuple(Message(TASK_TEXTS[use.task]) for use in member.uses))
    return say(
        "One server of {model} serves {uses}: {n} slots of {tokens} tokens.",
        model=member.deployment.name,
        uses=uses,
        n=f"{load.users:,}",
        tokens=f"{load.context:,}",
    )


def _row(plan: Colocation, member: ColocatedModel, use: PlanRequest) -> tuple[Words, ...]:
    figure, load = member.main_speed, member.ledger.load
    alone = "?" if figure is None else f"{figure.value:,.0f} ({figure.low:,.0f}-{figure.high:,.0f})"
    busy = "?" if figure is None else f"{figure.value * plan.busy_share:,.0f}"
    people = f"{load.users} x {load.context:,}"
    if len(member.uses) > 1:
        people = f"{use.users} x {use.workload.context:,}"
    size: Words = f"{member.ledger.accounts[0].total / GIB:.1f}" if use is member.uses[0] else say("shared")
    task, model = Message(TASK_TEXTS[use.task]), f"{member.deployment.name} {member.deployment.quantization}"
    return task, model, people, alone, busy, size


def notes(answer: ColocationAnswer) -> tuple[Message, ...]:
    """What the figures rest on."""
    out = [
        say(
            "Speeds with all servers busy are estimates: each server gets an equal share of the device's "
            "time. A server that waits frees its share for the others."
        ),
        say(
            "Each server runs in its own process with its own driver context. The memory check reserves "
            "what the others take."
        ),
        say("The combination has the highest total value by --prefer. Every use counts the same."),
    ]
    if any(m.plan is None for p in answer.plans for m in p.members):
        out.append(
            say(
                (
                    "Embedding models: speed is tokens/s of text read. One MTEB point counts as {points} quality "
                    "points (assumed)."
                ),
                points=f"{QUALITY_PER_MTEB_POINT:g}",
            )
        )
    return tuple(out)
