"""The same question to several engines: one table, and one JSON object for each."""

from __future__ import annotations

from collections.abc import Sequence

from gyakusan.api import Answer
from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.model import Model
from gyakusan.message import Message, say
from gyakusan.show.ledger import reserved
from gyakusan.show.tree import Cell, Pause, Section, Table, Text, Title, Tree, columns
from gyakusan.units import GIB, format_bytes

HEAD_TEXTS = ("engine", "verdict", "total", "range", "weights", "KV+state", "scratch")
"""Sizes are GiB, over all devices that compute (RAM beside a GPU is not counted)."""


def screen(answers: Sequence[Answer], model: Model, machine: Machine, load: Load) -> Tree:
    """Return one row for each engine, then why not and what to know."""
    title = say(
        "{model} on {machine}: {users} users x {context} tokens, memory in GiB",
        model=model.name,
        machine=machine.name,
        users=load.users,
        context=f"{load.context:,}",
    )
    table = Table(columns(HEAD_TEXTS, 2), tuple(_row(a) for a in answers))
    return Title(title), table, Pause(), *_reasons(answers), Section(None, _reserved(answers))


def _reasons(answers: Sequence[Answer]) -> tuple[Text, ...]:
    """Below the table: why not, and what to know. A reason of several engines stands once."""
    whose: dict[str, tuple[Message, list[str]]] = {}
    for answer in answers:
        for message in _why(answer):
            whose.setdefault(str(message), (message, []))[1].append(answer.engine)
    refused = {a.engine for a in answers if a.refusals}
    return tuple(
        Text(
            say("{engines}: {reason}", engines=", ".join(names), reason=reason),
            "bad" if refused.issuperset(names) else "note",
        )
        for reason, names in whose.values()
    )


def _row(answer: Answer) -> tuple[Cell, ...]:
    if answer.ledger is None:
        return answer.engine, _verdict(answer), "-", "-", "-", "-", "-"
    value = answer.ledger
    counted = [a for a in value.accounts if a.device.kind != "host"] or list(value.accounts)
    low, high = sum(float(a.low) for a in counted), sum(float(a.high) for a in counted)
    state = sum(float(a.of("kv_cache") + a.of("recurrent_state")) for a in counted)
    return (
        answer.engine,
        _verdict(answer),
        _gib(sum(float(a.total) for a in counted)),
        f"{low / GIB:,.1f}-{high / GIB:,.1f}",
        _gib(sum(float(a.of("weights")) for a in counted)),
        _gib(state),
        _gib(sum(float(a.of("scratch")) for a in counted)),
    )


def _verdict(answer: Answer) -> Text:
    if answer.refusals:
        return Text(say("refused"), "fails")
    return Text(say("fits"), "good") if answer.fits else Text(say("too large"), "fails")


def _why(answer: Answer) -> Sequence[Message]:
    """Reasons: refusals, else what is short, else the engine's notes."""
    if answer.refusals or answer.ledger is None:
        return answer.refusals
    return (*_short(answer.ledger), *answer.ledger.notes)


def _short(value: Ledger) -> list[Message]:
    return [
        say("{name} is short by {short}.", name=a.device.name, short=format_bytes(float(a.short_by)))
        for a in value.accounts
        if not a.fits
    ]


def _reserved(answers: Sequence[Answer]) -> tuple[Text, ...]:
    """What each device keeps for itself, once."""
    accounts = [a for answer in answers if answer.ledger for a in answer.ledger.accounts]
    return tuple({str(t.words): t for a in accounts for t in reserved(a)}.values())


def _gib(size: float) -> str:
    return f"{size / GIB:,.1f}"
