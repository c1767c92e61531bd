"""Recommend plans: from a request to a short list of plans that differ in kind. See `Recommendation` for the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TypeVar

import numpy as np
from msgspec import structs

from gyakusan.catalog.models import find_typed
from gyakusan.core.quality import SHARE80
from gyakusan.errors import BadSetting
from gyakusan.planning.candidates import model_table as catalogue
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.candidates.purchases import hardware_options
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.predict.lineage import catalogue_name
from gyakusan.planning.request.money import exchange_rates
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.exclusions import missed_models, select_models
from gyakusan.planning.select.feasible import feasible_candidates
from gyakusan.planning.select.pace_relaxations import Holds, keeps_pace, pace_relaxations
from gyakusan.planning.select.plan import Plan, confirm_candidate
from gyakusan.planning.select.ranking import (
    MACHINE_ROLES,
    ROLES,
    RankingScores,
    Role,
    passed_over_for,
    rank_candidates,
    ranked_for_role,
)
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.relaxations import Relaxation, find_relaxations
from gyakusan.planning.select.shown_plans import shown_plans

MAX_TRIES = 40
"""Candidates of a role that are checked with the engine's ledger before the role is given up."""
USUAL_ROWS = 4
"""An answer has this many plans where as many are worth a row."""
FURTHER_TRIES = 8
"""Candidates that are tried for further rows."""
P = TypeVar("P")
Confirm = Callable[[int], Plan | None]


def recommend(
    request: PlanRequest, *, columns: ModelTable | None = None, offers: Sequence[HardwareOption] | None = None
) -> Recommendation:
    """Return plans for a request about one model, and why nothing else was recommended. Raises GyakusanError.

    columns: models instead of the catalogue's
    offers: machines instead of those that the request is about
    """
    table = columns or catalogue.load()
    if request.colocated or request.task == "embedding":
        raise BadSetting(
            "This request is for one chat model.", mend="For several models: gyakusan.several(), or --also."
        )
    check_power(request)
    if request.model is not None and request.model not in table.places:
        request = structs.replace(request, model=text_model_name(request.model))
    hardware, rejected = hardware_options(request) if offers is None else (tuple(offers), ())
    models, excluded = select_models(request, table)
    result = feasible_candidates(request, table, hardware, models)
    check_engines(request, result)
    plans = answering_plans(request, result)
    rates = exchange_rates(dict(request.rates))
    excluded = [*missed_models(request, result, models), *excluded]
    relaxations: tuple[Relaxation, ...] = ()
    if not plans:
        relaxations = find_relaxations(request, hardware, table, rates)
    elif offers is None and not keeps_pace(request, plans[0]):  # whoever names the machines compares plans
        relaxations = pace_relaxations(request, hardware, table, rates, planned_in_time(table))
    return Recommendation(request, plans, tuple(excluded), rejected, relaxations, rates, result)


def planned_in_time(table: ModelTable) -> Holds:
    """Return whether the first plan of a request on some machines keeps the limits of use, and fits at the high end of doubt."""

    def holds(request: PlanRequest, on: Sequence[HardwareOption]) -> bool:
        plans = choose_plans(request, feasible_candidates(request, table, on), ("balanced",))
        return bool(plans) and plans[0].surely_fits and keeps_pace(request, plans[0])

    return holds


def check_power(request: PlanRequest) -> None:
    """Raise BadSetting if a machine that is there has a limit of power: it chooses among machines to buy."""
    option = "--power" if request.power is not None else "--outlet"
    if request.owned and (request.power is not None or request.outlet is not None):
        raise BadSetting(
            "{option} is for machines to buy, and the machine is given here.",
            option=option,
            mend="Leave out {option}, or give a --budget.",
        )


def text_model_name(text: str) -> str:
    """Return the name of a model that generates text. Raises UnknownName, or BadSetting for an embedding model."""
    record = find_typed(catalogue_name(text))
    if record.role == "embedding":
        raise BadSetting(
            "{name} is an embedding model: it does not answer.",
            name=record.name,
            mend="Plan it next to a chat model: --also embedding:model={name}.",
        )
    return record.name


