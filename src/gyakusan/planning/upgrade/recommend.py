"""What to buy next for a machine that is owned: every purchase with its gain over today and its price."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from msgspec import structs

from gyakusan.core.arrays import IntArray
from gyakusan.engines.registry import engine, usual_engines
from gyakusan.errors import BadQuantity, BadSetting
from gyakusan.message import quoted
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
from gyakusan.planning.select.plan import Plan, confirm_candidate, confirm_surely
from gyakusan.planning.select.plan_capacity import capacity_of
from gyakusan.planning.select.plan_difference import is_real_gain, plan_difference
from gyakusan.planning.select.ranking import WEIGHTS, RankingScores, rank_candidates, ranked_for_role
from gyakusan.planning.select.recommend import MAX_TRIES, first_confirmed, text_model_name
from gyakusan.planning.upgrade.labels import shown_options
from gyakusan.planning.upgrade.option import UpgradeOption, gain_for_money
from gyakusan.planning.upgrade.purchase_options import PurchaseOption, purchase_options

MAX_TRIED = 8
"""Options beside the best that are checked for an answer."""


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """What a person wants to improve, and for how much.

    question: about the machine that is owned
    budget: for what is bought, None = no limit
    resale: what the old machine brings where it is replaced, None = 0
    """

    question: PlanRequest
    budget: Money | None = None
    resale: Money | None = None


@dataclass(frozen=True, slots=True)
class UpgradeAnswer:
    """What to buy next, or that nothing is worth it.

    wanted: the request that was answered
    owned: the machine of today
    now: today's plan, None if nothing fits
    limits: largest context and number of users of today's plan
    steps: what to buy, options with a role first
    nearest: the cheapest real gain beyond the budget, where there is none within it
    tried: options within the budget
    every: options with a known price
    rates: exchange rates that were used
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
        return not self.steps


def parse_upgrade_request(values: Mapping[str, Any]) -> UpgradeRequest:
    """Return the request that keys and values describe: those of a plan, and budget and resale. Raises GyakusanError."""
    rest = {k: v for k, v in values.items() if k not in ("budget", "resale")}
    question, budget, resale = parse_request(rest), _money(values.get("budget")), _money(values.get("resale"))
    if question.colocated:
        raise BadSetting("An upgrade is planned for one model.", mend="Leave out --also.")
    paid = budget or resale
    if question.currency is None and paid is not None:
        question = structs.replace(question, currency=paid.currency)
    return UpgradeRequest(question, budget, resale)


def _money(value: Any) -> Money | None:
    if value is None or isinstance(value, Money):
        return value
    if not isinstance(value, str):
        raise BadQuantity("{text} has no currency.", text=quoted(value, 40), mend="Write e.g. 1000000JPY or 3000USD.")
    return money.parse_money(value)


@dataclass(slots=True)
class _Trial:
    """An option with its candidates from the sweep.

    indices: of its best candidates, best first
    gains: of each candidate [points]
    confirmed: once it was checked, None if no candidate is confirmed
    """

    option: PurchaseOption
    sweep_result: SweepResult
    indices: Sequence[int]
    gains: Sequence[float]
    gain: float
    confirmed: UpgradeOption | None = None
    done: bool = field(default=False)


def upgrade(request: UpgradeRequest, *, columns: ModelTable | None = None) -> UpgradeAnswer:
    """Return what to buy next, and whether to buy at all. Raises GyakusanError.

    columns: models instead of the catalogue's
    """
    known, exchange = columns or catalogue.load(), exchange_rates(dict(request.question.rates))
    question = request.question
    if question.model is not None and question.model not in known.places:
        question = structs.replace(question, model=text_model_name(question.model))
    owned = market.owned_machine(question)
    models = np.array(select_models(question, known)[0], np.int64)
    today, utility = _today(question, known, owned, models)
    every = purchase_options(question, owned, _yen(request.resale, exchange) or 0.0, exchange)
    trials = _trials(question, known, every, models, utility)
    budget = _yen(request.budget, exchange)
    within = [t for t in trials if budget is None or t.option.net <= budget]

    def check(trial: _Trial) -> UpgradeOption | None:
        return _checked(question, today, trial)

    steps = _ranked(within, check)
    limits = None if today is None else capacity_of(today).limits
    told = tuple(replace(s, limits=capacity_of(s.plan).limits) for s in steps)
    beyond = [t for t in trials if t.option.net > (budget or 0.0)]
    near = None if steps or budget is None else _first(_by_price(beyond), check)
    fits = sum(budget is None or o.net <= budget for o in every)
    return UpgradeAnswer(
        replace(request, question=question), owned, today, limits, told, near, fits, len(every), exchange
    )


def _yen(amount: Money | None, exchange: ExchangeRates) -> float | None:
    return None if amount is None else exchange.convert(amount.amount, amount.currency, "JPY")


