"""Every fleet: the grid for each share of the people, how many replicas that needs, and what a month of it costs.

A share is what one replica serves at once. Steady users are dealt out evenly over 1, 2, 3, 4, 6, 8 ... replicas; with arrivals a
share is a number of slots, and each cell needs as many replicas as the rate takes that it bears with so many (core.queue).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gyakusan.core import queue
from gyakusan.planning.candidates import hardware as market
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import SCORES, ModelTable
from gyakusan.planning.evaluate import sustainable_rate
from gyakusan.planning.evaluate.results import CandidateColumns, SweepResult, concatenate
from gyakusan.planning.evaluate.sweep import sweep
from gyakusan.planning.fleet import costs
from gyakusan.planning.fleet.request import FleetRequest
from gyakusan.planning.request.money import ExchangeRates, exchange_rates
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.request.request_rate import slots_for_rate
from gyakusan.planning.select.exclusions import select_models
from gyakusan.planning.select.ranking import CHEAPEST_WITHIN_POINTS, MIN_SPEED_SHARE, rank_candidates

Array = Any
LADDER = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""Replicas that are tried."""
SLOTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Slots of a replica that are tried with arrivals."""
CARDS = (1, 2, 4, 8)
"""Cards in one machine of a fleet: numbers that share out the heads of nearly every model."""


@dataclass(frozen=True, slots=True)
class FleetCandidates:
    """grid: cells of all shares, their price a month of the whole fleet [JPY]; share: people that a replica of each cell

    serves at once; replicas: that it needs; most: requests that as many replicas as there may be bear [1/s].
    """

    grid: SweepResult
    share: Array
    replicas: Array
    most: float = 0.0


def sweep_fleets(asked: FleetRequest, columns: ModelTable, *, any_: bool = False) -> FleetCandidates:
    """Every fleet that serves them within the budget. any_: the first share that has one is enough."""
    question, exchange = asked.question, exchange_rates(dict(asked.question.rates))
    offers = offered(asked, exchange)
    places = np.array(tested(question, columns), np.int64)
    parts: list[CandidateColumns] = []
    shares: list[Array] = []
    counts: list[Array] = []
    grid: SweepResult | None = None
    most = 0.0
    for share, least in ladder(asked):
        some = [i for i, o in enumerate(offers) if _within(asked, o, least, exchange)]
        if not some or _beyond(asked, share, sum(len(p) for p in parts)):
            continue
        one = replace(question, users=share, arrivals=None)
        grid = sweep(one, columns, [offers[i] for i in some], places, reduce=True)
        cells = replace(grid.cells, offer=np.array(some, np.int64)[grid.cells.offer])
        cells, replicas, bears = _needed(asked, one, replace(grid, cells=cells, offers=offers), least)
        most = max(most, bears)
        places = _hopeful(question, replace(grid, cells=cells, offers=offers), places)
        parts.append(cells)
        shares.append(np.full(len(cells), share))
        counts.append(replicas)
        if any_ and len(cells):
            break
    if grid is None:
        grid = sweep(question, columns, (), places, reduce=True)
    whole = replace(grid, cells=concatenate(parts), offers=offers)
    empty = np.zeros(0, np.int64)
    return FleetCandidates(whole, np.concatenate([empty, *shares]), np.concatenate([empty, *counts]), most)


def _beyond(asked: FleetRequest, share: int, found: int) -> bool:
    """True for more slots than one replica needs for everyone at the slowest pace that one bears, if something was found."""
    rate = asked.question.arrivals
    if rate is None or not found:
        return False
    workload = asked.question.workload
    wanted = slots_for_rate(rate, replace(workload, target_tps=MIN_SPEED_SHARE * workload.target_tps))
    return share > next((n for n in SLOTS if n >= wanted), SLOTS[-1])


def _hopeful(question: PlanRequest, grid: SweepResult, places: Array) -> Array:
    """Models that are not so much worse than one which was found that no role would take them."""
    if not len(grid.cells):
        return places
    r = rank_candidates(question, grid)
    easy = r.eligible[r.meets_target_speed[r.eligible]]
    if not len(easy):
        return places
    floor = float(np.max(grid.cells.quality_lower[easy])) - CHEAPEST_WITHIN_POINTS
    score = 2 * SCORES.index(question.workload.quality_metric)
    top = [max(m.scores[score] - m.scores[score + 1] for m in grid.columns.models[i].modes) for i in places.tolist()]
    return places[np.array(top) >= floor]


def offered(asked: FleetRequest, exchange: ExchangeRates) -> tuple[HardwareOption, ...]:
    """Machines that may be bought, or the one that was named, with its price.

    Without a machine and a budget everything with a price is offered, never this computer.
    """
    question = asked.question
    if question.device is None and question.memory is None:
        buyable = market.priced_machines(question) if question.budget is None else market.buyable_machines(question)[0]
        return tuple(o for o in buyable if o.count in CARDS)
    one = market.owned_machine(question)
    if asked.price is not None:
        price: float | None = costs.yen(asked.price, exchange)
        return (replace(one, price=price, owned=False),)
    known = next((o for o in market.all_machines(question) if _alike(one, o)), None)
    return (replace(one, price=known.price if known else None, seen=known.seen if known else None, owned=False),)


def _alike(one: HardwareOption, other: HardwareOption) -> bool:
    """True if a machine of the catalogue is the one that was named: as many of the same device, or the same computer."""
    if one.count != other.count or not one.machine.gpus:
        return False
    ours, theirs = one.machine.gpus[0], other.machine.gpus[0]
    same = ours.name == theirs.name or (ours.kind == "unified" and theirs.name.startswith(one.machine.name))
    return same and other.price is not None and abs((ours.memory or 0) - (theirs.memory or 0)) < 2**30


def tested(question: PlanRequest, columns: ModelTable) -> list[int]:
    """Models that may be asked for, without those that nobody tested if there are others: they would not be proposed."""
    places = select_models(question, columns)[0]
    known = [i for i in places if any(m.basis != "assumed" and not m.kind for m in columns.models[i].modes)]
    return known or places


def ladder(asked: FleetRequest) -> list[tuple[int, int]]:
    """Shares that are tried, each with the fewest replicas that it may need; the smallest, which the best models hold, first."""
    question = asked.question
    if question.arrivals is None:
        counts = [n for n in LADDER if n <= min(asked.replicas, question.users)]
        shares: dict[int, int] = {}
        for count in counts:
            shares.setdefault(-(-question.users // count), count)
        return sorted(shares.items())
    least = question.users if "users" in asked.said else 1
    return [(n, -(-least // n)) for n in SLOTS]


def _within(asked: FleetRequest, offer: HardwareOption, replicas: int, exchange: ExchangeRates) -> bool:
    """True if so many of an offer are within the budget and the replicas allowed."""
    budget = asked.budget
    if replicas > asked.replicas:
        return False
    if budget is None:
        return True
    return offer.price is not None and offer.price * (replicas + asked.spare) <= costs.yen(budget, exchange)


def _needed(
    asked: FleetRequest, one: PlanRequest, grid: SweepResult, least: int
) -> tuple[CandidateColumns, Array, float]:
    """Cells that serve them, with what a month of their fleet costs; the replicas of each; the most that any bear [1/s]."""
    cells, rate = grid.cells, asked.question.arrivals
    busy: Array = np.ones(len(cells))
    replicas = np.where(np.isfinite(cells.tokens_per_s), least, asked.replicas + 1)
    most = 0.0
    if rate is not None:
        prefill, work = sustainable_rate.solo_times(one, grid)
        bears = np.nan_to_num(queue.sustainable_rate(prefill, work, one.users))
        found = np.ceil(rate / np.maximum(bears, 1e-12) - 1e-9)
        replicas = np.maximum(least, np.minimum(found, asked.replicas + 1)).astype(np.int64)
        prompts = np.clip(rate / replicas * prefill, 0, 0.99)
        busy = 1 - (1 - prompts) * np.exp(-np.clip(rate / replicas * work / (1 - prompts), 0, 100))
        most = float(np.max(bears * _most(asked, grid), initial=0.0))
    price = _monthly(asked, grid, replicas, np.clip(np.nan_to_num(busy, nan=1.0), 0, 1))
    keep = np.flatnonzero(replicas <= _most(asked, grid))
    return replace(cells, price=price).take(keep), replicas[keep], most


def _column(grid: SweepResult, figures: Sequence[float | None]) -> Array:
    """A figure of the offers, for each cell; infinite where it is not known."""
    every = np.array([np.inf if f is None else f for f in figures], float)
    return every[grid.cells.offer] if len(every) else np.zeros(len(grid.cells))


def _most(asked: FleetRequest, grid: SweepResult) -> Array:
    """Replicas of each cell that the budget buys beside the spares, at most those that there may be."""
    if asked.budget is None:
        return np.full(len(grid.cells), asked.replicas)
    price = np.maximum(1e-9, _column(grid, [o.price for o in grid.offers]))
    money = costs.yen(asked.budget, exchange_rates(dict(asked.question.rates)))
    return np.clip(np.floor(money / price * (1 + 1e-12)) - asked.spare, 0, asked.replicas)


def _monthly(asked: FleetRequest, grid: SweepResult, replicas: Array, busy: Array) -> Array:
    """What a month of each cell's fleet costs, for the order. [JPY] An unknown power counts as none; a price that is not

    known as infinite, or as any one where none is known: there is one kind of machine then, and fewer cost less.
    """
    known = any(o.price is not None for o in grid.offers)
    price = _column(grid, [o.price if known else 1e6 for o in grid.offers])
    devices = _column(grid, [o.power or 0.0 for o in grid.offers])
    beside = _column(grid, [costs.chassis_watts(o) for o in grid.offers])
    tariff = costs.yen(asked.terms.tariff, exchange_rates(dict(asked.question.rates)))
    _, power, _ = costs.monthly(0.0, devices, beside, replicas, asked.spare, busy, asked.terms, tariff)
    factor = 1 / asked.terms.months + asked.terms.upkeep / 100 / 12
    return price * (replicas + asked.spare) * factor + power
