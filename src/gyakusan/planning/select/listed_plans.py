"""Plans of the whole list: those that nothing beats, numbered behind the plans of the answer."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from gyakusan.core.ledger import Fit
from gyakusan.core.memo import Memo
from gyakusan.planning.select.plan import Plan, confirm_candidate, fit_of
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.result_rows import CandidateRow, candidate_row, pareto_candidates

MAX_ROUNDS = 8
"""Times that what does not hold is left out, and the rest compared anew."""


class PlanList(Struct, frozen=True):
    """Candidates that nothing beats of those that hold by the engine's own ledger.

    rows: their places in the sweep, by falling careful quality, whatever their model: `listed_candidates` has another order
    surely: they fit at the high end of doubt; False where nothing does
    """

    rows: tuple[int, ...]
    surely: bool


_LISTS = Memo[PlanList](maxsize=1)


def plan_list(answer: Recommendation) -> PlanList:
    """Return the list of an answer: worked out once, for numbers, rows and charts are about the same one."""
    return _LISTS.get(answer, "list", lambda: _plan_list(answer))


def listed_candidates(answer: Recommendation) -> tuple[int, ...]:
    """Return the candidates of the list in the order of their numbers: by falling careful quality, each model together.

    A model stands where its best candidate does, and its other candidates follow it, so numbers are not those of
    `PlanList.rows`.
    """
    found, models = plan_list(answer).rows, answer.grid.models
    order: dict[int, int] = {}
    for i in found:
        order.setdefault(int(models[i]), len(order))
    return tuple(sorted(found, key=lambda i: order[int(models[i])]))


def listed_rows(answer: Recommendation) -> tuple[CandidateRow, ...]:
    """Return what nothing beats in quality, speed and price, see `compared_figures`, in the order of `listed_candidates`.

    The first row has the number behind the last plan of the answer.
    """
    return tuple(candidate_row(answer, i) for i in listed_candidates(answer))


def listed_plan(answer: Recommendation, number: int) -> Plan | None:
    """Return the plan of a number, None where no plan has it.

    number: from 1; behind the plans of the answer come the rows of `listed_rows`
    """
    if 1 <= number <= len(answer.plans):
        return answer.plans[number - 1]
    place, listed = number - len(answer.plans) - 1, listed_candidates(answer) if number > 0 else ()
    if not 0 <= place < len(listed):
        return None
    return confirm_candidate(answer.request, answer.grid, listed[place])


def last_number(answer: Recommendation) -> int:
    """Return the number of the last row of `listed_rows`: numbers from 1 up to it are plans."""
    return len(answer.plans) + len(listed_candidates(answer))


def _plan_list(answer: Recommendation) -> PlanList:
    fits: dict[int, Fit] = {}
    found = _unbeaten(answer, fits, {"fits"})
    surely = bool(found)
    if not surely:  # then the plans of the answer may not fit either
        found = _unbeaten(answer, fits, {"fits", "unsure"})
    return PlanList(found, surely)


def _unbeaten(answer: Recommendation, fits: dict[int, Fit], wanted: Collection[Fit]) -> tuple[int, ...]:
    """Return the candidates that nothing beats of those that fit as `wanted`, best first.

    fits: what is known of candidates; new ones are added
    """
    found: tuple[int, ...] = ()
    for _ in range(MAX_ROUNDS):
        found = pareto_candidates(answer, [i for i, fit in fits.items() if fit not in wanted])
        fresh = [i for i in found if i not in fits]
        if not fresh:
            return found
        fits |= {i: fit_of(answer.request, answer.grid, i) for i in fresh}
    return tuple(i for i in found if fits[i] in wanted)
