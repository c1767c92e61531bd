"""Rank candidates for each role: balanced, best, fastest, cheapest, with spare room, another family, smallest.

Quality counts one standard error below its score, but for the best, which is the highest that is shown. Speed and wait count as
the table shows them, so that what is wanted is judged by one figure. Models that nobody tested are ranked only if no tested
model is left. What is balanced and what is cheapest have no limit that moves with the best of the candidates: with more money
the first plan's utility never falls, and the cheapest plan never costs more. Where no candidate keeps the limits of use
(request.pace), those that miss them least come first, whatever they are better at (`nearest_first`). Limits that the person
sets leave candidates out before this, and what is to spare is judged by the ledger after it (`select.recommend`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
from msgspec import Struct, structs

from gyakusan.catalog.thinking import thinking
from gyakusan.core.arrays import BoolArray, FloatArray, IntArray, Number
from gyakusan.core.broadcast import median
from gyakusan.planning.candidates.purchases import kind_of_purchase
from gyakusan.planning.candidates.reasoning_modes import EVIDENCE_TIERS
from gyakusan.planning.evaluate.results import CandidateColumns, SweepResult
from gyakusan.planning.request.pace import MISS_STEP, is_usable, is_wanted, missed_by, speed_points
from gyakusan.planning.request.request import PlanRequest, Prefer

Role = Literal["best", "fastest", "cheapest", "balanced", "room", "other", "smallest"]
ROLES: tuple[Role, ...] = ("balanced", "best", "fastest", "other", "cheapest", "room")
MACHINE_ROLES: tuple[Role, ...] = ("balanced", "smallest", "cheapest", "fastest")
"""Roles of machines for one model: the quality hardly differs, so that "best" says little."""
GOOD_WITHIN_POINTS = 12.0
"""Models at most this far below the best are still good: about 10 percentage points of MMLU-Pro near 75 %. [points]"""
TIE_POINTS = 0.5
"""Two qualities closer than this are equal, and the faster plan is better. [points]"""
ENOUGH_POINTS = 50.0
"""What is recommended or called the cheapest has at least this quality as it is shown, where something has: half of what the
best model of the catalogue has, whatever the budget. Assumed. [points]"""
SHOWN_WHOLE_FROM = 9.95
"""Speeds are shown whole from here on, else with one decimal. [tokens/s]"""
CHEAPEST_WITHIN_POINTS = 25.0
"""Where nothing keeps what "cheapest" promises, the cheapest may be this far below the best. [points]"""
ALIKE_SPEED = 1.2
"""Speeds within this ratio of the highest are alike, and the better of them is called the fastest: the intervals of speed leave
more open. Assumed."""
WEIGHTS: Mapping[Prefer, tuple[float, float, float]] = {
    "balanced": (1.0, 1.0, 1.0),
    "quality": (2.5, 0.5, 0.5),
    "speed": (0.5, 2.0, 0.5),
    "price": (0.7, 0.7, 2.5),
}
"""Preference -> utility of 10 points of quality, of twice the speed, of half the price.

"speed" keeps the balance of quality and price and weighs speed four times as much, so that its first row is never slower.
"""
MUCH_SLOWER = 2.0
"""Files of less loss stand before others that show as many points, unless these answer more than this many times as fast."""
CPU_RAM_BANDWIDTH = 40e9
"""Bandwidth of a plain computer's memory as a model gets it: assumed, two channels of DDR5. [B/s]"""


class RankingScores(Struct, frozen=True):
    """What the roles rank by, one entry for each candidate.

    cells: the candidates
    eligible: indices of the candidates with the best evidence of quality, the only ones that roles may choose
    utility: of quality, speed and price together, by the preference; ten points of quality are one at balanced weights
    meets_target_speed: the pace is what the task wants, see request.pace
    acceptable_speed: the pace is of use, see request.pace
    missed_by: how many times the pace misses what is of use, see request.pace
    good_value: what "cheapest" promises is kept, by the figures that are shown: the wanted speed, ENOUGH_POINTS
    model: index of the model in the table
    memory: of all GPUs of the machine [B]
    purchase_kind: kind of what is bought, see candidates.purchases
    """

    cells: CandidateColumns
    eligible: IntArray
    utility: FloatArray
    meets_target_speed: BoolArray
    acceptable_speed: BoolArray
    missed_by: FloatArray
    good_value: BoolArray
    model: IntArray
    memory: FloatArray
    purchase_kind: IntArray