def _today(
    question: PlanRequest, known: ModelTable, owned: HardwareOption, models: IntArray
) -> tuple[Plan | None, float]:
    """Return today's balanced plan and its utility; None and 0 where nothing fits."""
    grid = sweep(question, known, (owned,), models, reduce=False, alone=True)
    if not len(grid.cells):
        return None, 0.0
    r = rank_candidates(question, grid)
    index, plan = None, None
    for confirm in (confirm_surely, confirm_candidate):  # what may not fit counts only where nothing surely does
        confirmed: dict[int, Plan | None] = {}
        ranked = ranked_for_role("balanced", r, question)
        index = first_confirmed(ranked, partial(confirm, question, grid), confirmed)
        if index is not None:
            plan = confirmed[index]
            break
    return (
        (None, 0.0)
        if index is None or plan is None
        else (structs.replace(plan, roles=("balanced",)), float(r.utility[index]))
    )


def _trials(
    question: PlanRequest, known: ModelTable, every: Sequence[PurchaseOption], models: IntArray, utility: float
) -> tuple[_Trial, ...]:
    """Return every option on which something fits; unlike cards only with engines that split a model between them."""
    plain = [o for o in every if o.sweep_machine is o.offer.machine]
    mixed = [o for o in every if o.sweep_machine is not o.offer.machine]
    found = _on_grid(question, known, plain, models, utility)
    able = tuple(name for name in question.engines or usual_engines() if engine(name).MIXED_GPUS)
    if mixed and able:
        found += _on_grid(structs.replace(question, engines=able), known, mixed, models, utility)
    return tuple(found)


def _on_grid(
    question: PlanRequest, known: ModelTable, every: Sequence[PurchaseOption], models: IntArray, utility: float
) -> list[_Trial]:
    guessed = [structs.replace(o.offer, machine=o.sweep_machine) for o in every]
    grid = sweep(question, known, guessed, models, reduce=True, alone=True)
    free = structs.replace(
        grid.cells, price=np.zeros(len(grid.cells))
    )  # what is gained; the price is set against it later
    grid = structs.replace(grid, cells=free, offers=tuple(o.offer for o in every))
    scale, found = 10.0 / WEIGHTS[question.prefer][0], []
    for number, option in enumerate(every):
        cells = free.take(np.flatnonzero(free.offer == number))
        if not len(cells):
            continue
        mine = structs.replace(grid, cells=cells)
        r: RankingScores = rank_candidates(question, mine)
        places = list(islice(ranked_for_role("balanced", r, question), MAX_TRIES))
        gained = [float((r.utility[i] - utility) * scale) for i in places]
        if places:
            found.append(_Trial(option, mine, places, gained, gained[0]))
    return found


def _checked(question: PlanRequest, today: Plan | None, trial: _Trial) -> UpgradeOption | None:
    """Return the first candidate that the engine's ledger confirms on the real cards, None if there is none."""
    if trial.done:
        return trial.confirmed
    trial.done = True
    for place, gain in zip(trial.indices, trial.gains, strict=True):
        plan = confirm_surely(question, trial.sweep_result, place)
        if plan is not None:
            plan = structs.replace(plan, roles=("balanced",))
            found = None if today is None else plan_difference(today, plan, question.workload.quality_metric)
            real = gain > 0 and is_real_gain(question, today, plan)
            trial.confirmed = UpgradeOption(trial.option, plan, gain, found, real)
            break
    return trial.confirmed


Check = Callable[[_Trial], UpgradeOption | None]


def _ranked(within: Sequence[_Trial], check: Check) -> tuple[UpgradeOption, ...]:
    """Return the purchases to show. Gains are upper bounds until they are checked."""
    hopeful = [t for t in within if t.gain > 0]
    best = (
        _first(_by_price(hopeful), check),
        _most(hopeful, check, gain_for_money),
        _most(hopeful, check, lambda gain, _: gain),
    )
    found = {id(step.option): step for step in best if step is not None}
    rest = sorted(hopeful, key=lambda t: (-gain_for_money(t.gain, t.option), t.option.net))
    for trial in rest[:MAX_TRIED]:
        step = check(trial)
        if step is not None and step.real:
            found.setdefault(id(step.option), step)
    return shown_options(tuple(found.values()))


def _by_price(trials: Iterable[_Trial]) -> list[_Trial]:
    return sorted(trials, key=lambda t: (t.option.net, -t.gain))


def _first(trials: Iterable[_Trial], check: Check) -> UpgradeOption | None:
    """Return the first that is a real gain."""
    return next((s for t in trials if t.gain > 0 and (s := check(t)) is not None and s.real), None)


def _most(
    trials: Sequence[_Trial], check: Check, figure: Callable[[float, PurchaseOption], float]
) -> UpgradeOption | None:
    """Return the real gain with the highest figure, the cheaper one of equals.

    figure: of a gain and an option. A trial's gain is an upper bound until it is checked, so that few are checked.
    """
    best: UpgradeOption | None = None
    highest = float("-inf")
    for trial in sorted(trials, key=lambda t: (-figure(t.gain, t.option), t.option.net)):
        if best is not None and figure(trial.gain, trial.option) <= highest:
            break
        option = check(trial)
        if option is not None and option.real and (best is None or figure(option.gain, option.option) > highest):
            best, highest = option, figure(option.gain, option.option)
    return best
