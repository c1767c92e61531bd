"""Python's `plan`, `several`, `upgrade` and `fleet`: the answers to a request, with their documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, overload

from gyakusan.planning.colocate.recommend import ColocationAnswer, colocate
from gyakusan.planning.fleet.recommend import FleetAnswer
from gyakusan.planning.fleet.recommend import fleet as recommend_fleets
from gyakusan.planning.fleet.request import FLEET_KEYS, parse_fleet_request
from gyakusan.planning.nodes.recommend import NodesAnswer, plan_nodes
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan_capacity import PlanCapacity, plan_capacities
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.what_if import Change, what_if
from gyakusan.planning.select.why_not import WhyNot, why_not
from gyakusan.planning.upgrade.recommend import UpgradeAnswer, parse_upgrade_request
from gyakusan.planning.upgrade.recommend import upgrade as recommend_upgrade
from gyakusan.python.answer import Answer, extended, plan_line, quality_words, speed_words
from gyakusan.python.files import nodes_of
from gyakusan.python.options import FleetOptions, PlanOptions, Question, UpgradeOptions, request_values

if TYPE_CHECKING:
    from gyakusan.documents.colocation import ColocationAnswerJson
    from gyakusan.documents.fleet import FleetJson
    from gyakusan.documents.nodes import NodesJson
    from gyakusan.documents.plan import RecommendationJson
    from gyakusan.documents.upgrade import UpgradeJson
    from gyakusan.planning.select.plan import Plan
    from gyakusan.show.report import Report

Nodes = str | Path | Mapping[str, Any] | Iterable[str | Path | Mapping[str, Any]]
"""Files of nodes, or what `detect` returned on each of them."""
VIEWS = {"all": False, "max": False, "what_if": False, "why_not": None}
"""Options of `plan` that ask for more than the plans -> where nobody asks."""


class Plans(Answer, Recommendation, frozen=True, kw_only=True):
    """What `gyakusan plan` answers.

    everything: the document lists every Pareto-optimal candidate (all=True)
    capacities: longest context and most users of each plan (max=True)
    changes: what a little more would bring (what_if=True)
    why: why something is not proposed (why_not="NAME")
    """

    everything: bool = False
    capacities: tuple[PlanCapacity, ...] = ()
    changes: tuple[Change, ...] = ()
    why: WhyNot | None = None

    def document(self) -> RecommendationJson:
        """Return the document of `gyakusan plan --json`."""
        from gyakusan.documents.plan import recommendation

        return recommendation(
            self, why=self.why, changes=self.changes, capacities=self.capacities, everything=self.everything
        )

    def report(self) -> Report:
        """Return the screen of `gyakusan plan` with the plans as a chart; without a plan, what would help."""
        from gyakusan.planning.select.ways_out import no_plan
        from gyakusan.show.plan import screen
        from gyakusan.show.report import plan_report
        from gyakusan.show.why_not import none

        return plan_report(self, screen(self) if self.plans else none(self, no_plan(self)))

    def summary(self) -> Iterator[str]:
        """Yield the question, one line for each plan, and what would help where there is none."""
        left_out = f"{len(self.excluded)} models and {len(self.rejected)} machines left out"
        yield f"{_question(self.request)}: {len(self.plans)} plans of {self.count:,} combinations, {left_out}"
        for number, plan in enumerate(self.plans, 1):
            yield f"  {plan_line(number, plan, self._price(plan))}"
        for way in self.relaxations:
            yield f"  {way.sentence}"
        for reason in self.why.reasons if self.why else ():
            yield f"  {reason}"

    def _price(self, plan: Plan) -> str:
        """Return the price in the asker's currency, "" where nothing is bought."""
        if plan.offer.price is None:
            return ""
        amount = self.rates.convert(plan.offer.price, "JPY", self.request.paid_in)
        return f"{plan.offer.price:,.0f} JPY" if amount is None else f"{amount:,.0f} {self.request.paid_in}"


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Colocations(Answer, ColocationAnswer):
    """What `gyakusan plan --also` answers."""

    def document(self) -> ColocationAnswerJson:
        """Return the document of `gyakusan plan --also --json`."""
        from gyakusan.documents.colocation import colocation

        return colocation(self)

    def report(self) -> Report:
        """Return the screen of `gyakusan plan --also`."""
        from gyakusan.show.colocation import screen
        from gyakusan.show.report import other_report

        return other_report("gyakusan plan", screen(self))

    def summary(self) -> Iterator[str]:
        """Yield one line for each machine with its models."""
        yield f"{_question(self.request)}: {len(self.plans)} combinations on {self.tried} machines tried"
        for number, plan in enumerate(self.plans, 1):
            models = ", ".join(f"{m.deployment.name} {m.deployment.quantization}" for m in plan.members)
            yield f"  {number}. {models} on {plan.offer.machine.name}: {' '.join(plan.roles)}"
        for way in self.relaxations:
            yield f"  {way.sentence}"


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Fleets(Answer, FleetAnswer):
    """What `gyakusan fleet` answers."""

    def document(self) -> FleetJson:
        """Return the document of `gyakusan fleet --json`."""
        from gyakusan.documents.fleet import fleet as document

        return document(self)

    def report(self) -> Report:
        """Return the screen of `gyakusan fleet` with the fleets as a chart."""
        from gyakusan.show.fleet import screen
        from gyakusan.show.report import fleet_report

        return fleet_report(self, screen(self))

    def summary(self) -> Iterator[str]:
        """Yield one line for each fleet."""
        yield f"{_question(self.request.plan_request)}: {len(self.plans)} fleets of {self.count:,} combinations"
        for number, fleet in enumerate(self.plans, 1):
            plan = fleet.plan
            what = f"{fleet.machines} x {plan.offer.machine.name}, {plan.name} {plan.quantization}, {plan.engine}"
            figures = (speed_words(plan.pace), quality_words(plan.score), " ".join(fleet.roles))
            yield f"  {number}. {what}: {', '.join(filter(None, figures))}"
        for sentence in (*self.reasons, *(way.sentence for way in self.ways)):
            yield f"  {sentence}"


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Upgrades(Answer, UpgradeAnswer):
    """What `gyakusan upgrade` answers."""

    def document(self) -> UpgradeJson:
        """Return the document of `gyakusan upgrade --json`."""
        from gyakusan.documents.upgrade import upgrade as document

        return document(self)

    def report(self) -> Report:
        """Return the screen of `gyakusan upgrade`."""
        from gyakusan.show.report import other_report
        from gyakusan.show.upgrade import screen

        return other_report("gyakusan upgrade", screen(self))

    def summary(self) -> Iterator[str]:
        """Yield today's plan and one line for each step."""
        yield f"{self.owned.machine.name}: {len(self.steps)} steps of {self.tried} options within the budget"
        yield "" if self.now is None else f"  today: {self.now.name} {self.now.quantization}"
        for number, step in enumerate(self.steps, 1):
            gain = f"gain {step.gain:.1f} points"
            yield f"  {number}. {step.option.what}, {step.plan.name}: {', '.join(filter(None, (gain, ' '.join(step.roles))))}"