def check_engines(request: PlanRequest, result: SweepResult) -> None:
    """Raise BadSetting if no machine runs any of the engines that were named."""
    if request.engines and result.offers and {name for name, _ in result.refused} == set(request.engines):
        name, reason = result.refused[0]
        raise BadSetting(
            "{engine} cannot be used here: {reason}", engine=name, reason=reason, mend="Leave out --engine."
        )


def answering_plans(request: PlanRequest, result: SweepResult) -> tuple[Plan, ...]:
    """Return the plans of the answer to a request."""
    roles = MACHINE_ROLES if request.model and not request.owned else ROLES
    return choose_plans(request, result, roles, rows=USUAL_ROWS)


def choose_plans(
    request: PlanRequest, result: SweepResult, roles: Sequence[Role] = ROLES, *, rows: int = 1
) -> tuple[Plan, ...]:
    """Return the plans of an answer: the first confirmed one of each role, and further ones that are worth a row.

    Plans that fit at the high end of doubt come before those that may not fit, and those that keep the limits of use before
    those that the sweep, which knows no measurement of the very same thing, took for as fast.
    rows: with fewer plans than this, further ones are looked for
    """
    if not len(result.cells):
        return ()
    scores, tried = rank_candidates(request, result), dict[int, Plan | None]()
    for surely, in_time in ((True, True), (True, False), (False, True), (False, False)):
        confirm = partial(_confirmed, request, result, scores, tried, surely=surely, in_time=in_time)
        plans = _plans_of_roles(request, result, scores, roles, confirm)
        if plans:
            answer = shown_plans(request, plans)
            return answer if len(answer) >= rows else _with_further(request, result, scores, plans, rows, confirm)
    return ()


def _plans_of_roles(
    request: PlanRequest, result: SweepResult, scores: RankingScores, roles: Sequence[Role], confirm: Confirm
) -> list[Plan]:
    """Return one plan for each role, the first role's first. confirm: returns the plan of a candidate that holds."""
    confirmed: dict[int, Plan | None] = {}
    chosen: list[int] = []
    for role in roles:
        if role == "cheapest" and request.owned:  # nothing is cheaper than a machine that is owned
            continue
        if role == "fastest" and bool(np.isnan(result.cells.visible_tokens_per_s).all()):
            continue
        index = _first_of_role(request, result, scores, role, chosen, confirmed, confirm)
        if index is None or index in chosen:
            continue
        quality = np.round(result.cells.quality)
        if role == "best" and chosen and quality[index] <= quality[chosen[0]]:
            continue  # the recommendation shows as many points
        chosen.append(index)
    own = np.array([o.own_computer for o in result.offers], np.bool_)[result.cells.offer]
    if chosen and own[chosen[0]] and request.base_computer_price is None:  # whoever has no PC takes the next row
        complete = (i for i in ranked_for_role("balanced", scores, request) if not own[i])
        index = first_confirmed(complete, confirm, confirmed)
        chosen = chosen if index is None else [chosen[0], index, *(i for i in chosen[1:] if i != index)]
    return [plan for plan in (confirmed[i] for i in chosen) if plan is not None]


def _first_of_role(
    request: PlanRequest,
    result: SweepResult,
    scores: RankingScores,
    role: Role,
    chosen: Sequence[int],
    confirmed: dict[int, Plan | None],
    confirm: Confirm,
) -> int | None:
    """Return the first candidate of a role that is confirmed.

    A better file of the best model is passed over for a much faster one only if that one holds, too: else all are ranked anew.
    confirmed: results so far, by candidate; new ones are added
    """
    if role != "best":
        other = role == "other"
        ranked = (
            _of_another_family(request, result, scores, chosen) if other else ranked_for_role(role, scores, request)
        )
        return first_confirmed(_without_repetitions(result, scores, ranked, chosen), confirm, confirmed)
    while True:
        failed = [i for i, plan in confirmed.items() if plan is None]
        left = structs.replace(scores, eligible=np.setdiff1d(scores.eligible, failed)) if failed else scores
        fresh = _without_repetitions(result, left, ranked_for_role(role, left, request), chosen)
        index = first_confirmed(fresh, confirm, confirmed)
        faster = None if index is None else passed_over_for(left, index)
        if faster is not None and faster not in confirmed:
            confirmed[faster] = confirm(faster)
        if index is None or sum(plan is None for plan in confirmed.values()) == len(failed):
            return index


