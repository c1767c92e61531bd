"""A question -> the plans, the reasons for everything else, and the nearest question that has an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gyakusan.catalog.models import find
from gyakusan.errors import BadSetting
from gyakusan.message import Message
from gyakusan.planning import columns as catalogue
from gyakusan.planning import offers as market
from gyakusan.planning.cells import Grid
from gyakusan.planning.columns import Columns
from gyakusan.planning.excluded import Excluded, missed, wanted
from gyakusan.planning.frontier import frontier
from gyakusan.planning.grid import evaluate
from gyakusan.planning.money import Rates, rates
from gyakusan.planning.offers import Offer, Rejected
from gyakusan.planning.question import Question
from gyakusan.planning.roles import MACHINES, ROLES, Ranked, Role, order, ranked
from gyakusan.planning.verify import Plan, plan

TRIES = 40
"""Cells of a role that are checked with the ledger before it is given up."""


@dataclass(frozen=True, slots=True)
class Answer:
    """plans: one for each kind; excluded: models and why; rejected: machines and why; nearest: questions that have an

    answer, where this one has none; rates: of currencies; count: cells that were evaluated.
    """

    question: Question
    plans: tuple[Plan, ...]
    excluded: tuple[Excluded, ...]
    rejected: tuple[Rejected, ...]
    nearest: tuple[Message, ...]
    rates: Rates
    grid: Grid

    @property
    def count(self) -> int:
        """Cells that were evaluated."""
        return self.grid.count


def answer(question: Question, *, columns: Columns | None = None, offers: Sequence[Offer] | None = None) -> Answer:
    """The answer to a question. columns, offers: instead of the catalogue's. Raises GyakusanError."""
    known = columns or catalogue.load()
    if question.also or question.task == "embedding":
        raise BadSetting(
            "This is a question about one model that answers.", mend="Several together: gyakusan.several(), or --also."
        )
    if question.model is not None and question.model not in known.places:
        question = replace(question, model=answering(question.model))
    found, rejected = (tuple(offers), ()) if offers is not None else _offers(question)
    places, left = wanted(question, known)
    grid = evaluate(question, known, found, np.array(places, np.int64), reduce=not question.owned)
    _contradictions(question, grid)
    grid = unsaturated(question, grid)
    plans = choose(question, grid, MACHINES if question.model and not question.owned else ROLES)
    excluded = (*missed(question, grid, places), *left)
    made = Answer(question, plans, excluded, rejected, (), rates(dict(question.rates)), grid)
    if plans:
        return made
    from gyakusan.planning.nearest import nearest

    return replace(made, nearest=nearest(made, known))


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


def unsaturated(question: Question, grid: Grid) -> Grid:
    """Without the cells that fall behind the requests that arrive."""
    if question.arrivals is None or not len(grid.cells):
        return grid
    from gyakusan.planning.arrivals import bearable

    return replace(grid, cells=grid.cells.take(np.flatnonzero(bearable(question, grid) >= question.arrivals)))


def _offers(question: Question) -> tuple[tuple[Offer, ...], tuple[Rejected, ...]]:
    return ((market.owned(question),), ()) if question.owned else market.bought(question)


def _contradictions(question: Question, grid: Grid) -> None:
    """Raises BadSetting where none of the engines that were named runs on any of the machines."""
    if question.engines and grid.offers and {n for n, _ in grid.refused} == set(question.engines):
        name, reason = grid.refused[0]
        raise BadSetting(
            "{engine} cannot be used here: {reason}", engine=name, reason=reason, mend="Leave --engine out."
        )


def choose(question: Question, grid: Grid, roles: Sequence[Role] = ROLES) -> tuple[Plan, ...]:
    """One plan for each role; what is best in several has several roles. Each was checked with the engine's ledger."""
    if not len(grid.cells):
        return ()
    r = ranked(question, grid)
    checked: dict[int, Plan | None] = {}
    chosen: dict[int, list[str]] = {}
    for role in roles:
        if role == "cheapest" and question.owned:  # nothing is cheaper than what one has
            continue
        if role == "fastest" and bool(np.isnan(grid.cells.useful).all()):
            continue
        taken = chosen if role == "other" else {}
        place = _first(role, r, question, grid, checked, [int(r.model[i]) for i in taken])
        if place is not None:
            chosen.setdefault(_twin(place, chosen, r), []).append(role)
    plans = [replace(p, roles=tuple(names)) for place, names in chosen.items() if (p := checked[place]) is not None]
    return tuple(plans)


def _twin(place: int, chosen: dict[int, list[str]], r: Ranked) -> int:
    """A plan that was chosen with the same model on the same machine in the same engine, else the place itself."""
    cells = r.cells
    same = (i for i in chosen if r.model[i] == r.model[place] and cells.offer[i] == cells.offer[place])
    return next((i for i in same if cells.engine[i] == cells.engine[place]), place)


def _first(
    role: Role, r: Ranked, question: Question, grid: Grid, checked: dict[int, Plan | None], taken: list[int]
) -> int | None:
    """The first cell of a role that the ledger confirms. taken: models that are not wanted once more."""
    families = {_family(grid, i) for i in taken}
    wanted = (i for i in order(role, r, question) if _family(grid, int(r.model[i])) not in families)
    for tried, place in enumerate(wanted):
        if place not in checked:
            checked[place] = plan(question, grid, place)
        if checked[place] is not None:
            return place
        if tried >= TRIES:
            break
    return None


def _family(grid: Grid, model: int) -> str:
    """Letters at the start of a model's name: "qwen3.5-27b" -> "qwen"."""
    name = grid.columns.models[model].name
    return name[: next((i for i, c in enumerate(name) if not c.isalpha()), len(name))]


def every(found: Answer) -> tuple[int, ...]:
    """Places of all cells that nothing dominates in quality, speed and price, best first."""
    cells = found.grid.cells
    places = frontier(cells.sure, cells.useful, cells.price)
    return tuple(sorted(places.tolist(), key=lambda i: (-cells.sure[i], -np.nan_to_num(cells.useful[i]), i)))


def row(grid: Grid, place: int) -> dict[str, Any]:
    """One cell as plain values."""
    from gyakusan.planning.columns import FAMILY

    cells = grid.cells
    name = grid.engines[int(cells.engine[place])]
    table, at = grid.columns.tables[FAMILY[name]], int(cells.row[place])
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
        "tokens_per_second": _known(cells.each[place]),
        "tokens_per_second_low": _known(cells.each_low[place]),
        "first_token": _known(cells.first[place]),
        "quality": round(float(cells.quality[place]), 1),
        "quality_error": round(float(cells.error[place]), 1),
        "quality_basis": mode.basis,
        "price_jpy": None if offer.price is None else round(offer.price),
    }


def _known(value: Any) -> float | None:
    return None if np.isnan(value) or np.isinf(value) else round(float(value), 2)
