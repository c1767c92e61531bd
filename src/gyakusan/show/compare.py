"""Devices side by side: a bar for each, its 80 % interval, and what others measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Group, RenderableType
from rich.table import Table

from gyakusan.core.ledger import Ledger
from gyakusan.message import say
from gyakusan.planning.predict.assessment import Assessment
from gyakusan.planning.predict.speed import Estimate
from gyakusan.show.judged import document as judged_document
from gyakusan.show.judged import points
from gyakusan.show.wrapping import Text
from gyakusan.text import Language, tell
from gyakusan.units import format_bytes

BAR = 28
Shown = Literal["decode", "prefill"]
HEAD_TEXTS: dict[Shown, str] = {"decode": "answer tokens/s for each user", "prefill": "prompt tokens/s"}


@dataclass(frozen=True, slots=True)
class Compared:
    """One model on one device."""

    model: str
    device: str
    ledger: Ledger
    judged: Assessment


def charts(rows: Sequence[Compared], language: Language) -> RenderableType:
    """For each model two charts, as the guide drew them: answering and reading."""
    parts: list[RenderableType] = []
    for model in dict.fromkeys(r.model for r in rows):
        mine = [r for r in rows if r.model == model]
        parts += [_title(mine[0], language)]
        for kind in HEAD_TEXTS:
            parts += [Text(tell(HEAD_TEXTS[kind], language), style="bold"), chart(mine, kind, language), Text()]
    parts.append(Text(tell("█ likely, ▒ up to the 80 % interval, ◆ measured by others", language), style="dim"))
    return Group(*parts)


def _title(row: Compared, language: Language) -> RenderableType:
    m = row.ledger.model
    text = f"{m.name} {m.quantization}, {m.bytes / 1e9:.1f} GB"
    if row.judged.overall is not None:
        text += "  " + tell(say("quality {score}", score=points(row.judged.overall)), language)
    return Text(text, style="bold underline")


def chart(rows: Sequence[Compared], kind: Shown, language: Language) -> Table:
    """One line for each device, best first; what does not fit is said, not drawn."""
    out = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=False)
    for justify in ("left", "right", "left", "left"):
        out.add_column(justify=justify, no_wrap=bool(out.columns))  # long names break, figures do not
    figures = {r.device: _figure(r, kind) for r in rows}
    most = max((f.high for f in figures.values() if f), default=1.0)
    for row in sorted(rows, key=lambda r: -(f.value if (f := figures[r.device]) else 0)):
        out.add_row(row.device, *_cells(row, figures[row.device], kind, most, language))
    return out


def _cells(row: Compared, figure: Estimate | None, kind: Shown, most: float, language: Language) -> tuple[Text, ...]:
    if not row.ledger.fits:
        short = format_bytes(max(float(a.short_by) for a in row.ledger.accounts), 1)
        return Text("-"), Text(tell(say("short by {n}", n=short), language), style="red"), Text()
    if figure is None:
        return Text("?"), Text(tell("bandwidth not known", language), style="yellow"), Text()
    seen = [p.figure for p in row.judged.pace.points if p.kind == kind and p.users == 1] if row.judged.pace else []
    return (
        Text(_digits(figure.value)),
        bar(figure, seen, most),
        Text(f"{_digits(figure.low)}-{_digits(figure.high)}", style="dim"),
    )


def _digits(value: float) -> str:
    """Two digits at least: 4 and 4.4 tokens/s are not the same."""
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}"


def _figure(row: Compared, kind: Shown) -> Estimate | None:
    found = row.judged.pace
    if found is None or not row.ledger.fits:
        return None
    return found.decode_each if kind == "decode" else found.prefill


def bar(figure: Estimate, seen: Sequence[float], most: float) -> Text:
    """The figure as a bar of BAR cells at most, its interval as a lighter end, measured points on it."""
    most = max(most, *seen) if seen else most
    low, value, high = (round(BAR * x / most) for x in (figure.low, figure.value, figure.high))
    cells = ["█"] * max(value, 1) + ["▒"] * max(0, high - value)
    for x in seen:
        at = min(BAR - 1, round(BAR * x / most))
        cells += [" "] * (at + 1 - len(cells))
        cells[at] = "◆"
    out = Text("".join(cells))
    out.stylize("cyan", 0, low)
    return out


def document(rows: Sequence[Compared]) -> list[dict[str, Any]]:
    """Rows as plain values; measured points with their source."""
    return [
        {
            "model": r.model,
            "device": r.device,
            "fits": r.ledger.fits,
            **judged_document(r.judged),
            "measured": [
                {"kind": p.kind, "users": p.users, "engine": p.engine, "value": p.figure, "source": p.source}
                for p in (r.judged.pace.points if r.judged.pace else ())
            ],
        }
        for r in rows
    ]
