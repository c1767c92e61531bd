"""Why a model, an engine or a device is not plan 1: the limit it breaks, by how much, and the smallest change."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from msgspec import structs

from gyakusan.catalog.devices import family, knows
from gyakusan.catalog.models import find_typed
from gyakusan.catalog.quality_shared import shared_items
from gyakusan.engines.registry import NAMES, engine
from gyakusan.errors import UnknownName, unknown
from gyakusan.message import Message, quoted, say
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.ways_out import first_plan
from gyakusan.planning.select.why_not_compare import behind, compare
from gyakusan.planning.select.why_not_device import has_device, not_offered, nothing_holds
from gyakusan.planning.select.why_not_fit import may_not_fit
from gyakusan.planning.select.why_not_model import explain_model
from gyakusan.planning.select.why_not_reason import Explained, Reason

NEAREST = 5
"""Names that are proposed for one that nothing has."""
LEAST_SHARED = 3
"""Items that a table must have of both models to be told of: assumed, one or two say little."""


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why something is not plan 1.

    name: full name of the model, engine or device
    kind: "model", "engine" or "device"
    reason: the decisive one: its kind, the figure that decides with both numbers, and the sentence
    further: sentences after it
    plan: its own best plan, None where it has none
    changes: what makes it plan 1, each tried: in words, and as options of the command
    """

    name: str
    kind: str
    reason: Reason
    further: tuple[Message, ...] = ()
    plan: Plan | None = None
    changes: tuple[tuple[Message, str], ...] = ()

    @property
    def reasons(self) -> tuple[Message, ...]:
        """The sentences, the decisive one first."""
        return self.reason.sentence, *self.further

    @property
    def rival(self) -> int:
        """Number of the plan that it is compared with, 0 = none."""
        return self.reason.rival


def why_not(recommendation: Recommendation, text: str, *, tries: bool = True) -> WhyNot:
    """Return why the model, engine or device named `text` is not plan 1. Raises UnknownName if it is none of them.

    tries: also which changes make it plan 1, each of which is a plan of its own
    """
    try:
        name = engine(text).NAME
        return _told(name, "engine", _explain_engine(recommendation, name))
    except UnknownName:
        pass
    if knows(_without_count(text)):
        return _told(text, "device", _explain_device(recommendation, text))
    try:
        name = find_typed(text).name
    except UnknownName as error:
        if "candidates" in error.message.facts:
            raise
        raise _unknown(recommendation, text) from error
    return _told(name, "model", _with_shared_items(recommendation, explain_model(recommendation, name, tries=tries)))


def _unknown(answer: Recommendation, text: str) -> UnknownName:
    """Return UnknownName with the nearest names: machines that begin so, first those that were considered, else any."""
    kind, begun = say("model, engine or device"), family(_without_count(text))
    if not begun:
        where = say("The names: gyakusan catalog list models, gyakusan catalog list devices")
        return unknown(kind, text, (*answer.grid.columns.places, *NAMES), otherwise=where.template)
    offered = [name for name in begun if any(has_device(o.machine.name, name) for o in answer.grid.offers)]
    near = ", ".join(dict.fromkeys([*offered, *begun][:NEAREST]))
    return UnknownName(
        "No {kind} is called {name}.", kind=kind, name=quoted(text, 80), near=near, mend="Did you mean {near}?"
    )


def _told(name: str, kind: str, why: Explained) -> WhyNot:
    return WhyNot(name, kind, why.reason, why.further, why.plan, why.changes)


def _with_shared_items(answer: Recommendation, why: Explained) -> Explained:
    """Add how a model and the one it is compared with stand in one table of scores, where one table has both."""
    if why.plan is None or not why.reason.rival:
        return why
    plan, rival = why.plan, answer.plans[why.reason.rival - 1]
    both = shared_items(plan.name, rival.name, first_mode=plan.mode.mode, second_mode=rival.mode.mode)
    if both is None or both.of < LEAST_SHARED or plan.name == rival.name:
        return why
    facts = {"name": plan.name, "other": rival.name, "n": both.better, "of": both.of, "reporter": both.reporter}
    sentence = (
        say(
            "{name} is better than {other} in {n} of {of} items of one table: {reporter}, maker of one of them.",
            **facts,
        )
        if both.own
        else say("{name} is better than {other} in {n} of {of} items of one table: {reporter}.", **facts)
    )
    return replace(why, further=(*why.further, sentence))


