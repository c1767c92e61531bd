"""Records of the catalogue, on the terminal and as JSON: figures with their sources and dates."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from gyakusan.catalog.chips import Chip
from gyakusan.catalog.devices import DeviceRecord, MachineRecord
from gyakusan.catalog.entry import Entry
from gyakusan.catalog.models import ModelRecord
from gyakusan.catalog.origins import SourceRecord
from gyakusan.message import Message, say
from gyakusan.show.wrapping import Text
from gyakusan.text import Language, tell
from gyakusan.units import format_count

Record = DeviceRecord | MachineRecord | ModelRecord
DEVICE_TEXTS = ("device", "memory (GB)", "bandwidth (GB/s)", "FP16 (TFLOPS)", "power (W)", "released", "price")
MACHINE_TEXTS = ("computer", "device", "memory (GB)", "price")
MODEL_TEXTS = ("model", "size", "context", "role", "license", "released")
SOURCE_TEXTS = ("source", "records", "license", "checked", "what it gives")
FIGURE_TEXTS = ("figure", "value", "source", "date")
_NUMBERS = frozenset({"bandwidth (GB/s)", "FP16 (TFLOPS)", "power (W)", "size", "context", "records"})
RECALLED_TEXTS = ("recalled or taken from an unreliable list, not looked up",)
RECALLED = RECALLED_TEXTS[0]
_LONG = ("metadata", "prices", "aliases", "source", "checked", "memory_source", "recalled", "assumed", "name")
"""Fields that are not figures, or are shown in another way."""


def devices(records: Iterable[DeviceRecord], language: Language) -> RenderableType:
    """One row for each device."""
    out = _table(DEVICE_TEXTS, language)
    for r in records:
        chip = r.rates
        out.add_row(
            r.name,
            ", ".join(map(str, r.sizes_gib)),
            f"{r.bandwidth_gb_s:,.0f}",
            f"{chip.half / 1e12:,.0f}" if chip else "?",
            f"{r.power_w:,.0f}" if r.power_w else "?",
            r.released,
            _last_price(r),
        )
    return out


def machines(records: Iterable[MachineRecord], language: Language) -> RenderableType:
    """One row for each whole computer."""
    out = _table(MACHINE_TEXTS, language)
    for r in records:
        device = r.device if r.count == 1 else f"{r.count}x {r.device}"
        out.add_row(r.name, device, ", ".join(map(str, r.sizes_gib)), _last_price(r))
    return out


def models(records: Iterable[ModelRecord], language: Language) -> RenderableType:
    """One row for each model."""
    out = _table(MODEL_TEXTS, language)
    for r in records:
        role = r.role if not r.derived_from else f"{r.role} ({r.derived_from})"
        context = f"{r.trained_context:,}" if r.trained_context else "?"
        out.add_row(r.name, format_count(r.parameters), context, role, r.license or "?", r.released or "?")
    return out


def sources(records: Sequence[SourceRecord], language: Language) -> RenderableType:
    """One row for each source."""
    out = _table(SOURCE_TEXTS, language)
    for r in records:
        out.add_row(r.name, f"{r.records:,}", r.license, r.checked, r.gives)
    return out


def record(found: Record, entry: Entry, tags: Sequence[str], language: Language) -> RenderableType:
    """One record: every figure with its source and date."""
    out, notes = _table(FIGURE_TEXTS, language), dict[str, int]()
    for name, value, source, date in figures(found):
        out.add_row(name, value, f"({notes.setdefault(source, len(notes) + 1)})", date)
    place = say("Your own record: {file}, line {line}.", file=str(entry.file), line=entry.line)
    ours = say("Record of the catalogue: {file}, line {line}.", file=entry.file.name, line=entry.line)
    parts: list[RenderableType] = [Text(found.name, style="bold"), out]
    parts += [Text(f"({n}) {tell(_said(source), language)}", style="dim") for source, n in notes.items()]
    parts.append(Text(tell(place if entry.own else ours, language), style="dim"))
    if found.aliases:
        parts.append(Text(tell(say("Also: {names}", names=", ".join(found.aliases)), language), style="dim"))
    if tags:
        parts.append(Text(tell(say("Ollama: {names}", names=", ".join(tags)), language), style="dim"))
    return Group(*parts)


def figures(found: Record) -> Iterator[tuple[str, str, str, str]]:
    """(figure, value, source, date) of everything that a record says."""
    recalled = getattr(found, "recalled", ()) + getattr(found, "assumed", ())
    for f in dataclasses.fields(found):
        value = getattr(found, f.name)
        if f.name in _LONG or value in ("", 0, (), None):
            continue
        source = RECALLED if f.name in recalled else found.source
        if f.name == "memory_mib" and isinstance(found, DeviceRecord):
            source = found.memory_source
        yield f.name, _value(value), source, found.checked
    if isinstance(found, DeviceRecord) and found.rates:
        yield from _rates(found.rates)
    if isinstance(found, ModelRecord):
        source = RECALLED if "trained_context" in recalled else found.source
        yield "trained_context", f"{found.trained_context:,}", source, found.checked
    for price in getattr(found, "prices", ()):
        used = " (used)" if price.used else ""
        yield f"price{used}", f"{price.amount:,.0f} {price.currency}", price.source, price.date


def _rates(chip: Chip) -> Iterator[tuple[str, str, str, str]]:
    """Dense arithmetic by type [TFLOPS]."""
    types = {
        "fp32": chip.single,
        "fp16": chip.half,
        "bf16": bf16(chip),
        "int8": chip.int8,
        "fp8": chip.fp8,
        "fp4": chip.fp4,
    }
    for name, rate in types.items():
        if rate:
            yield f"{name}_tflops", f"{rate / 1e12:,.1f}", chip.source, chip.checked


_WITHOUT_BF16 = ("maxwell", "pascal", "volta", "turing", "gcn", "rdna1", "rdna2")


def bf16(chip: Chip) -> float:
    """Rate of BF16: that of FP16 where the chip has it, 0 where it has not. [FLOP/s]"""
    return 0.0 if chip.family.startswith(_WITHOUT_BF16) else chip.half


def document(found: Record, entry: Entry, tags: Sequence[str] = ()) -> dict[str, Any]:
    """A record as plain values, and where it stands."""
    values = dataclasses.asdict(found)
    if isinstance(found, DeviceRecord):
        chip = found.rates
        values["rates"] = None if chip is None else {**dataclasses.asdict(chip), "bf16": bf16(chip)}
    if isinstance(found, ModelRecord):
        values |= {"trained_context": found.trained_context, "architecture": found.architecture, "ollama": list(tags)}
    where = {"kind": entry.kind, "file": entry.file.name, "line": entry.line, "own": entry.own}
    return {**{k: _plain(v) for k, v in values.items()}, "record": where}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, tuple | list) else value


def _said(source: str) -> Message:
    """A source is quoted as it stands."""
    return Message(RECALLED_TEXTS[0]) if source == RECALLED else Message("{source}", {"source": source})


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _last_price(r: DeviceRecord | MachineRecord) -> str:
    price = max(r.prices, key=lambda p: p.date, default=None)
    return "?" if price is None else f"{price.amount:,.0f} {price.currency} ({price.date})"


def _table(heads: Sequence[str], language: Language) -> Table:
    out = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in heads:
        out.add_column(tell(name, language), justify="right" if name in _NUMBERS else "left")
    return out
