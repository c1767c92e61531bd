"""Whole plans side by side: a row for each fact, a column for each plan, and bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from gyakusan.message import Message, say
from gyakusan.planning.predict.speed import Estimate
from gyakusan.planning.select.side_by_side import ComparedPlan, p_better_than_first
from gyakusan.show import plan as plans
from gyakusan.show.compare import HEAD_TEXTS, Shown, bar
from gyakusan.show.plain import brief, command
from gyakusan.show.question import SCORE_TEXTS
from gyakusan.show.wrapping import Text
from gyakusan.text import Language, tell
from gyakusan.units import GIB, format_bytes

ROW_TEXTS = (
    "model",
    "engine",
    "machine",
    "GiB",
    "tokens/s",
    "first s",
    "quality",
    "better than the first",
    "JPY",
    "watts",
)


def screen(sides: Sequence[ComparedPlan], language: Language) -> RenderableType:
    """The table, two charts, the commands."""
    parts: list[RenderableType] = [_table(sides, language)]
    if any(s.pace for s in sides):
        parts += [Text(), _chart(sides, "decode", language), Text(), _chart(sides, "prefill", language)]
    for side in (s for s in sides if s.command is not None):
        parts.append(Text(f"{side.title}:", style="bold"))
        parts.append(Text("  " + command(side.command), style="cyan") if side.command else Text())
    return Group(*parts)


def _table(sides: Sequence[ComparedPlan], language: Language) -> Table:
    out = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    out.add_column("")
    for side in sides:
        out.add_column(side.title, justify="left")
    found = p_better_than_first(sides)
    cells = [_cells(s, p, language) for s, p in zip(sides, found, strict=True)]
    for i, name in enumerate(ROW_TEXTS):
        out.add_row(tell(name, language), *(column[i] for column in cells))
    return out


def _cells(side: ComparedPlan, chance: float | None, language: Language) -> tuple[str, ...]:
    """One column."""
    if side.ledger is None:
        return (tell(say("no plan"), language), *("-" for _ in ROW_TEXTS[1:]))
    account = side.ledger.accounts[0]
    size = f"{account.total / GIB:.1f}"
    if not side.fits:
        size += " (" + tell(_short(side), language) + ")"
    quality = "?"
    if side.score is not None:
        quality = f"{side.score.value:.0f}±{side.score.error:.0f} ({tell(SCORE_TEXTS[side.column], language)})"
    return (
        f"{side.model} {side.quantization}",
        side.ledger.engine.name,
        brief(side.machine),
        size,
        plans.shown_range(side.pace if side.fits else None, "decode_each"),
        plans.shown_range(side.pace if side.fits else None, "ttft"),
        quality,
        "-" if chance is None else f"{100 * chance:.0f} %",
        "-" if side.price is None else f"{side.price:,.0f}",
        "?" if side.power is None else f"{side.power:,.0f}",
    )


def _short(side: ComparedPlan) -> Message:
    accounts = side.ledger.accounts if side.ledger else ()
    return say("short by {n}", n=format_bytes(max((float(a.short_by) for a in accounts), default=0), 1))


def _chart(sides: Sequence[ComparedPlan], kind: Shown, language: Language) -> RenderableType:
    """A bar for each plan with its interval."""
    figures = [_figure(s, kind) for s in sides]
    most = max((f.high for f in figures if f), default=1.0)
    out = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, title=tell(HEAD_TEXTS[kind], language))
    out.title_justify, out.show_header = "left", False
    for justify in ("left", "right", "left", "left"):
        out.add_column(justify=justify, no_wrap=justify == "right")
    for side, figure in zip(sides, figures, strict=True):
        if figure is None:
            out.add_row(side.title, "-", "", "")
        else:
            span = Text(f"{figure.low:,.0f}-{figure.high:,.0f}", style="dim")
            out.add_row(side.title, f"{figure.value:,.0f}", bar(figure, (), most), span)
    return out


def _figure(side: ComparedPlan, kind: Shown) -> Estimate | None:
    if side.pace is None or not side.fits:
        return None
    return side.pace.decode_each if kind == "decode" else side.pace.prefill


def document(sides: Sequence[ComparedPlan], language: Language) -> list[dict[str, Any]]:
    """Columns as plain values; a plan carries its whole ledger."""
    return [_document(s, p, language) for s, p in zip(sides, p_better_than_first(sides), strict=True)]


def _document(side: ComparedPlan, chance: float | None, language: Language) -> dict[str, Any]:
    score, account = side.score, side.ledger.accounts[0] if side.ledger else None
    return {
        "title": side.title,
        "fits": side.fits,
        "model": side.model or None,
        "quantization": side.quantization or None,
        "machine": side.machine or None,
        "engine": side.ledger.engine.name if side.ledger else None,
        "total": None if account is None else int(account.total),
        "tokens_per_second": _plain(_figure(side, "decode")),
        "prefill": _plain(_figure(side, "prefill")),
        "first_token": _plain(side.pace.ttft if side.pace and side.fits else None),
        "quality": None
        if score is None
        else {"value": round(float(score.value), 2), "error": round(float(score.error), 2), "score": side.column},
        "better_than_first": None if chance is None else round(chance, 3),
        "price_jpy": None if side.price is None else round(side.price),
        "power_w": side.power,
        "plan": None if side.plan is None else plans.plan_document(side.plan, language),
    }


def _plain(figure: Estimate | None) -> dict[str, float] | None:
    return None if figure is None else {"value": figure.value, "low": figure.low, "high": figure.high}
