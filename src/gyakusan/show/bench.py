"""A bench on the terminal: what people get at each load, and what was predicted beside what was seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path

from gyakusan.doors.shell import shell_words
from gyakusan.load_testing import ramp
from gyakusan.load_testing.failures import failure_mend, failure_message
from gyakusan.load_testing.result import BenchResult, Cause, Comparison, Distribution, Figure, StepResult, compared_rows
from gyakusan.load_testing.store import KeptBench
from gyakusan.message import Listed, Message, duration, in_minutes, people, say
from gyakusan.show.bench_figures import seconds_words, short_words, speed_words
from gyakusan.show.tree import (
    Cell,
    Column,
    Next,
    Pause,
    Question,
    Section,
    Table,
    Text,
    Title,
    Tone,
    Tree,
    Verdict,
    Words,
    whole,
)
from gyakusan.units import GIB, MIB

QUANTITY_TEXTS = {
    "decode": "answer tokens/s, {people}",
    "prefill": "prompt tokens/s",
    "ttft": "first token, {people}, s",
    "throughput": "tokens/s of all, {people}",
}
CAUSE_TEXTS = {
    "slots": "the server answers {limit} people at once, and {seen} asked",
    "client": "this client itself used {share} of a processor core",
    "other_programs": "other programs kept {seen} of {limit} processor cores busy",
    "power_limit": "the GPU may draw {seen} W (usually {limit} W): nvidia-smi -q -d POWER",
    "short_answers": "the answers had {seen} tokens, not {limit}",
    "cache": "{share} of the prompts came from the server's cache",
    "scatter": "the requests scatter by {share}: close other programs, or measure longer with --seconds 60",
    "assumed": "the device was never measured; its figures are assumed: gyakusan calibrate",
    "other_build": "another build of the server than the one that was planned for",
    "unknown": "not known",
}
LIST_TEXTS = ("bench", "date", "model", "loads", "address")
SAID_TEXTS = ("said (80 %)", "seen", "off by")
SCATTERED = 0.15
"""Scatter of the requests from which on a note says so."""


def screen(
    result: BenchResult, notes: Sequence[Message] = (), *, fresh: bool = True, again: Sequence[str] = ()
) -> Tree:
    """Return the answer of a bench.

    fresh: False for one that was kept before; again: words with which the same is asked again, () for the address alone
    """
    measured = [s for s in result.steps if s.requests]
    parts: Tree = (_verdict(result), Question(tuple(_question(result))))
    if result.steps:
        parts = (*parts, Pause(), _table(result))
    if result.comparisons:
        parts = (*parts, Pause(), *said_and_seen(result.comparisons))
    told = [*_notes(result), *notes]
    if told:
        parts = (*parts, Pause(), *(Text(n, "note") for n in told))
    return (*parts, Pause(), *(_kept(result, bool(measured), again) if fresh else (Next(("gyakusan bench list",)),)))


def written(written_files: Sequence[Path]) -> Tree:
    """Return where pages and tables were written."""
    return tuple(Text(say("Wrote {file}.", file=whole(str(f)))) for f in written_files)


def benches(kept: Sequence[KeptBench]) -> Tree:
    """Return the list of benches."""
    if not kept:
        return (Text(say("No bench is kept yet.")), Pause(), Next(("gyakusan bench http://127.0.0.1:8080",)))
    columns = tuple(Column(Message(h), "number" if h in ("bench", "loads") else "name") for h in LIST_TEXTS)
    rows = tuple((str(k.number), k.started[:10], k.model or "?", _loads(k), whole(k.endpoint)) for k in kept)
    return Table(columns, rows), Pause(), Next((f"gyakusan bench show {kept[0].number}",))


def _loads(kept: KeptBench) -> Words:
    return str(kept.steps) if kept.finished else say("{n}, not finished", n=kept.steps)


def _verdict(result: BenchResult) -> Verdict:
    best = _main_step(result)
    if best is None:
        return Verdict((say("{name} gave *no answer*.", name=_name(result)),), tone="fails")
    sentences: list[Words] = [_limit_sentence(result)] if result.objectives and result.ramp else []
    if not sentences:
        sentences = [_speed_sentence(result, best)]
    if shown := compared_rows(result.comparisons):
        inside, count = sum(c.inside for c in shown), len(shown)
        if inside == count == 1 and shown[0].quantity == "memory":
            sentences.append(say("Its memory lies *inside* what was predicted."))
        elif inside == count:
            sentences.append(say("All {count} figures lie *inside* what was predicted.", count=count))
        else:
            facts = {"inside": inside, "count": count}
            sentences.append(say("{inside} of {count} figures lie *inside* what was predicted.", **facts))
    tone: Tone = "doubt" if result.outside or any(map(result.is_late, result.steps)) else "fits"
    return Verdict(tuple(sentences), tone=tone)


def _speed_sentence(result: BenchResult, best: StepResult) -> Message:
    each = "?" if best.each is None else speed_words(best.each.value)
    facts = {"name": _name(result), "who": _load_words(best), "each": each, "first": _time(_middle(best.ttft))}
    if result.is_late(best):
        return say(
            "{name} answers {who}, but no answer ended in the time of the load: {each} tokens/s each, first token after {first}.",
            **facts,
        )
    if any(c.quantity != "memory" for c in result.comparisons) and not result.outside:  # memory alone is no speed
        return say("{name} serves {who} as planned: {each} tokens/s each, first token after {first}.", **facts)
    return _measured_sentence(best, facts)


def _measured_sentence(best: StepResult, facts: Mapping[str, object]) -> Message:
    """Return what was measured of a load: a benchmark that did not time the first token, or the answers, says nothing of it."""
    if _middle(best.ttft) is not None:
        return say("{name} serves {who}: {each} tokens/s each, first token after {first}.", **facts)
    if best.each is None and best.prefill is not None:
        speed = speed_words(best.prefill.value)
        return say("{name} with {who}: {speed} tokens/s of prompt; answers were not measured.", speed=speed, **facts)
    return say("{name} serves {who}: {each} tokens/s each; the first token was not timed.", **facts)


def _load_words(result: StepResult) -> Message:
    """Return a load as people, or as its rate."""
    step = result.step
    return people(step.users) if step.users else say("{rate} requests/min", rate=short_words(60 * step.rate))


def _limit_sentence(result: BenchResult) -> Message:
    limits = ", ".join(o.text for o in result.objectives)
    first = result.steps[0].step
    if result.held is None:
        who = (
            people(min(s.step.users for s in result.steps)) if first.users else say("the smallest rate that was tried")
        )
        return say("{name} does *not* keep {limits}, not even for {who}.", name=_name(result), limits=limits, who=who)
    if not first.users:
        return say(
            "{name} keeps {limits} up to {rate} requests/min.",
            name=_name(result),
            limits=limits,
            rate=short_words(60 * result.held),
        )
    return say("{name} keeps {limits} for {who}.", name=_name(result), limits=limits, who=people(int(result.held)))


def _main_step(result: BenchResult) -> StepResult | None:
    """Return the load that the verdict speaks of: the most people within the limits, else the largest before the bend."""
    good = [s for s in result.steps if s.requests]
    if not good:
        return None
    held = [s for s in good if result.held is not None and ramp.load(s.step) == result.held]
    if held:
        return held[0]
    bent = _bent(result)
    ordered = sorted(good, key=lambda s: ramp.load(s.step))
    before = [s for s in ordered if bent is None or ramp.load(s.step) < ramp.load(bent.step)]
    return (before or ordered)[-1]


def _bent(result: BenchResult) -> StepResult | None:
    """Return where more people bring too little more, by the speeds of all that the table shows: "?" is no bend."""
    return ramp.bend([s for s in result.steps if s.requests and result.together(s) is not None])


def _question(result: BenchResult) -> Iterator[Words]:
    if result.source != "gyakusan":
        yield say("measured by {tool}, {date}", tool=result.source, date=result.started[:10])
    told = [n for n in (result.model, result.server) if n] or [result.endpoint]
    names = Listed(tuple(Message("{name}", {"name": n}) for n in told))
    if result.planned:
        yield say("{names}; planned: {planned}", names=names, planned=result.planned)
    elif result.model or result.server:
        yield say("{names}", names=names)
    if not result.steps:
        return
    step = result.steps[0].step
    shape = step.shape
    if result.source == "llama-bench":
        return
    loop = say("closed loop") if step.users else say("random arrivals")
    seconds = f"{max(s.seconds for s in result.steps):,.0f}"
    length = say("{n} s each", n=seconds) if result.limit is None else say("{n} requests each", n=f"{result.limit:,}")
    cache = say("{n} tokens shared by all", n=f"{shape.shared:,}") if shape.shared else say("no shared prefix")
    yield say(
        "prompts of {prompt}, answers of {answer} tokens, {loop}, {length}, {cache}",
        prompt=f"{shape.prompt:,}", answer=f"{shape.answer:,}", loop=loop, length=length, cache=cache,
    )  # fmt: skip


def _table(result: BenchResult) -> Table:
    by_rate = any(not s.step.users for s in result.steps)
    prompts_alone = any(s.each is None and s.prefill is not None for s in result.steps)  # the only figure of such a row
    deep = any(s.step.shape.depth for s in result.steps)
    mixed = len({(s.step.shape.prompt, s.step.shape.answer) for s in result.steps}) > 1
    good = any(s.good_share is not None for s in result.steps)
    columns = [Column(say("requests/min") if by_rate else say("people"), "number")]
    columns += [Column(say("depth"), "number")] if deep else []
    columns += [Column(say("prompt"), "number"), Column(say("answer"), "number")] if mixed else []
    columns += [
        Column(say("tokens/s each"), "number"),
        Column(say("all"), "number"),
        Column(say("first token"), "number"),
    ]
    columns += [Column(say("slowest 5 %"), "number"), Column(say("prompt tokens/s"), "number", wide=not prompts_alone)]
    columns += [Column(say("within limits"), "number")] if good else []
    columns += [Column(say("answers"), "number", leaves=1), Column(say("errors"), "number")]
    rows = []
    for s in result.steps:
        row: list[Cell] = [short_words(60 * s.step.rate) if by_rate else f"{s.step.users:,}"]
        row += [f"{s.step.shape.depth:,}"] if deep else []
        row += [f"{s.step.shape.prompt:,}", f"{s.step.shape.answer:,}"] if mixed else []
        row += [
            _plus_minus(s.each),
            figure_words(result.together(s)),
            _time(_middle(s.ttft)),
            _time(_slowest(s.ttft)),
            figure_words(s.prefill),
        ]
        row += ["?" if s.good_share is None else say("{n} %", n=f"{100 * s.good_share:.0f}")] if good else []
        row += [f"{s.requests:,}", Text(f"{s.failed:,}", "bad" if s.failed else "plain")]
        rows.append(tuple(row))
    return Table(tuple(columns), tuple(rows))


def said_and_seen(rows: Sequence[Comparison]) -> Iterator[Section | Table | Text | Title]:
    """Yield the table of what was predicted and measured, and the likely causes of misses."""
    shown = compared_rows(rows)
    columns = (
        Column(say("said and seen")),
        *(Column(Message(h), "number") for h in SAID_TEXTS),
        Column(say("verdict")),
    )
    cells = tuple(
        (
            comparison_label(r),
            f"{_value(r, r.predicted)} ({_value(r, r.low)}-{_value(r, r.high)})",
            _value(r, r.measured),
            off_by(r.error_share),
            Text(say("inside"), "good") if r.inside else Text(say("outside"), "bad"),
        )
        for r in shown
    )
    yield Table(columns, cells)
    told = [r for r in shown if r.cause is not None and r.cause.kind != "unknown"]
    for cause in dict.fromkeys(r.cause for r in told if r.cause is not None):
        yield Text(say("likely cause: {cause}", cause=_cause(cause)), "note")
    if any(r.cause is not None and r.cause.kind == "unknown" for r in shown):
        yield Text(say("The cause of a miss is not known."), "note")


def comparison_label(row: Comparison) -> Words:
    """Return what was compared."""
    if row.quantity == "memory":
        kind, _, device = row.label.partition(" ")
        unit = "GiB" if row.predicted >= GIB else "MiB"
        if not row.label:
            return say("memory, {unit}", unit=unit)
        return say("{kind} on {device}, {unit}", kind=Message(kind), device=device, unit=unit)
    return Message(QUANTITY_TEXTS[row.quantity], {"people": people(row.users)})


def _value(row: Comparison, value: float) -> str:
    if row.unit == "B":
        return f"{value / (GIB if row.predicted >= GIB else MIB):,.2f}"
    return speed_words(value) if row.unit == "tokens/s" else seconds_words(value)


def off_by(share: float) -> Message:
    """Return an error with its sign: "-3 %", "+0.4 %"."""
    if abs(share) >= 0.0095:
        return say("{n} %", n=f"{100 * share:+.0f}")
    return say("{n} %", n=f"{100 * share:+.1f}" if abs(share) >= 0.0005 else "0.0")


def _cause(cause: Cause) -> Message:
    share = say("{n} %", n=f"{100 * cause.seen:.0f}")
    facts = {"seen": short_words(cause.seen), "limit": short_words(cause.limit), "share": share}
    return Message(CAUSE_TEXTS[cause.kind], facts)


def _notes(result: BenchResult) -> Iterator[Message]:
    """Yield what could make the figures false, then what else is to know."""
    if result.interrupted:
        yield say("Ended early: the figures are of what was measured until then.")
    elif not result.finished:
        yield say(
            "Not finished: it was killed, or it still runs. The figures are of the {n} loads until then.",
            n=len(result.steps),
        )
    yield from _failures(result)
    ours = result.source == "gyakusan"
    if late := [s for s in result.steps if result.is_late(s)]:
        yield say(
            "Every answer of {loads} ended after its time: what all got is not known. Longer: gyakusan bench --seconds {longer}.",
            loads=Listed(tuple(_load_words(s) for s in late)), longer=ramp.longer_seconds(late),
        )  # fmt: skip
    if ours and any(s.requests and s.counted_share < 1 for s in result.steps):
        yield say("The server does not count tokens (no usage in its answers): speeds in tokens/s are not known.")
    scatter = max((s.scatter or 0 for s in result.steps), default=0)
    if scatter > SCATTERED and not result.comparisons:
        yield say("Runs scatter by {n} %: close other programs, or --seconds 60.", n=f"{100 * scatter:.0f}")
    bent = _bent(result)
    if bent is not None:
        slow = _slowest(bent.ttft)
        yield say(
            "It bends at {who}: {time} to the first token for the slowest 5 %.",
            who=people(bent.step.users),
            time=_time(slow),
        )
    if result.score is not None:
        yield say("LocalScore {score}, measured through the server's API.", score=f"{result.score:,.0f}")
    if any(s.each and s.each.low is not None for s in result.steps):
        yield say("±: 95 % confidence of the mean.")
    if result.client is not None:
        yield say(
            "This client took {busy} % of a core, {cpu} ms a request; its clock was late by {late} ms (99 %: {most} ms).",
            busy=f"{100 * result.client.busy:.1f}",
            cpu=f"{1000 * result.client.cpu:.2f}", late=f"{1000 * result.client.late:.1f}",
            most=f"{1000 * result.client.late_p99:.1f}",
        )  # fmt: skip


def _failures(result: BenchResult) -> Iterator[Message]:
    found = [f for s in result.steps for f in s.failures]
    for kind, status in dict.fromkeys((f.kind, f.status) for f in found):
        same = [f for f in found if (f.kind, f.status) == (kind, status)]
        message = failure_message(same[0], result.endpoint)
        yield say(
            "{n} failed: {message} {mend}",
            n=f"{sum(f.count for f in same):,}",
            message=message,
            mend=failure_mend(same[0]),
        )


def _kept(result: BenchResult, measured: bool, again: Sequence[str]) -> Tree:
    if result.number is None:
        return ()
    until: tuple[Words, ...] = ()
    if measured and not result.objectives and result.endpoint:
        until = (whole(f'gyakusan bench {shell_words(again or (result.endpoint,))} --until "ttft<1s"'),)
    saved = Text(say("Saved as bench {number}.", number=result.number))
    return saved, Next((*until, f"gyakusan bench show {result.number} --html bench.html"))


def _name(result: BenchResult) -> str:
    return whole(result.name or result.model or result.endpoint)


def middle_words(found: Distribution | None) -> str:
    """Return the median of a time in seconds, "?" where it is not known."""
    value = _middle(found)
    return "?" if value is None else seconds_words(value)


def _middle(found: Distribution | None) -> float | None:
    return None if found is None or found.p50 is None else found.p50.value


def _slowest(found: Distribution | None) -> float | None:
    return ramp.percentile(found, 95)


def _time(value: float | None) -> Words:
    """Return a measured time [s] with two digits below a second, in minutes from a minute on."""
    if value is None:
        return "?"
    return say("{n} s", n=seconds_words(value)) if isfinite(value) and not in_minutes(value) else duration(value)


def figure_words(found: Figure | None) -> str:
    """Return a speed, "?" where it is not known."""
    return "?" if found is None else speed_words(found.value)


def _plus_minus(found: Figure | None) -> str:
    if found is None:
        return "?"
    if found.low is None or found.high is None:
        return speed_words(found.value)
    half = (found.high - found.low) / 2
    return f"{speed_words(found.value)} ±{half:.0f}" if found.value >= 9.95 else f"{found.value:.1f} ±{half:.1f}"
