"""Which plans an answer shows, in which order, and what each is called: labels that the table of figures bears out.

A role of the ranking proposes a plan; what the plan is called follows from the figures that are printed. The rules:
row 1 is the recommendation; no row is beaten by another in every figure shown; a model has one row on a machine, and at
most two rows where a machine is bought, the second a quarter cheaper, half as fast again or with the highest quality of all;
the cheapest plan has a row in any case.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal, Protocol, TypeVar

from msgspec import Struct, structs

from gyakusan.catalog.models import find
from gyakusan.catalog.quality_index import RETRAINED
from gyakusan.core.quality import SHARE80
from gyakusan.planning.candidates.purchases import kind_of_purchase
from gyakusan.planning.request.pace import is_usable
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.ranking import ENOUGH_POINTS, SHOWN_WHOLE_FROM, is_good_value
from gyakusan.units import GIB

MAX_ROWS = 6
"""Most plans of an answer."""
CHEAPER_SHARE = 0.75
"""A second machine for the same model costs at most this share of the first one's price, or"""
FASTER_RATIO = 1.5
"""answers at least as many times as fast: more than the intervals of speed leave open."""


class ShownFigures(Struct, frozen=True):
    """The figures of a plan, rounded as a table prints them; None = not known.

    speed: tokens of each user, thinking included [tokens/s]
    answer: tokens of each user's answer, without thinking [tokens/s]
    ttft: time to the first token [s]
    quality: [points]
    spare: memory to spare at the high end of doubt [GiB]
    price: of what is bought [JPY]
    """

    speed: float | None
    answer: float | None
    ttft: float | None
    quality: float
    spare: float | None
    price: float | None


def shown_figures(plan: Plan) -> ShownFigures:
    """Return what a table prints of a plan."""
    pace = plan.pace
    spare = plan.spare
    return ShownFigures(
        speed=None if pace is None else two_digits(pace.decode_each.value),
        answer=None if pace is None else two_digits(pace.decode_each.value / plan.thinking.factor),
        ttft=None if pace is None else two_digits(pace.ttft.value),
        quality=float(round(float(plan.score.value))),
        spare=None if spare is None else math.floor(10 * spare / GIB) / 10,
        price=None if plan.offer.price is None else float(round(plan.offer.price)),
    )


def two_digits(value: float) -> float:
    """Return a figure as it is printed: whole from 10 on, else with one decimal."""
    return float(round(value)) if value >= SHOWN_WHOLE_FROM else round(value, 1)


class Comparable(Protocol):
    """Figures of a row that can be compared with those of another."""

    def beats(self: C, other: C, /) -> bool:
        """Return True if these are at least as good in every figure, and better in one."""
        ...


C = TypeVar("C", bound=Comparable)


def has_better(place: int, figures: Sequence[C]) -> bool:
    """Return True if another row is better than the one at `place`, or the same and earlier."""
    mine = figures[place]
    return any(f.beats(mine) or (f == mine and i < place) for i, f in enumerate(figures) if i != place)


def is_beaten(plan: Plan, other: Plan, request: PlanRequest) -> bool:
    """Return True if `other` is at least as good in every figure shown, and better in one.

    Cards for a computer of one's own beat no complete machine: they cost less because something is missing. Nor do second-hand
    ones that nobody asked for beat new ones. On a machine that is owned memory to spare counts in place of the price.
    Speed is that of the answer: more tokens of thinking are no merit, nor is a wait that is shorter than the task wants.
    """
    if kind_of_purchase(request, other.offer) < kind_of_purchase(request, plan.offer):
        return False
    a, b = _comparable(plan, request), _comparable(other, request)
    pairs = list(zip(a, b, strict=True))
    if any((x is None) != (y is None) for x, y in pairs):
        return False
    known = [(x, y) for x, y in pairs if x is not None and y is not None]
    return all(y >= x for x, y in known) and any(y > x for x, y in known)


def _comparable(plan: Plan, request: PlanRequest) -> tuple[float | None, ...]:
    """Return the figures so that more is better."""
    f = shown_figures(plan)
    last = f.spare if request.owned else _negative(f.price)
    return f.answer, _negative(counted_wait(request, f)), f.quality, last


def counted_wait(request: PlanRequest, figures: ShownFigures) -> float | None:
    """Return the time to the first token as rows are compared by it: no less than the task wants [s]."""
    return None if figures.ttft is None else max(figures.ttft, request.workload.target_ttft)


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


