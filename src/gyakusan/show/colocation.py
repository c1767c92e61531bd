"""Several models on one machine: the table, what each gets, and their commands."""

from __future__ import annotations

from collections.abc import Iterator

from gyakusan.message import Message, say
from gyakusan.planning.colocate.model_options import QUALITY_PER_MTEB_POINT
from gyakusan.planning.colocate.recommend import ColocatedModel, Colocation, ColocationAnswer
from gyakusan.planning.request.request import PlanRequest
from gyakusan.show import plan as plans
from gyakusan.show.request_line import TASK_TEXTS
from gyakusan.show.tree import Section, Table, Text, Title, Tree, Words, columns
from gyakusan.show.wording import caveat, command, listed
from gyakusan.units import GIB, format_bytes

HEAD_TEXTS = ("for", "model", "people", "tokens/s alone", "all busy", "GiB")
COLUMNS = columns(HEAD_TEXTS, 2)


def screen(answer: ColocationAnswer) -> Tree:
    """Return every plan, or why there is none."""
    title = Title(_title(answer.request))
    if not answer.plans:
        return title, Section(
            Text(say("These models do not fit together."), "fails"), tuple(Text(r.sentence) for r in answer.relaxations)
        )
    plans = (part for plan in answer.plans for part in _plan(plan))
    return title, *plans, *(Text(n, "note") for n in notes(answer))


def _title(request: PlanRequest) -> Message:
    where = request.device or request.memory or (str(request.budget) if request.budget else None)
    facts = {"n": 1 + len(request.colocated)}
    if where is None:
        return say("{n} models on this computer", **facts)
    return say("{n} models: {where}", where=where, **facts)


def _plan(plan: Colocation) -> Tree:
    """The machine, a row for each model, what is left, the commands."""
    price = "" if plan.offer.price is None else f", {plan.offer.price:,.0f} JPY"
    machine, roles = plan.offer.machine.name + price, listed(plan.roles, plans.ROLE_TEXTS)
    table = Table(COLUMNS, tuple(_row(plan, member) for member in plan.members))
    caveats = (line for name in dict.fromkeys(m.deployment.engine for m in plan.members) for line in caveat(name))
    below: Tree = (*_remarks(plan), *caveats, *(command(m.command) for m in plan.members))
    return Title(say("{machine}: {roles}", machine=machine, roles=roles)), table, Section(None, below)


def _remarks(plan: Colocation) -> Iterator[Text]:
    if plan.left is not None:
        yield Text(say("{left} to spare on the fullest device.", left=format_bytes(plan.left)))
    if not plan.meets_target_speed:
        yield Text(say("Some models are slower than their task's target."), "caution")
    names = [m.deployment.name for m in plan.members]
    for name in sorted({n for n in names if names.count(n) > 1}):
        same = say("{model} runs more than once: one server for all its users takes less memory.", model=name)
        yield Text(same, "caution")


def _row(plan: Colocation, member: ColocatedModel) -> tuple[Words, ...]:
    figure = member.main_speed
    alone = "?" if figure is None else f"{figure.value:,.0f} ({figure.low:,.0f}-{figure.high:,.0f})"
    shared = "?" if figure is None else f"{figure.value * plan.busy_share:,.0f}"
    load, size = member.ledger.load, f"{member.ledger.accounts[0].total / GIB:.1f}"
    task, model = Message(TASK_TEXTS[member.request.task]), f"{member.deployment.name} {member.deployment.quantization}"
    return task, model, f"{load.users} x {load.context:,}", alone, shared, size


def notes(answer: ColocationAnswer) -> tuple[Message, ...]:
    """What the figures rest on."""
    out = [
        say(
            "Speeds with all models busy are estimates: each model gets an equal share of the device's "
            "time. A model that waits frees its share for the others."
        ),
        say(
            "Each model runs in its own process with its own driver context. The memory check reserves "
            "what the others take."
        ),
        say("The combination has the highest total value by --prefer. Every model counts the same."),
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
