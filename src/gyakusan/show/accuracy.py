"""How right we are, on the terminal and as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gyakusan.catalog.accuracy import Case, Group, Section
from gyakusan.message import Listed, Message, say
from gyakusan.show.tree import Part, Pause, Table, Text, Title, Tree, Verdict, Words, columns

SECTION_TEXTS = {
    "one_device": "its allocator, one device",
    "architectures": "its allocator, many architectures",
    "split": "its allocator, several GPUs and offload",
    "logs": "logs of real GPUs",
    "forks": "logs of a fork, KV cache only",
    "ollama": "sizes that its library lists",
    "vllm": "its cache functions",
    "vllm_logs": "start-up logs of real GPUs",
    "mlx": "the library's own count of its caches",
}
"""What each section is compared with."""

PART_TEXTS = {
    "weights": "weights",
    "kv_cache": "kv_cache",
    "recurrent_state": "recurrent_state",
    "scratch": "scratch",
    "output": "output",
    "context": "KV cache and state",
    "total": "total",
    "layers": "device of each layer",
    "request": "bytes of a request",
    "block": "bytes of a block",
    "tokens": "KV tokens",
    "prompt": "after the prompt",
    "answer": "after the answer",
    "peak": "at the peak",
}
"""Parts of the memory."""

WHY_TEXTS = (
    "reason not known",
    "the publisher's own quantisation mix",
    "Vulkan reorders the graph's nodes before it plans buffers",
)
"""Known reasons for a difference; benchmarks/log_accuracy.py gives them."""

LEADS = ("total", "scratch", "request", "tokens", "answer", "weights", "kv_cache")
"""Which part speaks for a section where there is room for one: the first that it has."""

ALLOCATOR = ("one_device", "architectures")
"""Sections whose truth is llama.cpp's own allocator on one device."""

LABEL_TEXTS = {
    "architecture": "by architecture",
    "backend": "by backend",
    "kind": "by kind of row",
    "model": "by model",
    "reason": "by reason",
}
"""What rows are grouped by."""

GROUP_TEXTS = ("hybrid", "no flash attention", "quantised KV", "gpu-mock", "host", "all devices")
"""Names of groups and of places that are words."""

SLICE_TEXTS = (
    "decode single",
    "decode many",
    "prefill",
    "ttft single",
    "ttft many",
    "throughput",
    "gain",
    "decode many, vllm and trtllm, 2 to 32 users",
    "prefill of 512 tokens or more",
)
"""Slices of the speeds; an engine's name may follow (benchmarks/speed_accuracy.py)."""

_COUNTED = (
    (re.compile(r"([\d,]+) tokens"), say("{n} tokens", n="")),
    (re.compile(r"([\d,]+) users"), say("{n} users", n="")),
)
"""Counts in the name of a row."""


def percent(share: float | None) -> Words:
    """Return 0.0025 as "0.25 %", 0 as "0". Rounded up, so that no error is shown smaller than it is."""
    if not share:
        return "?" if share is None else "0"
    digits = 1 if share >= 0.1 else 2 if share >= 0.0001 else 4
    return say("{n} %", n=f"{-(-share * 100 * 10**digits // 1) / 10**digits:.{digits}f}")


def memory(sections: Sequence[Section]) -> Tree:
    """Return errors by engine and truth, by backend, by architecture, then the worst cases by name."""
    parts: list[Part] = [
        *_summary(sections),
        Pause(),
        Title(say("Errors of predicted bytes, relative to what servers report")),
        _every(sections),
    ]
    for label in ("reason", "backend", "architecture"):
        if any(s.by(label) for s in sections):
            parts += [Pause(), Title(Message(LABEL_TEXTS[label])), _by(sections, label)]
    worst = (Text(_case(s, c)) for s in sections for c in s.worst[:3])
    return *parts, Pause(), Title(say("Worst cases")), *worst


