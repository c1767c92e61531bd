"""From what is owned to what next: every option on one grid, its gain over today, and its price."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from gyakusan.catalog.models import find
from gyakusan.engines.registry import engine, usual_engines
from gyakusan.errors import BadQuantity, BadSetting
from gyakusan.planning.candidates import hardware as market
from gyakusan.planning.candidates import model_table as catalogue
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.evaluate.sweep import sweep
from gyakusan.planning.predict.capacity import Capacity
from gyakusan.planning.request import money
from gyakusan.planning.request.money import ExchangeRates, Money, exchange_rates
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.exclusions import select_models
from gyakusan.planning.select.plan import Plan, confirm_candidate
from gyakusan.planning.select.plan_capacity import capacity_of
from gyakusan.planning.select.plan_difference import PlanDifference, is_real_gain, plan_difference
from gyakusan.planning.select.ranking import WEIGHTS, RankingScores, rank_candidates, ranked_for_role
from gyakusan.planning.select.recommend import MAX_TRIES, first_confirmed
from gyakusan.planning.upgrade.purchase_options import PurchaseOption, purchase_options

STEP = 100_000
"""Gain is told for so much money. [JPY]"""
SHOWN = 8


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """question: about the machine that is owned; budget: for what is bought; resale: what the old one brings if it goes."""

    question: PlanRequest
    budget: Money | None = None
    resale: Money | None = None


@dataclass(frozen=True, slots=True)
class UpgradeOption:
    """One option, tried. gain: in quality, and what the speed is worth by the preference [points]; between: against today,

    None where nothing fits today; real: more than noise; roles: what it is best at; limits: context and users that it
    reaches, of those with a role.
    """

    option: PurchaseOption
    plan: Plan
    gain: float
    between: PlanDifference | None
    real: bool
    limits: Capacity | None = None
    roles: tuple[str, ...] = ()

    @property
    def rate(self) -> float:
        """Gain for each STEP of money. [points] Infinite where it costs nothing."""
        return self.gain * STEP / self.option.net if self.option.net > 0 else float("inf")


@dataclass(frozen=True, slots=True)
class UpgradeAnswer:
    """now: what one has, None if nothing fits; steps: what to buy, the ranked ones first; nearest: where none of these is a

    real gain within the budget, the cheapest one beyond it; tried: options within the budget; every: all with a price.
    """

    wanted: UpgradeRequest
    owned: HardwareOption
    now: Plan | None
    limits: Capacity | None
    steps: tuple[UpgradeOption, ...]
    nearest: UpgradeOption | None
    tried: int
    every: int
    rates: ExchangeRates

    @property
    def keep(self) -> bool:
        """True if nothing within the budget is a real gain."""
        return not any(s.roles for s in self.steps)


def parse_upgrade_request(values: Mapping[str, Any]) -> UpgradeRequest:
    """What a person or a program wrote: a question's keys, and budget and resale. Raises GyakusanError."""
    rest = {k: v for k, v in values.items() if k not in ("budget", "resale")}
    question = parse_request(rest)
    if question.colocated:
        raise BadSetting("An upgrade is planned for one model.", mend="Leave out --also.")
    return UpgradeRequest(question, _money(values.get("budget")), _money(values.get("resale")))


def _money(value: Any) -> Money | None:
    if value is None or isinstance(value, Money):
        return value
    if not isinstance(value, str):
        raise BadQuantity("{text} has no currency.", text=repr(value)[:40], mend="Write e.g. 1000000JPY or 3000USD.")
    return money.parse_money(value)


@dataclass(slots=True)
class _Trial:
    """An option on the grid. places: cells, best first; gain: of the first; step: once it was checked."""

    option: PurchaseOption
    grid: SweepResult
    places: Sequence[int]
    gains: Sequence[float]
    gain: float
    step: UpgradeOption | None = None
    done: bool = field(default=False)


def upgrade(asked: UpgradeRequest, *, columns: ModelTable | None = None) -> UpgradeAnswer:
    """What to buy next, and whether to buy at all. columns: instead of the catalogue's. Raises GyakusanError."""
    known, exchange = columns or catalogue.load(), exchange_rates(dict(asked.question.rates))
    question = asked.question
    if question.model is not None and question.model not in known.places:
        question = replace(question, model=find(question.model).name)
    owned = market.owned_machine(question)
    models = np.array(select_models(question, known)[0], np.int64)
    today, worth = _today(question, known, owned, models)
    every = purchase_options(question, owned, _yen(asked.resale, exchange) or 0.0, exchange)
    trials = _trials(question, known, every, models, worth)
    budget = _yen(asked.budget, exchange)
    within = [t for t in trials if budget is None or t.option.net <= budget]

    def check(trial: _Trial) -> UpgradeOption | None:
        return _checked(question, today, trial)

    steps = _ranked(within, check)
    limits = None if today is None else capacity_of(today).limits
    told = tuple(replace(s, limits=capacity_of(s.plan).limits) if s.roles else s for s in steps)
    beyond = [t for t in trials if t.option.net > (budget or 0.0)]
    near = None if any(s.roles for s in steps) or budget is None else _first(_by_price(beyond), check)
    fits = sum(budget is None or o.net <= budget for o in every)
    return UpgradeAnswer(
        replace(asked, question=question), owned, today, limits, told, near, fits, len(every), exchange
    )


def _yen(amount: Money | None, exchange: ExchangeRates) -> float | None:
    return None if amount is None else exchange.convert(amount.amount, amount.currency, "JPY")


