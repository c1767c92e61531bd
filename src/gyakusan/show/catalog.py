"""Records of the catalogue, on the terminal and as JSON: figures with their sources and dates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import structs

from gyakusan.catalog.chips import Chip
from gyakusan.catalog.devices import DeviceRecord, MachineRecord
from gyakusan.catalog.entry import Entry
from gyakusan.catalog.models import ModelRecord
from gyakusan.catalog.origins import SourceRecord
from gyakusan.catalog.prices import PriceRecord, price_records
from gyakusan.core.records import shallow
from gyakusan.message import Listed, Message, say
from gyakusan.planning.predict.device_names import short_device_name
from gyakusan.show.amounts import amount_words
from gyakusan.show.source_words import licence_words, product_words, source_words
from gyakusan.show.tree import Column, Table, Text, Title, Tree, Words
from gyakusan.units import format_count

Record = DeviceRecord | MachineRecord | ModelRecord
DEVICE_TEXTS = ("device", "GB", "GB/s", "FP16", "W", "price", "released")
MACHINE_TEXTS = ("computer", "device", "GB", "price")
MODEL_TEXTS = ("model", "size", "context", "role", "released", "license")
SOURCE_TEXTS = ("source", "records", "license", "checked", "content")
FIGURE_TEXTS = ("figure", "value", "source", "date")
FIELD_TEXTS = (
    *("vendor", "kind", "backend", "sizes_gib", "bandwidth_gb_s", "released", "rule", "memory_type", "chip", "power_w"),
    *(
        "pcie",
        "slots",
        "cooling",
        "cores",
        "channels",
        "memory_mib",
        "nvlink_gb_s",
        "sold_in",
        "device",
        "count",
        "cpu",
    ),
    *(
        "ram_gib",
        "parameters",
        "tensors",
        "tied",
        "quantization",
        "basis",
        "license",
        "role",
        "modalities",
        "languages",
    ),
    *("mlx", "gguf", "trained_context", "active", "listed", "published", "like", "derived_from", "beside", "wheel"),
    *("pooling", "score", "price", "price (used)", "fp32_tflops", "fp16_tflops", "bf16_tflops", "int8_tflops"),
    *("fp8_tflops", "fp4_tflops"),
)
"""What a record says, by the names in its file."""
VALUE_TEXTS = (
    *("yes", "no", "read", "derived", "assumed", "gpu", "host", "unified", "any"),
    *("chat", "base", "code", "finetune", "embedding", "text", "image", "passive", "blower", "prediction", "vision"),
)
"""Values that are words; others are quoted as they stand."""
_ONE_BY_ONE = ("gguf", "mlx")
"""Names too long to stand beside each other."""
_NUMBERS = frozenset({"GB/s", "FP16", "W", "price", "size", "context", "records"})
_PROSE = frozenset({"content"})
"""Columns whose cells are broken over lines where the screen is narrow."""
_SIZES = 3
"""Most sizes of memory that a list names one by one."""
RECALLED_TEXTS = ("recalled or from an unreliable list, not verified",)
RECALLED = RECALLED_TEXTS[0]
_LONG = ("metadata", "prices", "aliases", "source", "checked", "memory_source", "recalled", "assumed", "name")
"""Fields that are not figures, or are shown in another way."""


def devices(records: Iterable[DeviceRecord]) -> Tree:
    """Return one row for each device; when it was released has room on wide screens only."""
    *columns, released = _columns(DEVICE_TEXTS)
    table = Table((*columns, structs.replace(released, wide=True)), tuple(_device(r) for r in records))
    legend = say("GB/s: memory bandwidth. FP16: TFLOPS. W: power. All of one device: gyakusan catalog show NAME")
    return _found(table, legend)


def _found(table: Table, *legend: Message) -> Tree:
    """Return a list, or that nothing was found."""
    return (table, *(Text(m, "note") for m in legend)) if table.rows else (Text(say("Nothing was found.")),)


def _device(r: DeviceRecord) -> tuple[Words, ...]:
    rate = f"{r.rates.half / 1e12:,.0f}" if r.rates else "?"
    power = f"{r.power_w:,.0f}" if r.power_w else "?"
    return short_device_name(r.name), _sizes(r), f"{r.bandwidth_gb_s:,.0f}", rate, power, _last_price(r), r.released


def machines(records: Iterable[MachineRecord]) -> Tree:
    """Return one row for each whole computer."""
    return _found(Table(_columns(MACHINE_TEXTS), tuple(_machine(r) for r in records)))


def _machine(r: MachineRecord) -> tuple[Words, ...]:
    device = short_device_name(r.device)
    return product_words(r.name), device if r.count == 1 else f"{r.count}x {device}", _sizes(r), _last_price(r)


def _sizes(r: DeviceRecord | MachineRecord) -> str:
    sizes = [f"{size:,}" for size in r.sizes_gib]
    return ", ".join(sizes) if len(sizes) <= _SIZES else f"{sizes[0]}-{sizes[-1]}"


def models(records: Iterable[ModelRecord]) -> Tree:
    """Return one row for each model; its licence, which may be long, has room on wide screens only."""
    *columns, licence = _columns(MODEL_TEXTS)
    table = Table((*columns, structs.replace(licence, wide=True)), tuple(_model(r) for r in records))
    return _found(table, say("Licence, files and all figures of one model: gyakusan catalog show NAME"))


def _model(r: ModelRecord) -> tuple[Words, ...]:
    context = f"{r.trained_context:,}" if r.trained_context else "?"
    return r.name, format_count(r.parameters), context, Message(r.role), r.released or "?", licence_words(r.license)


def sources(records: Iterable[SourceRecord]) -> Tree:
    """Return one row for each source."""
    rows = (
        (
            _source(r.name),
            f"{r.records:,}",
            _terms(r.license),
            r.checked,
            Message("{gives}", {"gives": Message(r.gives)}),
        )
        for r in records
    )
    return (Table(_columns(SOURCE_TEXTS), tuple(rows)),)


SOURCE_NAME_TEXTS = {
    "recalled": "no source",
    "published model files": "published model files",
    "hardware pages of Hugging Face": "hardware pages of Hugging Face",
    "Ollama's library": "Ollama's library",
    "Apple technical specifications": "Apple technical specifications",
    "strix-halo-guide, buyer prices of 2026-07 to 2026-09": "strix-halo-guide, buyer prices of 2026-07 to 2026-09",
    "European Central Bank": "European Central Bank",
    "price pages of 2026": "price pages of 2026",
    "rules of thumb": "rules of thumb",
    "public reports on GitHub": "public reports on GitHub",
    "price pages": "price pages",
    "makers' product pages": "makers' product pages",
    "JEDEC": "JEDEC",
}
"""Sources that are no project with a name of its own."""


def _source(name: str) -> Words:
    """Return the name of a source in words."""
    return Message(SOURCE_NAME_TEXTS[name]) if name in SOURCE_NAME_TEXTS else name


def _terms(name: str) -> Words:
    """Return the terms of a source: single facts need no licence."""
    return say("facts, none needed") if name == "facts" else name


def record(item: Record, entry: Entry, tags: Sequence[str]) -> Tree:
    """Return one record: every figure with its source and date."""
    notes = dict[str, int]()
    rows = tuple((Message(n), v, f"({notes.setdefault(s, len(notes) + 1)})", date) for n, v, s, date in figures(item))
    place = say("Your record: {file}, line {line}.", file=str(entry.file), line=entry.line)
    ours = say("Catalogue record: {file}, line {line}.", file=entry.file.name, line=entry.line)
    below = [say("({n}) {source}", n=n, source=_said(source)) for source, n in notes.items()]
    below += _price_note(item)
    below.append(place if entry.own else ours)
    if item.aliases:
        below.append(say("Also: {names}", names=", ".join(item.aliases)))
    if tags:
        below.append(say("Ollama: {names}", names=", ".join(tags)))
    return Title(item.name), Table(_columns(FIGURE_TEXTS), rows), *(Text(m, "note") for m in below)


def figures(item: Record) -> Iterator[tuple[str, Words, str, str]]:
    """Yield (figure, value, source, date) of everything that a record says."""
    recalled = getattr(item, "recalled", ()) + getattr(item, "assumed", ())
    for name, value in shallow(item).items():
        if name in _LONG or value in ("", 0, (), None):
            continue
        source = RECALLED if name in recalled else item.source
        if name == "memory_mib" and isinstance(item, DeviceRecord):
            source = item.memory_source
        for each in value if name in _ONE_BY_ONE else (value,):
            yield name, licence_words(each) if name == "license" else _value(each), source, item.checked
    if isinstance(item, DeviceRecord) and item.rates:
        yield from _rates(item.rates)
    if isinstance(item, ModelRecord):
        source = RECALLED if "trained_context" in recalled else item.source
        yield "trained_context", f"{item.trained_context:,}", source, item.checked
    for price in getattr(item, "prices", ()):
        used = " (used)" if price.used else ""
        yield f"price{used}", amount_words(f"{price.amount:,.0f}", price.currency), price.source, price.date
    for found in _seen_prices(item):
        source = f"{found.product}: {found.source}" if found.product else found.source
        yield f"price{' (used)' if found.used else ''}", _price_words(found, item), source, found.date


def _seen_prices(item: Record) -> tuple[PriceRecord, ...]:
    """Return the prices that plans buy from, oldest first: of a card or a computer, and of computers around the card."""
    if not isinstance(item, DeviceRecord | MachineRecord):
        return ()
    return tuple(p for p in sorted(price_records(), key=lambda p: p.date) if p.of == item.name)


def _price_words(price: PriceRecord, item: Record) -> Message:
    """Return an amount with what it buys: a card alone, a whole computer; with its memory where several are sold."""
    facts = {"price": amount_words(f"{price.amount:,.0f}", price.currency), "n": price.size_gib}
    if price.product:
        return say("{price}: whole computer", **facts)
    if isinstance(item, DeviceRecord) and price.what == "card":
        return (
            say("{price}: card alone, {n} GB", **facts)
            if len(item.sizes_gib) > 1
            else say("{price}: card alone", **facts)
        )
    return say("{price}: whole computer, {n} GB", **facts)


def _price_note(item: Record) -> tuple[Message, ...]:
    """Return how plans choose among the prices, nothing where none is for plans."""
    if not _seen_prices(item):
        return ()
    return (
        say(
            "Of each offer the newest price counts, of those of the newest month the cheapest, in the asker's currency; where it"
            " has none, a price is converted; a whole"
            " computer may cost less than the card alone, and is bought in its own country."
        ),
    )


def _rates(chip: Chip) -> Iterator[tuple[str, str, str, str]]:
    """Dense arithmetic by type [TFLOPS]."""
    types = {
        "fp32": chip.single,
        "fp16": chip.half,
        "bf16": chip.bf16,
        "int8": chip.int8,
        "fp8": chip.fp8,
        "fp4": chip.fp4,
    }
    for name, rate in types.items():
        if rate:
            yield f"{name}_tflops", f"{rate / 1e12:,.1f}", chip.source, chip.checked


def _said(source: str) -> Message:
    """A source is quoted as it stands, if it is no sentence of ours."""
    return Message(RECALLED_TEXTS[0]) if source == RECALLED else source_words(source)


def _value(value: Any) -> Words:
    if isinstance(value, bool):
        return say("yes") if value else say("no")
    if isinstance(value, int | float):
        return f"{value:,}"
    if isinstance(value, tuple) and value and all(v in VALUE_TEXTS for v in value):
        return say("{values}", values=Listed(tuple(map(Message, value))))
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return Message(value) if value in VALUE_TEXTS else str(value)


def _last_price(r: DeviceRecord | MachineRecord) -> Words:
    price = max(r.prices, key=lambda p: p.date, default=None)
    if price is None:
        return "?"
    return say("{price} ({date})", price=amount_words(f"{price.amount:,.0f}", price.currency), date=price.date[:7])


def _columns(heads: Sequence[str]) -> tuple[Column, ...]:
    return tuple(Column(Message(h), "number" if h in _NUMBERS else "reason" if h in _PROSE else "name") for h in heads)