def trained_model(name: str) -> str:
    """Return the model that a checkpoint trained for few bits (QAT) is made of, else the model itself."""
    return find(name).derived_from or name if name.endswith(RETRAINED) else name


def is_repetition(plan: Plan, rows: Sequence[Plan], request: PlanRequest) -> bool:
    """Return True if the rows have this model already, as often as an answer shows it.

    Complete machines, and cards for a computer of one's own, are two ways to have a model: each may show it.
    """
    way = trained_model(plan.name), plan.offer.own_computer
    same = [r for r in rows if (trained_model(r.name), r.offer.own_computer) == way]
    if any(r.offer.machine.name == plan.offer.machine.name for r in same):
        return True
    if not same or request.model is not None:
        return False
    first, second = shown_figures(same[0]), shown_figures(plan)
    if len(same) > 1 or first.price is None or second.price is None:
        return True
    faster = first.answer is not None and second.answer is not None and second.answer >= FASTER_RATIO * first.answer
    best = second.quality > max(shown_figures(r).quality for r in rows)
    return second.price > CHEAPER_SHARE * first.price and not faster and not best


def shown_plans(request: PlanRequest, chosen: Sequence[Plan]) -> tuple[Plan, ...]:
    """Return the rows of an answer with their labels: the recommendation first, the others in the order of their roles.

    chosen: candidates for rows, the recommendation first
    """
    rows: list[Plan] = []
    least = _cheapest(request, chosen)
    for plan in chosen:
        cheapest = plan is least
        if not cheapest and is_repetition(plan, rows, request):
            continue
        if any(is_beaten(plan, r, request) for r in rows):
            continue
        beaten = [r for r in rows if is_beaten(r, plan, request)]
        if rows and rows[0] in beaten:  # what beats the recommendation in everything is the recommendation
            rows[0] = plan
        elif len(rows) - len(beaten) < MAX_ROWS:
            rows.append(plan)
        rows = [r for r in rows if r not in beaten]
    return tuple(labelled(request, _by_role(request, rows)))


def _by_role(request: PlanRequest, rows: Sequence[Plan]) -> list[Plan]:
    """Return the recommendation, then the rows with a role, then those that only add to another.

    A screen that is too short leaves out the last. Beside a first row that is a card alone, the best complete computer is a role.
    """
    complete = next((r for r in rows if rows[0].offer.own_computer and not r.offer.own_computer), None)
    later = [r is not complete and not any(_roles(request, rows, number)) for number, r in enumerate(rows)]
    return [*rows[:1], *(rows[n] for n in sorted(range(1, len(rows)), key=lambda n: later[n]))]


def _cheapest(request: PlanRequest, plans: Sequence[Plan]) -> Plan | None:
    """Return the cheapest of the plans that may be called so, None without one: its row shows no model too often."""
    kept = [] if request.owned else [p for p in plans if may_be_cheapest(request, p) and p.offer.price is not None]
    return min(kept, key=lambda p: (-kind_of_purchase(request, p.offer), p.offer.price or 0.0), default=None)


def labelled(request: PlanRequest, rows: Sequence[Plan]) -> Iterator[Plan]:
    """Yield the rows with the roles that their figures bear out, and with the row of equal quality where they have none."""
    roles = [tuple(_roles(request, rows, number)) for number in range(len(rows))]
    for number, plan in enumerate(rows):
        tied = None if roles[number] else _tied_row(rows, number, roles)
        yield structs.replace(plan, roles=roles[number], tied_with=0 if tied is None else tied + 1)


def _roles(request: PlanRequest, rows: Sequence[Plan], number: int) -> Iterator[str]:
    """Yield the roles of one row."""
    figures = [shown_figures(r) for r in rows]
    if number == 0 and (figures[0].speed is not None or not any(f.speed for f in figures)):
        yield "balanced"
    if len(rows) < 2:
        return
    if leads([f.quality for f in figures], number):
        yield "best"
    if leads([f.answer for f in figures], number):
        yield "fastest"
    if _is_cheapest(request, rows, number):
        yield "cheapest"
    if leads([f.spare for f in figures], number):
        yield "room"
    if request.model is not None and not request.owned:
        memory = [-float(sum(g.memory or 0 for g in r.offer.machine.gpus)) for r in rows]
        if leads(memory, number):
            yield "smallest"


