"""Plans and fleets as circles of a chart: what stands where, and what is said of each."""

from __future__ import annotations

from collections.abc import Iterator

from gyakusan.core.quality import Score
from gyakusan.message import Message, say
from gyakusan.planning.fleet.recommend import FleetAnswer
from gyakusan.planning.select.listed_plans import plan_list
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.result_rows import CandidateRow, candidate_row, files_are_made
from gyakusan.show import fleet as fleets
from gyakusan.show.amounts import MONTH_HEAD_TEXTS, Amounts
from gyakusan.show.charts.frontier import Spot
from gyakusan.show.plan_words import amounts, machine_title
from gyakusan.show.tree import Words
from gyakusan.show.wording import brief, quality, short
from gyakusan.units import GIB

MOST = 300
"""Circles beside the picks: the best of them, for more hide each other."""
BELOW = 20.0
"""Circles that are farther than this below the last pick are left out: they are fast, and nobody would choose them. [points]"""


def axes(answer: Recommendation) -> tuple[Message, Message]:
    """Return what the chart of an answer has across and upwards."""
    if answer.request.owned:
        return say("memory of the fullest device, GiB"), say("quality, points")
    return say("price, {currency}", currency=Message(amounts(answer).head)), say("quality, points")


def fleet_axes(answer: FleetAnswer) -> tuple[Message, Message]:
    """Return the same for fleets."""
    return Message(MONTH_HEAD_TEXTS[fleets.amounts(answer).currency]), say("quality, points")


def of_plans(answer: Recommendation) -> Iterator[Spot]:
    """Yield the plans with their numbers, then what nothing beats: the best of each model on each machine."""
    seen = set()
    for number, plan in enumerate(answer.plans, 1):
        seen.add((plan.name, plan.offer.machine.name))
        across = _across(answer, float(plan.ledger.tightest.total), plan.offer.price)
        if across is not None:
            yield _pick(answer, plan, number, across)
    left, least = MOST, min((float(p.score.value) for p in answer.plans), default=0.0) - BELOW
    for index in plan_list(answer).rows:
        row = candidate_row(answer, index)
        across = _across(answer, row["total"], row["price_jpy"])
        key = (row["model"], row["machine"])
        if key in seen or across is None or not left or row["quality"] < least:
            continue
        seen.add(key)
        left -= 1
        yield _rest(answer, row, across)


def of_fleets(answer: FleetAnswer) -> Iterator[Spot]:
    """Yield the fleets with their numbers; one without a price has no place."""
    told = fleets.amounts(answer)
    for number, fleet in enumerate(answer.plans, 1):
        plan, total = fleet.plan, fleet.cost.requested.total
        across = None if total is None else told.rates.convert(total, "JPY", told.currency)
        if total is None or across is None:
            continue
        words = _words(plan.name, plan.quantization, fleets.machines(fleet), fleet.user_speed, plan.score)
        cost = say("{plan}, {cost} a month", plan=words, cost=told.words(total))
        yield Spot(plan.name, across, *_points(plan.score), fleet.user_speed, cost, number)


def _across(answer: Recommendation, total: float, yen: float | None) -> float | None:
    """Return where a plan stands: memory in GiB on a machine that is owned, else its price in the asker's currency."""
    if answer.request.owned:
        return total / GIB
    return None if yen is None else answer.rates.convert(yen, "JPY", answer.request.paid_in)


def _pick(answer: Recommendation, plan: Plan, number: int, across: float) -> Spot:
    pace = None if plan.pace is None else plan.pace.decode_each.value
    words = _words(plan.name, plan.quantization, machine_title(plan.offer), pace, plan.score)
    words = _priced(answer, words, plan.offer.price, amounts(answer))
    return Spot(plan.name, across, *_points(plan.score), pace, words, number)


def _rest(answer: Recommendation, row: CandidateRow, across: float) -> Spot:
    score, pace = Score(row["quality"], row["quality_error"]), row["tokens_per_second"]
    words = _words(row["model"], row["quantization"], brief(row["machine"]), pace, score)
    words = _priced(answer, words, row["price_jpy"], amounts(answer))
    words = say("{plan}; its files are made first", plan=words) if files_are_made(row) else words
    return Spot(row["model"], across, *_points(score), pace, words)


def _points(score: Score) -> tuple[float, float]:
    return float(score.value), float(score.error)


def _words(model: str, files: str, machine: Words, pace: float | None, score: Score) -> Message:
    facts = {"model": model, "files": files, "machine": machine, "points": quality(score)}
    return say(
        "{model} {files} on {machine}: {speed} tokens/s, quality {points}",
        speed="?" if pace is None else short(pace),
        **facts,
    )


def _priced(answer: Recommendation, words: Message, yen: float | None, told: Amounts) -> Message:
    """Return the words with the price, where something is bought."""
    return words if answer.request.owned else say("{plan}, {price}", plan=words, price=told.words(yen))
