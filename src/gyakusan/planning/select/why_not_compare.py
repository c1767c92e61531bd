"""How a plan stands against a row of the answer, by the figures that the table shows: beaten, tied, or behind in one of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gyakusan.message import Listed, Message, duration, say
from gyakusan.planning.request.money import Money
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.plan_difference import P_BETTER_MIN, PlanDifference, plan_difference
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.shown_plans import ShownFigures, is_beaten, shown_figures
from gyakusan.planning.select.why_not_reason import Figure, Reason

Known = tuple[float, float]


def _log_ratio(mine: float, its: float) -> float:
    return math.log2(max(its, 0.05) / max(mine, 0.05))


LEADS: Mapping[Figure, Callable[[float, float], float]] = {
    "quality": lambda mine, its: (its - mine) / 10,
    "answer": _log_ratio,
    "speed": _log_ratio,
    "ttft": lambda mine, its: _log_ratio(its, mine),
    "price": lambda mine, its: _log_ratio(its, mine),
    "spare": lambda mine, its: _log_ratio(mine + 1, its + 1),
}
"""Figure -> how far the other plan is ahead: 1 = ten points, twice as fast, half the wait or the price. In the order of rows."""

MINOR: Mapping[Figure, int] = {"ttft": 1, "spare": 2}
"""Figures that decide only where quality, speed and price do not."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A plan and a row of the answer, figure by figure.

    mine: figures of the plan
    its: figures of the row
    leads: figure -> how far the row is ahead; those that both have
    """

    mine: ShownFigures
    its: ShownFigures
    leads: Mapping[Figure, float]

    @property
    def ahead(self) -> tuple[Figure, ...]:
        """The figures in which the row is ahead, what people choose by first, then the clearest."""
        return tuple(
            sorted((f for f in self.leads if self.leads[f] > 0), key=lambda f: (MINOR.get(f, 0), -self.leads[f]))
        )

    @property
    def behind(self) -> tuple[Figure, ...]:
        """The figures in which the row is behind, what people choose by first, then the clearest."""
        return tuple(
            sorted((f for f in self.leads if self.leads[f] < 0), key=lambda f: (MINOR.get(f, 0), self.leads[f]))
        )

    def pair(self, figure: Figure) -> Known:
        """Return both numbers of a figure that both have."""
        return float(getattr(self.mine, figure)), float(getattr(self.its, figure))


def standing(answer: Recommendation, plan: Plan, rival: Plan) -> Standing:
    """Return how a plan stands against a row. What is owned costs nothing, and memory to spare counts in its place."""
    a, b = shown_figures(plan), shown_figures(rival)
    unused: Figure = "price" if answer.request.owned else "spare"
    known = {f: (getattr(a, f), getattr(b, f)) for f in LEADS if f != unused}
    leads = {f: LEADS[f](x, y) for f, (x, y) in known.items() if x is not None and y is not None}
    if "answer" in leads:  # one figure of speed: that of the answer, which is "speed" where neither thinks
        del leads["answer" if a.answer == a.speed and b.answer == b.speed else "speed"]
    return Standing(a, b, leads)


def compare(answer: Recommendation, plan: Plan, name: Message) -> Reason:
    """Return why a plan that keeps every limit has no row: another beats it in all, or plan 1 is preferred."""
    owned = answer.request.owned
    number = next((n for n, p in enumerate(answer.plans, 1) if is_beaten(plan, p, answer.request)), 0)
    if not number:
        return behind(answer, plan, name, 1)
    both = standing(answer, plan, answer.plans[number - 1])
    figure = both.ahead[0]
    has, wants = both.pair(figure)
    facts = {"name": name, "n": number, "figures": Listed(tuple(_pairs(answer, both)))}
    sentence = say(
        "Plan {n} is as good as {name} or better in quality, speed of the answer and price: {figures}.", **facts
    )
    if owned:
        sentence = say(
            "Plan {n} is as good as {name} or better in quality, speed of the answer and memory to spare: {figures}.",
            **facts,
        )
    return Reason("beaten", sentence, figure, has, wants, number)


def behind(answer: Recommendation, plan: Plan, name: Message, number: int, *, shown: int = 0) -> Reason:
    """Return how a plan stands against a row that comes before it. shown: its own number in the answer, 0 = it has none."""
    rival = answer.plans[number - 1]
    both = standing(answer, plan, rival)
    gap = plan_difference(rival, plan, answer.request.workload.quality_metric)
    tied = 1 - P_BETTER_MIN < gap.p_better < P_BETTER_MIN
    figure, how = _how(answer, both, gap, (plan, rival), tied=tied)
    has, wants = both.pair(figure) if figure else (None, None)
    facts = {"name": name, "n": number, "how": how}
    if shown:
        sentence = say("{name} is plan {own}, not plan {n}: {how}.", own=shown, **facts)
        return Reason("shown", sentence, figure, has, wants, number)
    if tied and not figure:
        return Reason("tied", say("{name} is tied with plan {n}: {how}.", **facts), "", has, wants, number)
    return Reason(
        "tied" if tied else "behind", say("{name} is behind plan {n}: {how}.", **facts), figure, has, wants, number
    )


def _how(
    answer: Recommendation, both: Standing, gap: PlanDifference, plans: tuple[Plan, Plan], *, tied: bool
) -> tuple[Figure, Message]:
    """Return the figure that decides against a plan, and how it stands in words."""
    mine, first = (f"{float(p.score.value):.0f} ±{float(p.score.error):.0f}" for p in plans)
    facts = {"points": f"{abs(float(gap.quality_gap.value)):.0f} ±{float(gap.quality_gap.error):.0f}"}
    facts |= {"mine": mine, "first": first}
    others = [f for f in both.ahead if f != "quality"]
    if tied:
        if others:
            worse = _worse(answer, both, others[0])
            return others[0], say(
                "equal in quality within the error ({mine}, {first}), but {worse}", worse=worse, **facts
            )
        if "quality" in both.ahead:
            return "quality", say(
                "equal in quality within the error, but with the lower figure ({mine}, {first})", **facts
            )
        if plans[1].score.error < plans[0].score.error:
            return "", say("equal in quality within the error ({mine}, {first}), and the other score is surer", **facts)
        return "", say("equal in quality within the error ({mine}, {first}), and one of the two is shown", **facts)
    if float(gap.quality_gap.value) > 0:
        if others:
            return others[0], say("{points} points better, but {worse}", worse=_worse(answer, both, others[0]), **facts)
        return "", say("{points} points better ({mine}, {first}), and no slower", **facts)
    better = next((f for f in both.behind if f != "quality"), None)
    if better is None:
        return "quality", say("{points} points worse ({mine}, {first})", **facts)
    gain = _better(answer, both, better)
    return "quality", say("{points} points worse ({mine}, {first}), though {better}", better=gain, **facts)


def _numbers(answer: Recommendation, both: Standing, figure: Figure) -> dict[str, object]:
    mine, its = both.pair(figure)
    if figure == "price":
        return {"mine": _money(answer, mine), "its": _money(answer, its)}
    if figure == "ttft":
        return {"mine": duration(mine), "its": duration(its)}
    return {"mine": short(mine), "its": short(its)}


def _money(answer: Recommendation, yen: float) -> Message:
    currency = answer.request.paid_in
    amount = answer.rates.convert(yen, "JPY", currency)
    return Money(yen, "JPY").text if amount is None else Money(amount, currency).text


def _worse(answer: Recommendation, both: Standing, figure: Figure) -> Message:
    """Return in words that a plan has less of a figure than the row."""
    facts = _numbers(answer, both, figure)
    match figure:
        case "answer":
            return say("slower ({mine} against {its} tokens/s of answer)", **facts)
        case "ttft":
            return say("later with the first token ({mine} against {its})", **facts)
        case "price":
            return say("dearer ({mine} against {its})", **facts)
        case "spare":
            return say("with less to spare ({mine} against {its} GiB)", **facts)
        case _:
            return say("slower ({mine} against {its} tokens/s)", **facts)


def _better(answer: Recommendation, both: Standing, figure: Figure) -> Message:
    """Return in words that a plan has more of a figure than the row."""
    facts = _numbers(answer, both, figure)
    match figure:
        case "answer":
            return say("faster ({mine} against {its} tokens/s of answer)", **facts)
        case "ttft":
            return say("earlier with the first token ({mine} against {its})", **facts)
        case "price":
            return say("cheaper ({mine} against {its})", **facts)
        case "spare":
            return say("with more to spare ({mine} against {its} GiB)", **facts)
        case _:
            return say("faster ({mine} against {its} tokens/s)", **facts)


ALWAYS: Sequence[Figure] = ("quality", "answer", "speed", "price")
"""Figures that are said of a plan that is beaten even where they are equal."""


def _pairs(answer: Recommendation, both: Standing) -> Iterator[Message]:
    """Yield both numbers of each figure that is said of a plan that is beaten."""
    for figure, lead in both.leads.items():
        if lead <= 0 and figure not in ALWAYS:
            continue
        if figure == "price" and lead == 0:
            yield say("the same price")
        else:
            yield _pair(figure, _numbers(answer, both, figure))


def _pair(figure: Figure, facts: Mapping[str, object]) -> Message:
    match figure:
        case "quality":
            return say("quality {mine} against {its}", **facts)
        case "answer":
            return say("{mine} against {its} tokens/s of answer", **facts)
        case "speed":
            return say("{mine} against {its} tokens/s", **facts)
        case "ttft":
            return say("first token after {mine} against {its}", **facts)
        case "spare":
            return say("{mine} against {its} GiB to spare", **facts)
        case _:
            return say("{mine} against {its}", **facts)


def short(value: float) -> str:
    """Return a figure as a table prints it: whole from 10 on, else with one decimal."""
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"