def _summary(sections: Sequence[Section]) -> Tree:
    """Return the sentence on llama.cpp's allocator, nothing where no section is of it."""
    recorded = [s for s in sections if s.id in ALLOCATOR]
    if not recorded:
        return ()
    return (Verdict((allocator(recorded),)),)


def allocator(sections: Sequence[Section]) -> Message:
    """Return how right the sections of llama.cpp's own allocator are together."""
    every = [s.groups[0].parts for s in sections]
    worst = max((g.parts["total"].worst, g.name) for s in sections for g in s.by("architecture"))
    rows = sum(s.rows for s in sections)
    kept = sum(min(p["weights"].exact, p["context"].exact) for p in every)
    return say(
        "{rows} runs of llama.cpp's own allocator were recorded: weights and cache are right to the byte in {kept}, the"
        " total in {exact}. 95 % of the totals are within {p95}; the worst is {max} off ({name}).",
        rows=f"{rows:,}",
        kept=say("all of them") if kept == rows else say("{n} of them", n=f"{kept:,}"),
        exact=f"{sum(p['total'].exact for p in every):,}",
        p95=percent(max(p["total"].p95 for p in every)),
        max=percent(worst[0]),
        name=worst[1],
    )


HEAD_TEXTS = ("engine", "compared with", "part", "compared", "exact", "median", "95 %", "worst")
BY_TEXTS = ("name", "engine", "compared with", "part", "compared", "exact", "95 %", "worst")
SPEED_TEXTS = ("slice", "cases", "new source", "new device", "new model", "rule of thumb")
FRESH_TEXTS = ("slice", "cases", "new source", "rule of thumb")
SPEED_NOTES = (
    say("median error (cases within 30 %, rows inside the 80 % interval)"),
    say("new source: fitted without what its author measured; so is every user"),
    say("new device: fitted without its rows; new model: fitted without its architecture"),
    say("rule of thumb: bandwidth x 0.55 / bytes read for each token, one user"),
)


def _every(sections: Sequence[Section]) -> Table:
    """One row for each part of each section."""
    rows: list[tuple[Words, ...]] = []
    for section in sections:
        head: tuple[Words, Words] = section.engine, Message(SECTION_TEXTS[section.id])
        for part, f in section.groups[0].parts.items():
            figures = (f"{f.n:,}", f"{f.exact:,}", percent(f.median), percent(f.p95), percent(f.worst))
            rows.append((*head, Message(PART_TEXTS[part]), *figures))
            head = "", ""
    return Table(columns(HEAD_TEXTS, 3), tuple(rows))


def _by(sections: Sequence[Section], label: str) -> Table:
    """One row for each value of a label and each section: what speaks for the section."""
    groups = sorted(((g, s) for s in sections for g in s.by(label)), key=lambda row: row[0].name)
    rows: list[tuple[Words, ...]] = []
    last = None
    for group, section in groups:
        part = lead(group)
        f = group.parts[part]
        about = (section.engine, Message(SECTION_TEXTS[section.id]), Message(PART_TEXTS[part]))
        figures = (f"{f.n:,}", f"{f.exact:,}", percent(f.p95), percent(f.worst))
        rows.append(("" if group.name == last else Message(group.name), *about, *figures))
        last = group.name
    return Table(columns(BY_TEXTS, 4), tuple(rows))


def lead(group: Group) -> str:
    """The part that speaks for a group."""
    return next(p for p in LEADS if p in group.parts)


def row_name(name: str) -> Message:
    """Return the name of a row as words: "qwen3-8b, cpu, 4 users" has a count that each language writes in its way."""
    return say("{names}", names=Listed(tuple(map(_named, name.split(", ")))))


def _named(part: str) -> Message:
    for pattern, counted in _COUNTED:
        if found := pattern.fullmatch(part):
            return Message(counted.template, {"n": found[1]})
    return Message("all devices") if part == "all" else Message(part) if part in GROUP_TEXTS else _quoted(part)


