"""A question -> the plans, the reasons for everything else, and the nearest question that has an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gyakusan.catalog.models import find
from gyakusan.errors import BadSetting
from gyakusan.message import Message
from gyakusan.planning.candidates import hardware as market
from gyakusan.planning.candidates import model_table as catalogue
from gyakusan.planning.candidates.hardware import HardwareOption, Rejected
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.evaluate.pareto import pareto_frontier
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.evaluate.sweep import sweep
from gyakusan.planning.request.money import ExchangeRates, exchange_rates
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.exclusions import Excluded, missed_models, select_models
from gyakusan.planning.select.plan import Plan, confirm_candidate
from gyakusan.planning.select.ranking import MACHINES, ROLES, RankingScores, Role, order, rank_candidates

TRIES = 40
"""Cells of a role that are checked with the ledger before it is given up."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """plans: one for each kind; excluded: models and why; rejected: machines and why; nearest: questions that have an

    answer, where this one has none; rates: of currencies; count: cells that were evaluated.
    """

    question: PlanRequest
    plans: tuple[Plan, ...]
    excluded: tuple[Excluded, ...]
    rejected: tuple[Rejected, ...]
    nearest: tuple[Message, ...]
    rates: ExchangeRates
    grid: SweepResult

    @property
    def count(self) -> int:
        """Cells that were evaluated."""
        return self.grid.count


def recommend(
    question: PlanRequest, *, columns: ModelTable | None = None, offers: Sequence[HardwareOption] | None = None
) -> Recommendation:
    """The answer to a question. columns, offers: instead of the catalogue's. Raises GyakusanError."""
    known = columns or catalogue.load()
    if question.colocated or question.task == "embedding":
        raise BadSetting(
            "This is a question about one model that answers.", mend="Several together: gyakusan.several(), or --also."
        )
    if question.model is not None and question.model not in known.places:
        question = replace(question, model=answering(question.model))
    found, rejected = (tuple(offers), ()) if offers is not None else _offers(question)
    places, left = select_models(question, known)
    grid = sweep(question, known, found, np.array(places, np.int64), reduce=not question.owned)
    _contradictions(question, grid)
    grid = unsaturated(question, grid)
    plans = choose(question, grid, MACHINES if question.model and not question.owned else ROLES)
    excluded = (*missed_models(question, grid, places), *left)
    made = Recommendation(question, plans, excluded, rejected, (), exchange_rates(dict(question.rates)), grid)
    if plans:
        return made
    from gyakusan.planning.select.relaxations import find_relaxations

    return replace(made, nearest=find_relaxations(made, known))


def answering(text: str) -> str:
    """The name of a model that answers. Raises UnknownName, BadSetting for one that makes embeddings."""
    record = find(text)
    if record.role == "embedding":
        raise BadSetting(
            "{name} makes embeddings and answers nobody.",
            name=record.name,
            mend="Plan it beside a model that answers: --also embedding:model={name}.",
        )
    return record.name


def unsaturated(question: PlanRequest, grid: SweepResult) -> SweepResult:
    """Without the cells that fall behind the requests that arrive."""
    if question.arrivals is None or not len(grid.cells):
        return grid
    from gyakusan.planning.evaluate.sustainable_rate import sustainable_rates

    return replace(grid, cells=grid.cells.take(np.flatnonzero(sustainable_rates(question, grid) >= question.arrivals)))


def _offers(question: PlanRequest) -> tuple[tuple[HardwareOption, ...], tuple[Rejected, ...]]:
    return ((market.owned_machine(question),), ()) if question.owned else market.buyable_machines(question)


def _contradictions(question: PlanRequest, grid: SweepResult) -> None:
    """Raises BadSetting where none of the engines that were named runs on any of the machines."""
    if question.engines and grid.offers and {n for n, _ in grid.refused} == set(question.engines):
        name, reason = grid.refused[0]
        raise BadSetting(
            "{engine} cannot be used here: {reason}", engine=name, reason=reason, mend="Leave --engine out."
        )


