"""The line that says how a bench gets on."""

from __future__ import annotations

from collections.abc import Sequence

from gyakusan.load_testing.drive import StepRun
from gyakusan.load_testing.workload import Step
from gyakusan.message import Message, people, say
from gyakusan.show.bench_figures import seconds_words, short_words, speed_words


def progress(run: StepRun, now: float, limit: float | None, of: Sequence[Step] = ()) -> Message:
    """Return the line that is replaced while a load is kept up.

    now: by the client's clock [s]; limit: of the load, None for none [s]; of: all loads, whose number is said then
    """
    last = [r for r in run.records[-50:] if r.failure is None]
    speeds = sorted(1 / t for r in last if (t := r.tpot))
    firsts = sorted(r.ttft for r in last)
    failed = sum(r.failure is not None for r in run.records)
    each, first = (v[len(v) // 2] if v else None for v in (speeds, firsts))
    title = say("Measuring")
    if run.step in of:
        title = say("Load {i} of {n}", i=of.index(run.step) + 1, n=len(of))
    return _line(title, run.step.users, run.step.rate, max(0.0, now - run.begun), limit, each, first, failed)


def _line(
    title: Message,
    users: int,
    rate: float,
    seconds: float,
    limit: float | None,
    each: float | None,
    first: float | None,
    failed: int,
) -> Message:
    return say(
        "{title}  {who}, {time} | {each} tokens/s each | first {first} s | {failed}",
        title=title,
        who=people(users) if users else say("{rate} requests/min", rate=short_words(60 * rate)),
        time=_time(seconds, limit),
        each="?" if each is None else speed_words(each),
        first="?" if first is None else seconds_words(first),
        failed=say("no error") if not failed else say("{n} failed", n=f"{failed:,}"),
    )


def _time(seconds: float, limit: float | None) -> Message:
    """Return how much of a load's time is over; after it no request is sent, and those under way end."""
    if limit is None:
        return say("{now} s", now=f"{seconds:.0f}")
    if seconds > limit:
        return say("waiting for the last answers, {now} s", now=f"{seconds:.0f}")
    return say("{now} of {all} s", now=f"{seconds:.0f}", all=f"{limit:.0f}")
