"""A ledger on a screen: one table for each device, a bar for each line, and what still fits."""

from __future__ import annotations

from collections.abc import Sequence

from gyakusan.core.ledger import KINDS, Account, Ledger, Line
from gyakusan.message import Message, people, say
from gyakusan.planning.predict.capacity import Capacity
from gyakusan.show.tree import Bar, Cell, Column, Pause, Section, Table, Text, Title, Tree
from gyakusan.units import format_bytes, format_count, format_decimal

COLUMNS = (Column(), Column(kind="number"), Column(kind="bar"), Column(kind="reason"))


def screen(value: Ledger, limits: Capacity | None, *, why: bool = False, refusals: Sequence[Message] = ()) -> Tree:
    """Return everything on one screen. why: with formulas; refusals: why the engine would not run this at all."""
    return (
        *heading(value),
        Pause(),
        *(Text(r, "fails") for r in refusals),
        *(part for account in value.accounts for part in (device(account, why=why), Pause())),
        *(() if limits is None else (Text(_limits(limits, value)),)),
        *(Text(n, "note") for n in value.notes),
    )


def heading(value: Ledger) -> Tree:
    """Return model, engine and load in two lines."""
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
    return Title(first), Text(second)


def device(account: Account, *, why: bool) -> Section:
    """Return the lines of one device, what it keeps for itself, and the verdict."""
    scale = float(max(account.total, account.device.usable or 0, 1))
    lines = sorted(account.lines, key=lambda x: KINDS.index(x.kind))
    table = Table(COLUMNS, tuple(_row(line, scale, why) for line in lines))
    head = Title(account.device.name, aside=Message(account.device.kind))
    return Section(head, (table, *reserved(account), verdict(account)))


def _row(line: Line, scale: float, why: bool) -> tuple[Cell, ...]:
    facts: dict[str, object] = {"reason": line.reason, "formula": line.formula, "basis": Message(line.basis)}
    template = "{reason}"
    if why:
        template += ("\n= {formula}" if line.formula else "") + "\n[{basis}]"
    if why and line.least != line.greatest:
        template += " {low} .. {high}"
        facts |= {"low": format_bytes(float(line.least)), "high": format_bytes(float(line.greatest))}
    share = Bar(float(line.bytes) / scale)
    return Message(line.kind), format_bytes(float(line.bytes)), share, Message(template, facts)


def reserved(account: Account) -> tuple[Text, ...]:
    """Return what an engine may not have of a device, and why; nothing where all of it is free."""
    d = account.device
    if not d.reserved or d.memory is None:
        return ()
    facts = {"kept": format_bytes(d.reserved), "memory": format_bytes(d.memory)}
    line = say("{kept} of {memory} is reserved (--reserve)", **facts)
    if d.reserved_reason is not None:
        basis = Message(d.reserved_basis)
        line = say("{line}: {reason} [{basis}]", line=line, reason=d.reserved_reason, basis=basis)
    return (Text(line, "note"),)


def verdict(account: Account) -> Text | Title:
    """Return the total against what is usable, in one line."""
    facts = {
        "total": format_bytes(float(account.total)),
        "low": format_bytes(float(account.low)),
        "high": format_bytes(float(account.high)),
        "usable": format_bytes(account.device.usable),
        "left": format_bytes((account.device.usable or 0) - float(account.total)),
        "short": format_bytes(float(account.short_by)),
    }
    if account.device.usable is None:
        return Title(say("total {total} ({low} to {high}), capacity unknown", **facts))
    if not account.fits:
        return Text(say("total {total} ({low} to {high}) of {usable}: short by {short}", **facts), "fails")
    if account.high > account.device.usable:
        return Text(
            say("total {total} ({low} to {high}) of {usable}: may not fit, the high end is over", **facts), "doubt"
        )
    return Text(say("total {total} ({low} to {high}) of {usable}: fits, {left} to spare", **facts), "fits")


def _limits(limits: Capacity, value: Ledger) -> Message:
    facts = {
        "context": f"{limits.context:,}",
        "users": people(limits.users),
        "asked_users": people(int(value.load.users)),
        "asked_context": f"{value.load.context:,}",
    }
    if limits.context == 0 and limits.users == 0:
        return say("The model does not fit, even with the shortest context.")
    if limits.trained:
        return say(
            (
                "At most {context} tokens each for {asked_users} (its whole trained context), or {users} at "
                "{asked_context} tokens."
            ),
            **facts,
        )
    return say(
        "At most {context} tokens each for {asked_users}, or {users} at {asked_context} tokens.",
        **facts,
    )