class NodePlans(Answer, NodesAnswer, frozen=True, kw_only=True):
    """What `gyakusan plan --nodes` answers."""

    def document(self) -> NodesJson:
        """Return the document of `gyakusan plan --nodes --json`."""
        from gyakusan.documents.nodes import nodes

        return nodes(self)

    def report(self) -> Report:
        """Return the screen of `gyakusan plan --nodes`."""
        from gyakusan.show.nodes import screen
        from gyakusan.show.report import other_report

        return other_report("gyakusan plan", screen(self))

    def summary(self) -> Iterator[str]:
        """Yield one line for each layout, or what would help."""
        yield f"{len(self.nodes)} nodes: {len(self.layouts)} layouts"
        for number, layout in enumerate(self.layouts, 1):
            one = layout.first
            what = f"{one.name} {one.quantization}, {one.engine} on {' + '.join(n.name for n in layout.nodes)}"
            figures = (layout.form, speed_words(one.pace), quality_words(one.score))
            yield f"  {number}. {what}: {', '.join(filter(None, figures))}"
        for way in self.nearest:
            yield f"  {way}"


@overload
def plan(
    file: Question | None = None, *, nodes: None = None, link: None = None, **options: Unpack[PlanOptions]
) -> Plans: ...
@overload
def plan(
    file: Question | None = None, *, nodes: Nodes, link: str | Mapping[str, str] | None = None,
    **options: Unpack[PlanOptions],
) -> NodePlans: ...  # fmt: skip
def plan(
    file: Question | None = None,
    *,
    nodes: Nodes | None = None,
    link: str | Mapping[str, str] | None = None,
    **options: Unpack[PlanOptions],
) -> Plans | NodePlans:
    """Return the best endpoints for people on a machine or within a budget, and why not others. Raises GyakusanError.

    nodes: computers that are there, planned together: files of `gyakusan detect --json`, or what `detect().to_dict()` returned
        on each; link="10GbE" is the network between them
    file: a request in TOML or JSON, or its keys and values as a mapping; options win over it
    options: those of `gyakusan plan` by their names: device="RTX 5090", users=2, context="64k", budget="1000000JPY",
        prefer="quality"; all, max, what_if and why_not add to the answer what they add to the screen
    """
    if nodes is not None or link is not None:
        asked = parse_request(request_values(file, options, ("nodes", "link")))
        return extended(NodePlans, plan_nodes(asked, *nodes_of(nodes or (), link)))
    given: dict[str, Any] = dict(options)
    views = {name: given.pop(name, usual) for name, usual in VIEWS.items()}
    found = recommend(parse_request(request_values(file, given, VIEWS)))
    return extended(
        Plans,
        found,
        everything=bool(views["all"]),
        capacities=plan_capacities(found) if views["max"] else (),
        changes=what_if(found) if views["what_if"] else (),
        why=None if views["why_not"] is None else why_not(found, views["why_not"]),
    )