def _without_repetitions(
    result: SweepResult, scores: RankingScores, ranked: Iterator[int], chosen: Sequence[int]
) -> Iterator[int]:
    """Yield candidates but those that have the model and the machine of a chosen one in other files: they get no row."""
    taken = {(int(scores.model[i]), int(result.cells.offer[i])) for i in chosen}
    return (i for i in ranked if i in chosen or (int(scores.model[i]), int(result.cells.offer[i])) not in taken)


def _of_another_family(
    request: PlanRequest, result: SweepResult, scores: RankingScores, chosen: Sequence[int]
) -> Iterator[int]:
    """Yield candidates of a family that no row has: those equal to the recommendation within the error first, then by utility."""
    families = {_family(result, int(scores.model[i])) for i in chosen}
    others = [
        i
        for i in ranked_for_role("other", scores, request)
        if not families or _family(result, int(scores.model[i])) not in families
    ]
    if not chosen:
        yield from others
        return
    cells, first = scores.cells, chosen[0]
    gap = cells.quality[first] - cells.quality[others]
    tied = gap <= SHARE80 * np.hypot(cells.error[first], cells.error[others])
    yield from (others[i] for i in np.argsort(~tied, kind="stable").tolist())


def _confirmed(
    request: PlanRequest,
    result: SweepResult,
    scores: RankingScores,
    tried: dict[int, Plan | None],
    index: int,
    *,
    surely: bool,
    in_time: bool,
) -> Plan | None:
    """Return a confirmed candidate.

    tried: results so far, by candidate; new ones are added
    surely: None also where it may not fit at the high end of doubt
    in_time: None also where the sweep took it for fast enough to be of use, and it is not
    """
    if index not in tried:
        tried[index] = confirm_candidate(request, result, index)
    plan = tried[index]
    if plan is None or (surely and not plan.surely_fits):
        return None
    late = in_time and scores.acceptable_speed[index] and not keeps_pace(request, plan)
    return None if late else plan


def _with_further(
    request: PlanRequest, result: SweepResult, scores: RankingScores, plans: list[Plan], rows: int, confirm: Confirm
) -> tuple[Plan, ...]:
    """Return the plans and, until there are `rows`, others by utility whose model on that machine is not shown yet."""
    taken = {(result.columns.places[p.name], p.offer.machine.name) for p in plans}
    tries = 0
    for index in ranked_for_role("balanced", scores, request):
        place = int(scores.model[index]), result.offers[int(result.cells.offer[index])].machine.name
        if place in taken or tries >= FURTHER_TRIES:
            continue
        taken.add(place)
        if request.model is None and not request.owned and sum(m == place[0] for m, _ in taken) > 2:
            continue
        tries += 1
        plan = confirm(index)
        if plan is not None:
            plans.append(plan)
        if len(answer := shown_plans(request, plans)) >= rows:
            return answer
    return shown_plans(request, plans)


def first_confirmed(
    ranked: Iterable[int], confirm: Callable[[int], P | None], confirmed: dict[int, P | None]
) -> int | None:
    """Return the first of at most MAX_TRIES candidates that is confirmed, None if none is.

    confirm: returns the plan of a candidate, None if it does not hold
    confirmed: results so far, by candidate; new ones are added
    """
    for index in islice(ranked, MAX_TRIES):
        if index not in confirmed:
            confirmed[index] = confirm(index)
        if confirmed[index] is not None:
            return index
    return None


def _family(result: SweepResult, model: int) -> str:
    """Return the letters at the start of a model's name: "qwen" of "qwen3.5-27b"."""
    name = result.columns.models[model].name
    return name[: next((i for i, c in enumerate(name) if not c.isalpha()), len(name))]