def rank_candidates(request: PlanRequest, grid: SweepResult) -> RankingScores:
    """Return the scores of every candidate for a request."""
    cells, workload = grid.cells, request.workload
    eligible = np.flatnonzero(cells.tier == np.min(cells.tier, initial=EVIDENCE_TIERS))
    expected = cells.expected_visible_tokens_per_s
    speed = np.where(np.isnan(expected), _guessed_speed(grid, request.task), expected)
    price_doublings = np.log2(np.maximum(_comparable_prices(_whole_prices(grid)), 1.0))
    ttft = np.nan_to_num(cells.ttft, nan=workload.target_ttft)
    wait_doublings = np.log2(np.clip(ttft / workload.target_ttft, 1.0, 64.0))
    by_quality, by_speed, by_price = WEIGHTS[request.prefer]
    utility = (
        by_quality * cells.quality_lower / 10
        + by_speed * (speed_points(workload, request.prefer, speed) - wait_doublings)
        - by_price * price_doublings
    )
    purchase = np.array([kind_of_purchase(request, o) for o in grid.offers], np.int64)
    memory = np.array([sum(g.memory or 0 for g in o.machine.gpus) for o in grid.offers], float)
    return RankingScores(
        cells=cells,
        eligible=eligible,
        utility=utility,
        meets_target_speed=np.asarray(is_wanted(workload, speed, ttft)),
        acceptable_speed=np.asarray(is_usable(request, speed, ttft)),
        missed_by=np.asarray(missed_by(request, speed, ttft)),
        good_value=is_good_value(request, expected, cells.quality),
        model=grid.models,
        memory=memory[cells.offer] if len(memory) else np.zeros(len(cells)),
        purchase_kind=purchase[cells.offer] if len(purchase) else np.zeros(len(cells), np.int64),
    )


def _guessed_speed(grid: SweepResult, task: str) -> FloatArray:
    """Return speeds as if every machine had the bandwidth of RAM, to order machines whose own is not known [tokens/s]."""
    shapes = grid.columns.shapes
    used_share = (np.asarray(shapes.experts_used) / np.asarray(shapes.experts))[grid.models]
    bytes_per_token = grid.of_rows("dense_bytes") + grid.of_rows("expert_bytes") * used_share
    known = grid.columns.models
    pairs = zip(grid.models.tolist(), grid.cells.mode.tolist(), strict=True)
    factors = [thinking(known[i].name, known[i].modes[j].mode, task).factor for i, j in pairs]
    speed: FloatArray = CPU_RAM_BANDWIDTH / np.maximum(1.0, bytes_per_token) / np.array(factors)
    return speed


def is_good_value(request: PlanRequest, answer: Number, quality: Number) -> BoolArray:
    """Return True where shown figures keep what "cheapest" promises at every budget; a speed that is not known does not.

    answer: visible speed [tokens/s]
    quality: [points]
    """
    shown = np.where(np.asarray(answer) >= SHOWN_WHOLE_FROM, np.round(answer), np.round(answer, 1))
    return np.asarray((shown >= request.workload.target_tps) & (np.round(quality) >= ENOUGH_POINTS))


def _whole_prices(grid: SweepResult) -> FloatArray:
    """Return the prices, of cards for a computer of one's own those of the whole computer; infinite = not known [JPY].

    So a budget that pays the computer around them changes no utility, and with more money that of plan 1 never falls.
    """
    offers, prices = grid.offers, grid.cells.price  # of fleets a month's, of upgrades what is left to pay
    if all(o.around is None for o in offers):
        return prices
    whole = np.array([np.nan if o.around is None else o.whole_price for o in offers], float)[grid.cells.offer]
    return np.where(np.isnan(whole), prices, whole)


