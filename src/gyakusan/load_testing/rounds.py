"""Loads in turn, several times: a slow minute of the computer touches all of them alike.

Two loads one after the other differed by up to 20 % on a virtual machine of two cores though nothing changed (five runs of
`gyakusan demo`, 2026-11-30). In turn, for a short time each and several times, both see the same minutes, so that what is
learned from one holds for the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gyakusan.load_testing.client import ClientCost
from gyakusan.load_testing.drive import StepRun
from gyakusan.load_testing.result import BenchResult, Figure, StepResult
from gyakusan.load_testing.session import Bench, BenchRequest, Progress
from gyakusan.load_testing.statistics import step_result
from gyakusan.load_testing.workload import Step


def run_in_turn(request: BenchRequest, rounds: int, on_progress: Progress = lambda run, now: None) -> BenchResult:
    """Run all steps several times in turn, and count each step's requests of all rounds together.

    request: its seconds are those of a step in all rounds together. Ctrl-C ends it early, and keeps what was measured.
    Raises ServerError for a server that answers nothing, ValueError for what belongs to one run: a ramp, limits of times, a
    number of requests, LocalScore.
    """
    if request.ramp or request.objectives or request.localscore or request.limits.requests is not None:
        raise ValueError("only loads that last for a time are run in rounds")
    limits = replace(request.limits, seconds=request.limits.seconds / rounds)
    runs: dict[Step, list[StepRun]] = {step: [] for step in request.steps}
    results: list[BenchResult] = []
    for i in range(rounds):
        asked = replace(request, limits=limits, seed=request.seed + i)
        bench = Bench(asked, on_progress, lambda result, run: runs[run.step].append(run))
        results.append(bench.run())
        if results[-1].interrupted:
            break
    steps = tuple(together(some) for some in runs.values() if some)
    return replace(
        results[-1], started=results[0].started, steps=steps, client=_cost([r.client for r in results if r.client])
    )


def _cost(told: Sequence[ClientCost]) -> ClientCost | None:
    """Return what the client cost in all rounds: means weighed by requests, of the latest 1 % the latest."""
    requests = sum(c.requests for c in told)
    if not requests:
        return None
    cpu, late, busy = (sum(getattr(c, name) * c.requests for c in told) / requests for name in ("cpu", "late", "busy"))
    return ClientCost(requests, cpu, late, max(c.late_p99 for c in told), busy)


def together(runs: Sequence[StepRun]) -> StepResult:
    """Return the figures of one load that was run several times: those of all requests, and rates over all the time."""
    each = [step_result(_to_last_answer(run)) for run in runs]
    records = [record for run in runs for record in run.records]
    whole = step_result(replace(runs[0], records=records))  # what it has of one run's time is replaced
    seconds = sum(r.seconds for r in each)
    return replace(
        whole,
        seconds=seconds,
        all=_mean_rate(each),
        request_rate=sum(r.request_rate * r.seconds for r in each) / seconds,
        in_flight=sum(r.in_flight * r.seconds for r in each) / seconds,
    )


def _to_last_answer(run: StepRun) -> StepRun:
    """Return a run that ends with its last answer in time.

    In a short one people who began together wait for their next first token when it ends: 8 people in rounds of 3 s got 86
    tokens/s where 118 were predicted, and 110 when counted so (2026-11-30).
    """
    return replace(run, ended=max((r.end for r in run.records if r.end <= run.ended), default=run.ended))


def _mean_rate(each: Sequence[StepResult]) -> Figure | None:
    """Return everybody's tokens a second over all runs, with the confidence that follows from each of them."""
    told = [(r.all, r.seconds) for r in each if r.all is not None]
    seconds = sum(s for _, s in told)
    if not told:
        return None
    value = sum(f.value * s for f, s in told) / seconds
    if any(f.low is None or f.high is None for f, _ in told):
        return Figure(value)
    half = sum(((f.high - f.low) / 2 * s) ** 2 for f, s in told if f.low is not None and f.high is not None) ** 0.5
    return Figure(value, value - half / seconds, value + half / seconds)
