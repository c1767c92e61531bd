"""The parts of the pages that say how right we are, from the catalogue's accuracy.json (tools/accuracy.py writes it)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from gyakusan.catalog import accuracy
from gyakusan.catalog.accuracy import Figures, Group, Section
from gyakusan.show.accuracy import (
    ALLOCATOR,
    FRESH_TEXTS,
    LABEL_TEXTS,
    PART_TEXTS,
    SECTION_TEXTS,
    SPEED_NOTES,
    SPEED_TEXTS,
    allocator,
    fresh_rows,
    percent,
    row_name,
    speed_rows,
)
from gyakusan.show.tree import Words
from gyakusan.text import Language, tell

Translate = Callable[[str, str], str]
Table = Callable[[Sequence[str], Iterator[Sequence[str]]], str]

HEADS = ("part", "compared", "exact", "median", "p95", "max")


def parts(rest: str, language: Language, translated: Translate, table: Table) -> str:
    """rest: "line" for one sentence, "speed", "fresh", "methods", identifiers of sections, or "" for all of them."""
    if rest == "speed":
        return _speed(language, translated, table)
    if rest == "fresh":
        heads = [tell(h, language) for h in FRESH_TEXTS]
        return table(heads, _told(fresh_rows((accuracy.speed() or {})["fresh"]), language))
    if rest == "methods":
        return _methods(language, translated, table)
    sections = {s.id: s for s in accuracy.memory()}
    if rest == "line":
        return tell(allocator([sections[name] for name in ALLOCATOR]), language)
    chosen = rest.split() or list(sections)
    return "\n\n".join(p for name in chosen for p in _section(sections[name], language, translated, table))


def _section(section: Section, language: Language, translated: Translate, table: Table) -> Iterator[str]:
    yield f"### {section.engine}: {tell(SECTION_TEXTS[section.id], language)}"
    off = sum(section.left_out.values())
    facts = {"rows": f"{section.rows:,}", "off": f"{off:,}", "file": section.file}
    yield translated("{rows} rows of `tests/truth/{file}`, {off} left out.", language).format(**facts)
    heads = [translated(h, language) for h in HEADS]
    yield table(heads, (_all(tell(PART_TEXTS[p], language), f, language) for p, f in section.groups[0].parts.items()))
    if section.groups[0].range_holds is not None:
        held = f"{section.groups[0].range_holds:.0%}"
        yield translated("Our range holds the truth in {share} of the rows.", language).format(share=held)
    for label in dict.fromkeys(g.by for g in section.groups[1:]):
        title = tell(LABEL_TEXTS[label], language)
        named = list(section.groups[0].parts)
        heads = [title, translated("rows", language), *(tell(PART_TEXTS[p], language) for p in named)]
        yield table(heads, (_row(g, named, translated, language) for g in section.by(label)))
    if section.worst:
        yield "\n".join([translated("The worst:", language), "", *_worst(section, language)])


def _percent(share: float | None, language: Language) -> str:
    said = percent(share)
    return said if isinstance(said, str) else tell(said, language)


def _all(name: str, f: Figures, language: Language) -> Sequence[str]:
    return (name, f"{f.n:,}", f"{f.exact:,}", *(_percent(x, language) for x in (f.median, f.p95, f.worst)))


def _row(group: Group, named: Sequence[str], translated: Translate, language: Language) -> Sequence[str]:
    return (
        tell(group.name, language),
        f"{group.rows:,}",
        *(_cell(group.parts.get(p), translated, language) for p in named),
    )


def _cell(f: Figures | None, translated: Translate, language: Language) -> str:
    if f is None:
        return "-"
    if f.exact == f.n:
        return translated("exact", language)
    return f"{_percent(f.p95, language)} / {_percent(f.worst, language)}"


def _worst(section: Section, language: Language) -> Iterator[str]:
    for case in section.worst:
        why = f" ({tell(case.why, language)})" if case.why else ""
        part, name = tell(PART_TEXTS[case.part], language), tell(row_name(case.name), language)
        yield f"- {_percent(case.error, language)} {part}: {name}{why}"


def _speed(language: Language, translated: Translate, table: Table) -> str:
    found = accuracy.speed()
    if found is None:
        return tell("No speed has been judged yet.", language)
    about = translated("{rows} published measurements, {share} of them of devices and models that we know.", language)
    heads = [tell(h, language) for h in SPEED_TEXTS]
    notes = "\n".join(f"- {tell(n, language)}" for n in SPEED_NOTES)
    said = about.format(rows=f"{found['rows']:,}", share=f"{found['resolved_share']:.0%}")
    return "\n\n".join((said, notes, table(heads, _told(speed_rows(found), language))))


def _told(rows: Iterator[Sequence[Words]], language: Language) -> Iterator[Sequence[str]]:
    return (tuple(cell if isinstance(cell, str) else tell(cell, language) for cell in row) for row in rows)


def _methods(language: Language, translated: Translate, table: Table) -> str:
    """How llama.cpp's compute buffer is computed for each architecture whose allocations were recorded."""
    from benchmarks.memory_accuracy import TRUTH, model_of, read_meta

    from gyakusan.engines.llamacpp.compute_methods import compute_methods

    meta = read_meta(TRUTH / "gguf_meta.json.gz")
    names = {str(entry["kv"]["general.architecture"]): name for name, entry in meta.items() if entry["types"]}
    rows = []
    for architecture, name in sorted(names.items()):
        methods = compute_methods(model_of(meta, name, next(iter(meta[name]["types"]))))
        cells = (methods.one_device, methods.split, methods.bench)
        rows.append((architecture, *(translated(cell, language) for cell in cells)))
    heads = ("architecture", "one device", "several devices", "llama-bench on a CPU")
    return table([translated(head, language) for head in heads], iter(rows))