def _comparable_prices(price: FloatArray) -> FloatArray:
    """Return the prices; one that is not known counts as twice the highest [JPY]."""
    known = price[np.isfinite(price)]
    return np.where(np.isfinite(price), price, 2 * known.max() if len(known) else 1.0)


def nearest_first(scores: RankingScores, places: IntArray) -> Iterator[IntArray]:
    """Yield some candidates in groups: those of acceptable speed alone; without one all, those that miss it least first.

    Misses within one MISS_STEP of the least of a group are alike. What is not finite is farthest.
    """
    acceptable = places[scores.acceptable_speed[places]]
    if len(acceptable):
        yield acceptable
        return
    missed = np.where(np.isfinite(scores.missed_by), scores.missed_by, np.inf)
    while len(places):  # the least is in its group, and inf <= inf, so that every round takes some away
        near = missed[places] <= MISS_STEP * np.min(missed[places])
        yield places[near]
        places = places[~near]


def ranked_for_role(role: Role, scores: RankingScores, request: PlanRequest) -> Iterator[int]:
    """Yield candidates, the best for a role first. Ties: quality, then cheaper, then less memory, then the table's order."""
    if role == "best" and bool(np.isnan(scores.cells.visible_tokens_per_s).all()):
        # No pace is known, so that none is a reason to pass over a higher quality.
        scores = structs.replace(scores, acceptable_speed=np.ones(len(scores.cells), np.bool_))
    for near in nearest_first(scores, scores.eligible):
        yield from _ranked(role, near, scores, request)


def _ranked(role: Role, near: IntArray, scores: RankingScores, request: PlanRequest) -> list[int]:
    """Return the candidates of a group, the best for a role first."""
    cells, pool = scores.cells, _role_pool(role, near, scores, one_model=request.model is not None)
    visible_speed = np.nan_to_num(cells.weighed_tokens_per_s, nan=0.0)
    sort_by: FloatArray = {
        "best": -visible_speed,
        "other": -scores.utility,
        "fastest": -visible_speed,
        "cheapest": cells.price,
        "balanced": -scores.utility,
        "room": -scores.utility,
        "smallest": scores.memory,
    }[role]
    # By the points that are shown: the wider error of a new model is no reason to hide it.
    first = -np.round(cells.quality) if role == "best" else np.zeros(len(cells))
    if role == "balanced" and request.prefer == "quality":  # the best of what has the wanted speed, then the others
        first = np.where(scores.good_value, first - np.round(cells.quality), 1.0)
    if role == "cheapest":  # cards alone cost less because something is missing
        first = -scores.purchase_kind.astype(float)
    keys = (cells.total, cells.price, -cells.quality_lower, sort_by, first)
    ranked = pool[np.lexsort((pool, *(key[pool] for key in keys)))]
    if role == "best":
        ranked = _less_loss_first(ranked, scores)
    elif role == "fastest":
        ranked = _better_of_alike(ranked, visible_speed, cells.quality_lower)
    order: list[int] = ranked.tolist()
    return order


def _better_of_alike(ranked: IntArray, speed: FloatArray, quality: FloatArray) -> IntArray:
    """Return candidates, the fastest first, so that of those whose speed is like the highest the better is first."""
    alike = ALIKE_SPEED * speed[ranked] >= np.max(speed[ranked], initial=0.0)
    order = np.lexsort((np.arange(len(ranked)), np.where(alike, -quality[ranked], 0.0), ~alike))
    return ranked[order]


