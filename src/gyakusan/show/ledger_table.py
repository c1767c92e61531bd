"""Every line of a ledger in one table: what it is, how large, how that is known, by which formula, from which source."""

from __future__ import annotations

from collections.abc import Iterator

from gyakusan.core.ledger import Account, Ledger, Line
from gyakusan.message import Message, say
from gyakusan.show.charts.memory_bar import device_name
from gyakusan.show.formula import formula
from gyakusan.show.ledger import label
from gyakusan.show.tree import Cell, Column, Table, Text, Title, Tree, Words
from gyakusan.show.wording import gib


def ledger_table(value: Ledger) -> Tree:
    """Return the table with a head: a row for each line of each device, then what is usable there."""
    several, names = len(value.accounts) > 1, device_names(value)
    columns = (
        *((Column(say("device")),) if several else ()),
        Column(say("part")),
        Column("GiB", "number"),
        Column(say("range"), "reason"),
        Column(say("basis")),
        Column(say("what it is"), "reason"),
        Column(say("formula"), "reason"),
        Column(say("source"), "reason"),
    )
    rows = tuple(
        row
        for a, name in zip(value.accounts, names, strict=True)
        for row in _rows(value, a, (name,) if several else ())
    )
    return Title(say("The ledger, line by line")), Table(columns, rows)


def device_names(value: Ledger) -> tuple[str, ...]:
    """Return a name for each device: of several GPUs with its number, as other tables count them."""
    gpus = [a for a in value.accounts if a.device.kind != "host"]
    names = []
    for n, account in enumerate(value.accounts):
        name = device_name(account)
        names.append(f"GPU {n}: {name}" if len(gpus) > 1 and account.device.kind != "host" else name)
    return tuple(names)


def _rows(value: Ledger, account: Account, device: tuple[Cell, ...]) -> Iterator[tuple[Cell, ...]]:
    for line in account.lines:
        yield (*device, *_row(value, account, line))
    total = gib(float(account.total))
    yield (*device, say("total"), total, _range(float(account.at_least), float(account.at_most)), "", "", "", "")
    known = account.device
    if known.usable is None:
        yield (*device, say("usable"), "?", "", "", say("capacity unknown"), "", "")
        return
    told = Text(known.reserved_reason, "note") if known.reserved_reason is not None else ""
    worked = f"{known.memory:,} - {known.reserved:,} B"
    source = f"{known.source} ({known.checked})" if known.source and known.checked else known.source
    yield (*device, say("usable"), gib(known.usable), "", Message(known.reserved_basis), told, worked, source)


def _row(value: Ledger, account: Account, line: Line) -> tuple[Cell, ...]:
    if line.grows:
        spread: Words = say("grows up to {high}", high=gib(float(line.greatest)))
    else:
        spread = _range(float(line.least), float(line.greatest))
    size, reason = gib(float(line.bytes)), Text(line.reason, "note")
    return label(line, account), size, spread, Message(line.basis), reason, formula(line.formula), _source(value, line)


def _range(least: float, greatest: float) -> str:
    low, high = gib(least), gib(greatest)
    return "" if low == high else f"{low}-{high}"


def _source(value: Ledger, line: Line) -> str:
    """Return where the figure comes from: the model's files, or the release of the server whose source was read."""
    engine = f"{value.engine.name} {value.engine.version}".rstrip()
    return {"read": value.model.source, "derived": engine}.get(line.basis, "")
