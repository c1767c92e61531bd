"""Plans on the terminal and as JSON."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.message import people, say
from gyakusan.planning.choose import Choice, Plans
from gyakusan.show import document as documents
from gyakusan.show.wrapping import Text
from gyakusan.text import Language, tell
from gyakusan.units import GIB, format_count

HEAD_TEXTS = ("model", "size", "quant", "weights", "KV+state", "total", "left")
"""Sizes are parameters; everything else is GiB."""


def table(plans: Plans, machine: Machine, load: Load, language: Language, most: int) -> RenderableType:
    """The first `most` plans, and what was left out."""
    title = say(
        "{machine}: {users} x {context} tokens, memory in GiB",
        machine=machine.name,
        users=people(load.users),
        context=f"{load.context:,}",
    )
    out = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for i, name in enumerate(HEAD_TEXTS):
        out.add_column(tell(name, language), justify="left" if i in (0, 2) else "right", no_wrap=True)
    for choice in plans.choices[:most]:
        out.add_row(*_row(choice))
    parts: list[RenderableType] = [Text(tell(title, language), style="bold"), out]
    if not plans.choices:
        parts[1] = Text(tell(say("Nothing of the catalogue fits."), language), style="bold red")
    parts.append(Text(tell(_rest(plans, most), language), style="dim"))
    parts.append(Text(tell(say("Ranked by size: speed and quality are not judged yet."), language), style="dim"))
    return Group(*parts)


def _row(choice: Choice) -> tuple[str | Text, ...]:
    ledger = choice.ledger
    kept = ledger.of("kv_cache") + ledger.of("recurrent_state")
    account = ledger.accounts[0]
    return (
        choice.name,
        format_count(ledger.model.parameters),
        Text(choice.quantization, style="yellow" if choice.coarse else ""),
        *(_gib(size) for size in (account.of("weights"), kept, account.total, choice.left)),
    )


def _gib(size: int | None) -> str:
    return "?" if size is None else f"{size / GIB:,.1f}"


def _rest(plans: Plans, most: int) -> Any:
    return say(
        "{shown} of {fits} that fit; {excluded} do not (--all lists them).",
        shown=min(most, len(plans.choices)),
        fits=len(plans.choices),
        excluded=len(plans.excluded),
    )


def excluded(plans: Plans, language: Language) -> RenderableType:
    """Every model that is not offered, with its reason."""
    out = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    for entry in plans.excluded:
        out.add_row(entry.name, Text(tell(entry.reason, language), style="dim"))
    return out


def document(plans: Plans, language: Language) -> dict[str, Any]:
    """The plans as plain values; each carries its whole ledger."""
    return {
        "plans": [
            {
                "model": c.name,
                "quantization": c.quantization,
                "left": c.left,
                "memory": documents.document(c.ledger, language),
            }
            for c in plans.choices
        ],
        "excluded": [{"model": e.name, "reason": tell(e.reason, language)} for e in plans.excluded],
    }
