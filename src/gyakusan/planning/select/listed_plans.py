"""Plans of the whole list: those that nothing beats, numbered behind the plans of the answer."""

from __future__ import annotations

from gyakusan.planning.select.plan import Plan, confirm_candidate
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.result_rows import CandidateRow, candidate_row, pareto_candidates


def listed_rows(answer: Recommendation) -> tuple[CandidateRow, ...]:
    """Return what nothing beats in quality, speed and price, the best model first, and of each model the fastest first.

    The first row has the number behind the last plan of the answer.
    """
    metric = answer.request.workload.quality_metric
    return tuple(candidate_row(answer.grid, i, metric) for i in listed_candidates(answer))


def listed_plan(answer: Recommendation, number: int) -> Plan | None:
    """Return the plan of a number, None where no plan has it.

    number: from 1; behind the plans of the answer come the rows of `listed_rows`
    """
    if 1 <= number <= len(answer.plans):
        return answer.plans[number - 1]
    place, listed = number - len(answer.plans) - 1, listed_candidates(answer)
    if not 0 <= place < len(listed):
        return None
    return confirm_candidate(answer.request, answer.grid, listed[place])


def last_number(answer: Recommendation) -> int:
    """Return the number of the last row of `listed_rows`: numbers from 1 up to it are plans."""
    return len(answer.plans) + len(listed_candidates(answer))


def listed_candidates(answer: Recommendation) -> tuple[int, ...]:
    """Return the candidates of the list; those of one model stand together."""
    found = pareto_candidates(answer)
    order: dict[int, int] = {}
    for i in found:
        order.setdefault(int(answer.grid.models[i]), len(order))
    return tuple(sorted(found, key=lambda i: order[int(answer.grid.models[i])]))