def _today(question: PlanRequest, known: ModelTable, owned: HardwareOption, models: Any) -> tuple[Plan | None, float]:
    """The balanced plan of what one has, and its worth; 0 where nothing fits."""
    grid = sweep(question, known, (owned,), models, reduce=False)
    if not len(grid.cells):
        return None, 0.0
    r = rank_candidates(question, grid)
    confirmed: dict[int, Plan | None] = {}
    ranked = ranked_for_role("balanced", r, question)
    index = first_confirmed(ranked, lambda i: confirm_candidate(question, grid, i), confirmed)
    plan = None if index is None else confirmed[index]
    return (
        (None, 0.0) if index is None or plan is None else (replace(plan, roles=("balanced",)), float(r.utility[index]))
    )


def _trials(
    question: PlanRequest, known: ModelTable, every: Sequence[PurchaseOption], models: Any, worth: float
) -> tuple[_Trial, ...]:
    """Every option on which something fits. Cards that differ are planned only with engines that share a model between them."""
    plain = [o for o in every if o.sweep_machine is o.offer.machine]
    mixed = [o for o in every if o.sweep_machine is not o.offer.machine]
    found = _on_grid(question, known, plain, models, worth)
    able = tuple(name for name in question.engines or usual_engines() if engine(name).MIXED_GPUS)
    if mixed and able:
        found += _on_grid(replace(question, engines=able), known, mixed, models, worth)
    return tuple(found)


def _on_grid(
    question: PlanRequest, known: ModelTable, every: Sequence[PurchaseOption], models: Any, worth: float
) -> list[_Trial]:
    guessed = [replace(o.offer, machine=o.sweep_machine) for o in every]
    grid = sweep(question, known, guessed, models, reduce=True)
    free = replace(grid.cells, price=np.zeros(len(grid.cells)))  # what is gained; the price is set against it later
    grid = replace(grid, cells=free, offers=tuple(o.offer for o in every))
    scale, found = 10.0 / WEIGHTS[question.prefer][0], []
    for number, option in enumerate(every):
        cells = free.take(np.flatnonzero(free.offer == number))
        if not len(cells):
            continue
        mine = replace(grid, cells=cells)
        r: RankingScores = rank_candidates(question, mine)
        places = list(islice(ranked_for_role("balanced", r, question), MAX_TRIES))
        gained = [float((r.utility[i] - worth) * scale) for i in places]
        if places:
            found.append(_Trial(option, mine, places, gained, gained[0]))
    return found


def _checked(question: PlanRequest, today: Plan | None, trial: _Trial) -> UpgradeOption | None:
    """The first cell that the engine's ledger confirms, on the real cards."""
    if trial.done:
        return trial.step
    trial.done = True
    for place, gain in zip(trial.places, trial.gains, strict=True):
        made = confirm_candidate(question, trial.grid, place)
        if made is not None:
            made = replace(made, roles=("balanced",))
            found = None if today is None else plan_difference(today, made, question.workload.quality_metric)
            real = gain > 0 and is_real_gain(question, today, made)
            trial.step = UpgradeOption(trial.option, made, gain, found, real)
            break
    return trial.step


Check = Callable[[_Trial], UpgradeOption | None]


def _ranked(within: Sequence[_Trial], check: Check) -> tuple[UpgradeOption, ...]:
    """The best for each role, then others by gain for the money. Gains are upper bounds until they are checked."""
    hopeful = [t for t in within if t.gain > 0]
    roles = {
        "yen": _most(hopeful, check, lambda s: s.rate),
        "best": _most(hopeful, check, lambda s: s.gain),
        "cheapest": _first(_by_price(hopeful), check),
    }
    found: dict[int, UpgradeOption] = {}
    for role, step in roles.items():
        if step is not None:
            have = found.get(id(step.option), step)
            found[id(step.option)] = replace(have, roles=(*have.roles, role))
    rest = sorted(hopeful, key=lambda t: (-_rate(t), t.option.net))
    for trial in rest[:SHOWN]:
        step = check(trial) if len(found) < SHOWN else None
        if step is not None and step.real:
            found.setdefault(id(step.option), step)
    return tuple(found.values())


def _by_price(trials: Iterable[_Trial]) -> list[_Trial]:
    return sorted(trials, key=lambda t: (t.option.net, -t.gain))


def _first(trials: Iterable[_Trial], check: Check) -> UpgradeOption | None:
    """The first that is a real gain."""
    return next((s for t in trials if t.gain > 0 and (s := check(t)) is not None and s.real), None)


def _most(trials: Sequence[_Trial], check: Check, figure: Callable[[UpgradeOption], float]) -> UpgradeOption | None:
    """The real gain with the highest figure, the cheaper one where two are equal: exact, and few are checked."""
    bound = {id(t): _bound(t, figure) for t in trials}
    best: UpgradeOption | None = None
    for trial in sorted(trials, key=lambda t: (-bound[id(t)], t.option.net)):
        if best is not None and bound[id(trial)] <= figure(best):
            break
        step = check(trial)
        if step is not None and step.real and (best is None or figure(step) > figure(best)):
            best = step
    return best


def _bound(trial: _Trial, figure: Callable[[UpgradeOption], float]) -> float:
    """The figure as if the first cell were confirmed: nothing that is checked later gains more."""
    guess: Any = _Guess(trial.option, trial.gain)
    return figure(guess)


def _rate(trial: _Trial) -> float:
    return _Guess(trial.option, trial.gain).rate


@dataclass(frozen=True, slots=True)
class _Guess:
    """What a Step has before it is checked."""

    option: PurchaseOption
    gain: float

    @property
    def rate(self) -> float:
        """See Step."""
        return self.gain * STEP / self.option.net if self.option.net > 0 else float("inf")