def several(file: Question | None = None, **options: Unpack[PlanOptions]) -> Colocations:
    """Return several models on one machine at the same time, as `gyakusan plan --also`. Raises GyakusanError.

    options: as for `plan`, for the first of them; also=["coding:users=2,context=16k", "embedding"] for the others
    """
    return extended(Colocations, colocate(parse_request(request_values(file, options, ()))))


def upgrade(file: Question | None = None, **options: Unpack[UpgradeOptions]) -> Upgrades:
    """Return what to buy next, from a machine that is owned, and whether to buy at all. Raises GyakusanError.

    options: as for `plan`, with device="RTX 3060 12GB" for what is owned (else this computer), budget="200000JPY" for what
        may be spent, resale="40000JPY" for what the old one brings where it goes
    """
    return extended(Upgrades, recommend_upgrade(parse_upgrade_request(request_values(file, options, ("resale",)))))


def fleet(file: Question | None = None, **options: Unpack[FleetOptions]) -> Fleets:
    """Return how many of which machines serve many people, and what that costs. Raises GyakusanError.

    options: as for `plan`, and those of `gyakusan fleet`: arrivals="2000/h", replicas=16, spare=1, tariff="31JPY/kWh",
        api_output="0.6USD"
    """
    return extended(Fleets, recommend_fleets(parse_fleet_request(request_values(file, options, FLEET_KEYS))))


def _question(request: PlanRequest) -> str:
    budget = request.budget
    where = request.device or ("this computer" if budget is None else f"{budget.amount:,.0f} {budget.currency}")
    people = "1 user" if request.users == 1 else f"{request.users} users"
    return f"{where}, {people}, {request.workload.context:,} tokens, {request.task}"