def _is_cheapest(request: PlanRequest, rows: Sequence[Plan], number: int) -> bool:
    """Return True if no row costs less of those that keep what the word promises, the same for every budget.

    A complete computer is compared with such alone: cards cost less because something is missing.
    """
    prices = [_negative(shown_figures(r).price) for r in rows]
    if request.owned or len(set(prices)) == 1:
        return False
    kept = [
        (kind_of_purchase(request, r.offer), p) if p is not None and may_be_cheapest(request, r) else None
        for p, r in zip(prices, rows, strict=True)
    ]
    mine = kept[number]
    return mine is not None and mine == max(k for k in kept if k is not None) and kept.index(mine) == number


def may_be_cheapest(request: PlanRequest, plan: Plan) -> bool:
    """Return True if a plan keeps what the word cheapest promises, see `lacks_for_cheapest`."""
    return not lacks_for_cheapest(request, plan)


def lacks_for_cheapest(request: PlanRequest, plan: Plan) -> Literal["", "room", "speed", "points"]:
    """Return what a plan lacks of what the word cheapest promises: it surely fits, has the wanted speed and enough quality.

    Of a model that was named every plan does that is of use.
    """
    answer = None if plan.pace is None else plan.pace.decode_each.value / plan.thinking.factor
    if request.model is None or not plan.surely_fits:
        return lacks_of_value(request, answer, float(plan.score.value), surely=plan.surely_fits)
    usable = plan.pace is None or bool(is_usable(request, answer or 0.0, plan.pace.ttft.value))
    return "" if usable else "speed"


def lacks_of_value(
    request: PlanRequest, answer: float | None, points: float, *, surely: bool
) -> Literal["", "room", "speed", "points"]:
    """Return what figures lack of what the word cheapest promises of a plan or a fleet.

    answer: speed of what people read, None = not known [tokens/s]
    points: quality [points]
    surely: it fits at the high end of doubt
    """
    if not surely:
        return "room"
    if answer is not None and bool(is_good_value(request, answer, points)):
        return ""
    fast = answer is not None and bool(is_good_value(request, answer, ENOUGH_POINTS))
    return "points" if fast else "speed"


def cheaper_than_cheapest(request: PlanRequest, rows: Sequence[Plan], number: int) -> tuple[frozenset[str], str]:
    """Return what rows lack that cost less than the cheapest, and its kind where some lack nothing but are of a lesser kind.

    kind: "computer" beside cards alone, "new" beside second-hand cards, "" = the cheapest of all kinds
    """
    mine = rows[number]
    price, kind = shown_figures(mine).price, kind_of_purchase(request, mine.offer)
    cheaper = [r for r in rows if price is not None and (shown_figures(r).price or math.inf) < price]
    lesser = [r for r in cheaper if not lacks_for_cheapest(request, r) and kind_of_purchase(request, r.offer) < kind]
    if not lesser:
        return frozenset(lacks_for_cheapest(request, r) for r in cheaper), ""
    lacks = frozenset(lacks_for_cheapest(request, r) for r in cheaper if kind_of_purchase(request, r.offer) == kind)
    return lacks, "new" if mine.offer.own_computer else "computer"


def leads(values: Sequence[float | None], number: int) -> bool:
    """Return True if a value is the largest, and the first of equals; never if all are equal or it is not known."""
    known = [v for v in values if v is not None]
    value = values[number]
    if value is None or value < max(known) or min(known) == max(known):
        return False
    return values.index(value) == number


def _tied_row(rows: Sequence[Plan], number: int, roles: Sequence[tuple[str, ...]]) -> int | None:
    """Return the labelled row whose quality is nearest, if the two are equal within the error, else None."""
    mine = rows[number].score
    labelled_rows = [i for i in range(len(rows)) if roles[i]]
    if not labelled_rows:
        return None
    near = min(labelled_rows, key=lambda i: (abs(float(rows[i].score.value - mine.value)), i))
    gap = abs(float(rows[near].score.value - mine.value))
    error = math.hypot(float(rows[near].score.error), float(mine.error))
    return near if gap <= SHARE80 * error else None


def leads_speed(rows: Sequence[Plan], number: int) -> bool:
    """Return True if no row shows more tokens/s, thinking included."""
    speeds = [shown_figures(r).speed for r in rows]
    mine = speeds[number]
    return mine is not None and all(s is None or s <= mine for s in speeds)
