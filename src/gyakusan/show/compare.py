"""Devices side by side: a bar for each, its 80 % interval, and what others measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gyakusan.core.ledger import Ledger
from gyakusan.message import Message, say
from gyakusan.planning.predict.assessment import Assessment
from gyakusan.planning.predict.speed import Estimate
from gyakusan.show.assessment import spaced
from gyakusan.show.tree import Cell, Column, IntervalBar, Part, Pause, Table, Text, Title, Tree, Words
from gyakusan.units import format_bytes

Shown = Literal["decode", "prefill"]
HEAD_TEXTS: dict[Shown, str] = {"decode": "output tokens/s for each user", "prefill": "prompt tokens/s"}
CHART = (Column(), Column(kind="number"), Column(kind="bar"), Column())


@dataclass(frozen=True, slots=True)
class Compared:
    """One model on one device.

    model: its name in the catalogue
    device: its name in the catalogue
    ledger: memory on that device
    judged: speed and quality
    """

    model: str
    device: str
    ledger: Ledger
    judged: Assessment


def screen(rows: Sequence[Compared]) -> Tree:
    """Return for each model two charts, as the guide drew them: answering and reading."""
    parts: list[Part] = []
    for model in dict.fromkeys(r.model for r in rows):
        mine = [r for r in rows if r.model == model]
        parts.append(Title(_title(mine[0]), chapter=True))
        for kind, head in HEAD_TEXTS.items():
            parts += [Title(Message(head)), chart(mine, kind), Pause()]
    return *parts, Text(say("█ prediction, ▒ up to the end of the 80 % interval, ◆ measured by others"), "note")


def _title(row: Compared) -> Words:
    m = row.ledger.model
    text = f"{m.name} {m.quantization}, {m.bytes / 1e9:.1f} GB"
    if row.judged.overall is None:
        return text
    quality = say("quality {score}", score=spaced(row.judged.overall))
    return say("{model}  {quality}", model=text, quality=quality)


def chart(rows: Sequence[Compared], kind: Shown) -> Table:
    """Return one line for each device, best first; what does not fit is said, not drawn."""
    figures = {r.device: _figure(r, kind) for r in rows}
    scale = max((f.high for f in figures.values() if f), default=1.0)
    best_first = sorted(rows, key=lambda r: -(f.value if (f := figures[r.device]) else 0))
    return Table(CHART, tuple((r.device, *_cells(r, figures[r.device], kind, scale)) for r in best_first))


def _cells(row: Compared, figure: Estimate | None, kind: Shown, scale: float) -> tuple[Cell, ...]:
    if not row.ledger.fits:
        missing = format_bytes(max(float(a.short_by) for a in row.ledger.accounts), 1)
        return "-", Text(say("short by {n}", n=missing), "bad"), ""
    if figure is None:
        return "?", Text(say("bandwidth unknown"), "caution"), ""
    pace = row.judged.speed
    measured = tuple(p.figure for p in pace.points if p.kind == kind and p.users == 1) if pace else ()
    bar = IntervalBar(figure.low, figure.value, figure.high, scale, measured)
    return _digits(figure.value), bar, Text(f"{_digits(figure.low)}-{_digits(figure.high)}", "note")


def _digits(value: float) -> str:
    """Two digits at least: 4 and 4.4 tokens/s are not the same."""
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}"


def _figure(row: Compared, kind: Shown) -> Estimate | None:
    pace = row.judged.speed
    if pace is None or not row.ledger.fits:
        return None
    return pace.decode_each if kind == "decode" else pace.prefill
