"""A ledger on the terminal: one table for each device, a bar for each line, and what still fits."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from gyakusan.core.ledger import KINDS, Account, Ledger, Line
from gyakusan.message import Message, people, say
from gyakusan.planning.predict.capacity import Capacity
from gyakusan.show.wrapping import Text
from gyakusan.text import Language, tell
from gyakusan.units import format_bytes, format_count, format_decimal

COLOURS = {
    "weights": "cyan",
    "kv_cache": "green",
    "recurrent_state": "bright_green",
    "scratch": "yellow",
    "overhead": "magenta",
}
BAR = 24


def ledger(
    value: Ledger,
    limits: Capacity | None,
    language: Language,
    *,
    why: bool = False,
    refusals: Sequence[Message] = (),
) -> RenderableType:
    """Everything on one screen. refusals: why the engine would not run this at all."""
    parts: list[RenderableType] = [heading(value, language), Text()]
    parts += [Text(tell(r, language), style="bold red") for r in refusals]
    for account in value.accounts:
        parts += [table(account, language, why=why), *kept(account, language), verdict(account, language), Text()]
    if limits is not None:
        parts.append(Text(tell(_limits(limits, value), language)))
    parts += [Text(tell(n, language), style="dim") for n in value.notes]
    return Group(*parts)


def heading(value: Ledger, language: Language) -> RenderableType:
    """Model, engine and load in two lines."""
    m = value.model
    first = say(
        "{name}: {quantization}, {size} on disk, {parameters} parameters, {active} active",
        name=m.name,
        quantization=m.quantization,
        size=format_decimal((m.stored.bytes if m.stored else 0) or m.bytes),
        parameters=format_count(m.parameters),
        active=format_count(m.active_parameters),
    )
    second = say(
        "{engine} {version}, {users} x {context} tokens",
        engine=value.engine.name,
        version=value.engine.version,
        users=people(int(value.load.users)),
        context=f"{value.load.context:,}",
    )
    return Text.assemble((tell(first, language), "bold"), "\n", tell(second, language))


def table(account: Account, language: Language, *, why: bool) -> RenderableType:
    """The lines of one device."""
    out = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    out.add_column(no_wrap=True)
    out.add_column(justify="right", no_wrap=True)
    out.add_column(no_wrap=True)
    out.add_column(overflow="fold", style="dim")
    scale = float(max(account.total, account.device.usable or 0, 1))
    for entry in sorted(account.lines, key=lambda x: KINDS.index(x.kind)):
        out.add_row(*_row(entry, scale, language, why))
    title = Text(f"{account.device.name}  ", style="bold")
    title.append(f"({tell(account.device.kind, language)})", style="dim")
    return Group(title, Padding(out, (0, 0, 0, 2)))


def _row(entry: Line, scale: float, language: Language, why: bool) -> tuple[Text, Text, Text, Text]:
    reason = tell(entry.reason, language)
    if why and entry.formula:
        reason += f"\n= {entry.formula}"
    if why:
        reason += f"\n[{tell(entry.basis, language)}]"
        if entry.least != entry.greatest:
            reason += f" {format_bytes(float(entry.least))} .. {format_bytes(float(entry.greatest))}"
    return (
        Text(tell(entry.kind, language)),
        Text(format_bytes(float(entry.bytes))),
        bar(float(entry.bytes) / scale, COLOURS[entry.kind]),
        Text(reason),
    )


def kept(account: Account, language: Language) -> tuple[Text, ...]:
    """What an engine may not have of a device, and why; nothing where all of it is free."""
    d = account.device
    if not d.reserved or d.memory is None:
        return ()
    facts = {"kept": format_bytes(d.reserved), "memory": format_bytes(d.memory)}
    line = "  " + tell(say("reserved {kept} of {memory} (--reserve changes it)", **facts), language)
    if d.reserved_reason is not None:
        line += f": {tell(d.reserved_reason, language)} [{tell(d.reserved_basis, language)}]"
    return (Text(line, style="dim"),)


def bar(share: float, colour: str) -> Text:
    """A bar of BAR cells; a share above zero shows at least a sliver."""
    eighths = max(round(min(share, 1.0) * BAR * 8), 1 if share > 0 else 0)
    full, rest = divmod(eighths, 8)
    drawn = "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")
    return Text(drawn.ljust(BAR), style=colour)


def verdict(account: Account, language: Language) -> Text:
    """Total against what is usable, in one line."""
    facts = {
        "total": format_bytes(float(account.total)),
        "low": format_bytes(float(account.low)),
        "high": format_bytes(float(account.high)),
        "usable": format_bytes(account.device.usable),
        "left": format_bytes((account.device.usable or 0) - float(account.total)),
        "short": format_bytes(float(account.short_by)),
    }
    if account.device.usable is None:
        message, style = say("total {total} ({low} to {high}), capacity unknown", **facts), "bold"
    elif account.fits:
        message = say("total {total} ({low} to {high}) of {usable}: fits, {left} left", **facts)
        style = "bold green"
        if account.high > account.device.usable:
            message = say("total {total} ({low} to {high}) of {usable}: fits, but not at the high end", **facts)
            style = "bold yellow"
    else:
        message, style = say("total {total} ({low} to {high}) of {usable}: short by {short}", **facts), "bold red"
    return Text("  " + tell(message, language), style=style)


def _limits(limits: Capacity, value: Ledger) -> Message:
    facts = {
        "context": f"{limits.context:,}",
        "users": people(limits.users),
        "asked_users": people(int(value.load.users)),
        "asked_context": f"{value.load.context:,}",
    }
    if limits.context == 0 and limits.users == 0:
        return say("Nothing of this model fits here.")
    if limits.trained:
        return say(
            "Fits at most: {context} tokens each (all that it was trained for) for {asked_users},"
            " or {users} at {asked_context} tokens.",
            **facts,
        )
    return say(
        "Fits at most: {context} tokens each for {asked_users}, or {users} at {asked_context} tokens.",
        **facts,
    )