def _less_loss_first(ranked: IntArray, scores: RankingScores) -> IntArray:
    """Return candidates so that of a model's files with equal points on one machine that with the least loss is first.

    One that is MUCH_SLOWER than the fastest of them, or without room for one more user where the fastest has it, comes after,
    and among these again the least loss first: the fastest may turn out not to fit, and then it is no measure.
    ranked: by points and speed
    """
    kinds = np.unique(np.stack(_file_kinds(scores))[:, ranked], axis=1, return_inverse=True)[1].reshape(-1)
    round_of, left = np.zeros(len(ranked), np.int64), np.arange(len(ranked))
    first = np.full(kinds.max(initial=0) + 1, -1)
    first[kinds[::-1]] = left[::-1]  # kinds stand in the order of their fastest
    place = first[kinds]
    for number in range(len(ranked)):  # each round settles the fastest of every kind that is left
        fastest = np.full(len(first), -1)
        fastest[kinds[left][::-1]] = left[::-1]
        after = _comes_after(scores.cells, ranked[left], ranked[fastest[kinds[left]]])
        round_of[left] = number
        left = left[after]
        if not len(left):
            break
    return ranked[np.lexsort((np.arange(len(ranked)), -_less_loss(scores.cells)[ranked], round_of, place))]


def _file_kinds(scores: RankingScores) -> tuple[FloatArray, ...]:
    """Return what files of equal points of one model on one machine have in common, an entry for each candidate."""
    cells = scores.cells
    return tuple(np.asarray(x, float) for x in (scores.model, cells.offer, cells.mode, np.round(cells.quality)))


def _less_loss(cells: CandidateColumns) -> FloatArray:
    """Return the quality with what a smaller cache counts for; rounded, as a sum of floats has no exact equals [points]."""
    return np.round(cells.quality_lower + cells.error, 6)


def _comes_after(cells: CandidateColumns, places: IntArray, fastest: IntArray | int) -> BoolArray:
    """Return True for files that come after the fastest of their kind, whatever they lose: the only rule for that.

    They are MUCH_SLOWER as speeds are shown, or without room for one more user where the fastest has it.
    """
    speed, roomy = np.nan_to_num(cells.expected_visible_tokens_per_s, nan=0.0), cells.spare_users >= 1
    return np.asarray((MUCH_SLOWER * speed[places] < speed[fastest]) | (roomy[fastest] & ~roomy[places]))


def passed_over_for(scores: RankingScores, index: int) -> int | None:
    """Return the fastest file like a candidate if a better one is passed over for it, see `_comes_after`; else None."""
    cells, every = scores.cells, scores.eligible
    like = every[np.logical_and.reduce([fact[every] == fact[index] for fact in _file_kinds(scores)])]
    fastest = int(like[np.argmax(np.nan_to_num(cells.expected_visible_tokens_per_s[like], nan=0.0))])
    less_loss = _less_loss(cells)
    passed = _comes_after(cells, like, fastest) & (less_loss[like] > less_loss[index])
    return fastest if bool(passed.any()) else None


def _role_pool(role: Role, near: IntArray, scores: RankingScores, *, one_model: bool) -> IntArray:
    """Return the candidates that a role may choose of those that keep the limits of use, or miss them alike.

    All of them for the best, those of ENOUGH_POINTS for the balanced plan, and what keeps its promise for the cheapest, where
    there are some. Others are good: measured from the best at the wanted pace, where there is one, as a slow model does not
    make a fast one bad.
    near: a group of `nearest_first`
    one_model: the model is given, so that its cheapest machine need only be of acceptable speed ("smallest" is asked only then)
    """
    cells = scores.cells
    if role in ("best", "smallest") or (one_model and role == "cheapest"):
        return near
    if role == "balanced":
        enough = near[np.round(cells.quality[near]) >= ENOUGH_POINTS]
        return enough if len(enough) else near
    on_target, kept = near[scores.meets_target_speed[near]], near[scores.good_value[near]]
    if role == "cheapest" and len(kept):
        return kept
    top = float(np.max(cells.quality_lower[on_target if len(on_target) else near]))
    pool = on_target if len(on_target) and role == "fastest" else near
    within = CHEAPEST_WITHIN_POINTS if role == "cheapest" else GOOD_WITHIN_POINTS
    good = pool[cells.quality_lower[pool] >= top - within]
    if not len(good):  # of those on target none is good: the good ones of acceptable speed
        good = near[cells.quality_lower[near] >= top - within]
    if role == "room":
        roomy = good[cells.spare_users[good] >= np.maximum(1, median(cells.spare_users[good]))]
        good = roomy if len(roomy) else good
    return good