def slice_name(name: str) -> Message:
    """Return the name of a slice of speeds, with its engine where it has one."""
    if name in SLICE_TEXTS:
        return Message(name)
    kind = next((k for k in sorted(SLICE_TEXTS, key=len, reverse=True) if name.startswith(f"{k} ")), "")
    return say("{kind} {engine}", kind=Message(kind), engine=name.removeprefix(kind).strip()) if kind else _quoted(name)


def _quoted(name: str) -> Message:
    return Message("{name}", {"name": name})


def _case(section: Section, case: Case) -> Message:
    why = say(" ({why})", why=say(case.why)) if case.why else say("")
    text = say(
        "{error}  {part}: {name}{why}",
        error=percent(case.error),
        part=say(PART_TEXTS[case.part]),
        name=row_name(case.name),
        why=why,
    )
    return say("{engine} {case}", engine=f"{section.engine:10}", case=text)


def _new_source(report: Mapping[str, Any]) -> Tree:
    """Return how right the speed of one user's answers is for a source that no fit has seen."""
    found = next((s for s in report["left_out"]["source"] if s["slice"] == "decode single"), None)
    if found is None:
        return ()
    told = say(
        "The speed of one person's answers is {median} off in the median where nothing of the source was fitted; {share} of"
        " the cases are within 30 %.",
        median=percent(found["median"]), share=say("{n} %", n=f"{found['within30'] * 100:.0f}"),
    )  # fmt: skip
    return (Verdict((told,)),)


def speed(report: Mapping[str, Any] | None) -> Tree:
    """Return one row for each slice: errors on a device, and on a model, that no fit had seen, beside the usual rule's."""
    if report is None:
        return (Text(say("No speed has been evaluated yet.")),)
    table = Table(columns(SPEED_TEXTS, 1), tuple(speed_rows(report)))
    title = say(
        "{rows} published measurements; each is predicted by a fit that did not use it", rows=f"{report['rows']:,}"
    )
    fresh = report["fresh"]
    since = say("Fresh sources of {date}, each predicted by a fit without it", date=fresh["date"])
    newest = Table(columns(FRESH_TEXTS, 1), tuple(fresh_rows(fresh)))
    notes = (Text(m, "note") for m in SPEED_NOTES)
    return *_new_source(report), Pause(), *notes, Pause(), Title(title), table, Pause(), Title(since), newest


def fresh_rows(fresh: Mapping[str, Any]) -> Iterator[tuple[Words, ...]]:
    """Cells of the table of fresh sources."""
    usual = {s["slice"]: s for s in fresh["usual_rule"]}
    for s in fresh["slices"]:
        yield slice_name(s["slice"]), f"{s['n']:,}", _judged(s), _ruled(usual.get(s["slice"]))


def speed_rows(report: Mapping[str, Any]) -> Iterator[tuple[Words, ...]]:
    """Cells of the table."""
    models, sources = ({s["slice"]: s for s in report["left_out"][left]} for left in ("architecture", "source"))
    usual = {s["slice"]: s for s in report["usual_rule"]}
    for s in report["left_out"]["device"]:
        name = s["slice"]
        others = (_judged(found[name]) if name in found else "-" for found in (sources, models))
        source, model = others
        yield slice_name(name), f"{s['n']:,}", source, _judged(s), model, _ruled(usual.get(name))


def _ruled(rule: Mapping[str, Any] | None) -> Words:
    return (
        "-" if rule is None else say("{error} ({near}%)", error=percent(rule["median"]), near=_whole(rule["within30"]))
    )


def _judged(s: Mapping[str, Any]) -> Message:
    """Error of the median, share within 30 %, share inside the 80 % range: "12.3 % (80%, 82%)"."""
    told = {"near": _whole(s["within30"]), "inside": _whole(s["coverage80"])}
    return say("{error} ({near}%, {inside}%)", error=percent(s["median"]), **told)


def _whole(share: float) -> str:
    return f"{100 * share:.0f}"