def _explain_engine(answer: Recommendation, name: str) -> Explained:
    """Return why an engine is not that of plan 1: it does not run here, was not asked for, or is no better."""
    place = next((n for n, p in enumerate(answer.plans, 1) if p.engine == name), 0)
    if place:
        return _shown(answer, place, say("{name} is the server of plan {n}.", name=name, n=place), name)
    grid, request = answer.grid, answer.request
    refusals = [engine(name).machine_refusal(option.machine, request.os) for option in grid.offers]
    if refusals and refusals[0] is not None and None not in refusals:
        return Explained(Reason("engine", refusals[0]))
    if name not in grid.engines:
        return Explained(Reason("wish", say("{name} was not requested: add --engine {name}.", name=name)))
    plan = first_plan(answer, structs.replace(request, engines=(name,)), grid.offers)
    if plan is None or not answer.plans:
        return Explained(nothing_holds(answer, structs.replace(request, engines=(name,)), grid.offers, name))
    return _against(answer, plan, name)


def _shown(answer: Recommendation, place: int, said: Message, name: str) -> Explained:
    """Return that something is in a plan of the answer, and why that plan is not the first."""
    plan = answer.plans[place - 1]
    if place == 1:
        return Explained(Reason("shown", said), plan=plan)
    return Explained(behind(answer, plan, _with(name, plan), 1, shown=place), plan=plan)


def _against(answer: Recommendation, plan: Plan, name: str) -> Explained:
    """Return why the best plan of an engine or a machine has no row."""
    surely = any(p.surely_fits for p in answer.plans)
    if surely and not plan.surely_fits:
        return Explained(may_not_fit(plan), plan=plan)
    return Explained(compare(answer, plan, _with(name, plan)), plan=plan)


def _with(name: str, plan: Plan) -> Message:
    """Return an engine or a machine with the best that it runs."""
    return say("{name} ({model} {files})", name=name, model=plan.name, files=plan.quantization)


def _explain_device(answer: Recommendation, text: str) -> Explained:
    """Return why no machine with a device is plan 1: it is beyond a limit, has no price, or is no better."""
    from gyakusan import machines

    grid, request = answer.grid, answer.request
    if request.owned:
        owned = grid.offers[0].machine.name
        said = say("The request is for {machine}: name another with --device.", machine=owned)
        return Explained(Reason("wish", said))
    machine = machines.parse(text)
    name, count = _without_count(machine.name), max(1, len(machine.gpus))
    place = next((n for n, p in enumerate(answer.plans, 1) if has_device(p.offer.machine.name, name)), 0)
    if place and count in (1, answer.plans[place - 1].offer.count):
        return _shown(answer, place, say("{name} is the machine of plan {n}.", name=name, n=place), name)
    options = tuple(option for option in grid.offers if has_device(option.machine.name, name))
    if count > 1:
        options = tuple(option for option in options if option.count == count)
    if not options:
        return Explained(not_offered(answer, name if count == 1 else f"{count}x {name}", count))
    plan = first_plan(answer, request, options)
    if plan is None:
        return Explained(nothing_holds(answer, request, options, options[0].machine.name))
    if not answer.plans:
        return Explained(Reason("engine", say("{name} fits, but no plan of it could be confirmed.", name=name)))
    return _against(answer, plan, plan.offer.machine.name)


def _without_count(machine: str) -> str:
    """Return the name of one of a machine's devices: "RTX 3090" of "2x RTX 3090"."""
    return re.sub(r"^\s*\d+ ?x ", "", machine)