def choose(question: PlanRequest, grid: SweepResult, roles: Sequence[Role] = ROLES) -> tuple[Plan, ...]:
    """One plan for each role; what is best in several has several roles. Each was checked with the engine's ledger."""
    if not len(grid.cells):
        return ()
    r = rank_candidates(question, grid)
    checked: dict[int, Plan | None] = {}
    chosen: dict[int, list[str]] = {}
    for role in roles:
        if role == "cheapest" and question.owned:  # nothing is cheaper than what one has
            continue
        if role == "fastest" and bool(np.isnan(grid.cells.visible_tokens_per_s).all()):
            continue
        taken = chosen if role == "other" else {}
        place = _first(role, r, question, grid, checked, [int(r.model[i]) for i in taken])
        if place is not None:
            chosen.setdefault(_twin(place, chosen, r), []).append(role)
    plans = [replace(p, roles=tuple(names)) for place, names in chosen.items() if (p := checked[place]) is not None]
    return tuple(plans)


def _twin(place: int, chosen: dict[int, list[str]], r: RankingScores) -> int:
    """A plan that was chosen with the same model on the same machine in the same engine, else the place itself."""
    cells = r.cells
    same = (i for i in chosen if r.model[i] == r.model[place] and cells.offer[i] == cells.offer[place])
    return next((i for i in same if cells.engine[i] == cells.engine[place]), place)


def _first(
    role: Role,
    r: RankingScores,
    question: PlanRequest,
    grid: SweepResult,
    checked: dict[int, Plan | None],
    taken: list[int],
) -> int | None:
    """The first cell of a role that the ledger confirms. taken: models that are not wanted once more."""
    families = {_family(grid, i) for i in taken}
    wanted = (i for i in order(role, r, question) if _family(grid, int(r.model[i])) not in families)
    for tried, place in enumerate(wanted):
        if place not in checked:
            checked[place] = confirm_candidate(question, grid, place)
        if checked[place] is not None:
            return place
        if tried >= TRIES:
            break
    return None


def _family(grid: SweepResult, model: int) -> str:
    """Letters at the start of a model's name: "qwen3.5-27b" -> "qwen"."""
    name = grid.columns.models[model].name
    return name[: next((i for i, c in enumerate(name) if not c.isalpha()), len(name))]


def all_candidates(found: Recommendation) -> tuple[int, ...]:
    """Places of all cells that nothing dominates in quality, speed and price, best first."""
    cells = found.grid.cells
    places = pareto_frontier(cells.quality_lower, cells.visible_tokens_per_s, cells.price)
    return tuple(
        sorted(
            places.tolist(), key=lambda i: (-cells.quality_lower[i], -np.nan_to_num(cells.visible_tokens_per_s[i]), i)
        )
    )


def candidate_row(grid: SweepResult, place: int) -> dict[str, Any]:
    """One cell as plain values."""
    cells = grid.cells
    name = grid.engines[int(cells.engine[place])]
    table, at = grid.columns.of_engine(name), int(cells.row[place])
    known, offer = grid.columns.models[int(table.model[at])], grid.offers[int(cells.offer[place])]
    mode = known.modes[int(cells.mode[place])]
    return {
        "model": known.name,
        "quantization": table.name[at],
        "engine": name,
        "machine": offer.machine.name,
        "reasoning": mode.mode,
        "total": int(cells.total[place]),
        "usable": None if np.isinf(cells.usable[place]) else int(cells.usable[place]),
        "tokens_per_second": _known(cells.tokens_per_s[place]),
        "tokens_per_second_low": _known(cells.tokens_per_s_low[place]),
        "first_token": _known(cells.ttft[place]),
        "quality": round(float(cells.quality[place]), 1),
        "quality_error": round(float(cells.error[place]), 1),
        "quality_basis": mode.basis,
        "price_jpy": None if offer.price is None else round(offer.price),
    }


def _known(value: Any) -> float | None:
    return None if np.isnan(value) or np.isinf(value) else round(float(value), 2)
