"""The same question to several engines: one table, and one JSON object for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from gyakusan.api import Answer
from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.model import Model
from gyakusan.message import Message, say
from gyakusan.show import document as documents
from gyakusan.show.ledger import kept
from gyakusan.show.wrapping import Text
from gyakusan.text import Language, tell
from gyakusan.units import GIB, format_bytes

HEAD_TEXTS = ("engine", "verdict", "total", "range", "weights", "KV+state", "scratch")
"""Sizes are GiB, over all devices that compute (RAM beside a GPU is not counted)."""


def table(answers: Sequence[Answer], model: Model, machine: Machine, load: Load, language: Language) -> RenderableType:
    """One row for each engine."""
    title = say(
        "{model} on {machine}: {users} users x {context} tokens, memory in GiB",
        model=model.name,
        machine=machine.name,
        users=load.users,
        context=f"{load.context:,}",
    )
    out = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for i, name in enumerate(HEAD_TEXTS):
        out.add_column(tell(name, language), justify="left" if i < 2 else "right", no_wrap=True)
    for answer in answers:
        out.add_row(*_row(answer, language))
    return Group(
        Text(tell(title, language), style="bold"),
        out,
        Text(),
        *_reasons(answers, language),
        *_reserved(answers, language),
    )


def _reasons(answers: Sequence[Answer], language: Language) -> list[Text]:
    """Below the table: why not, and what to know. A reason of several engines stands once."""
    whose: dict[str, list[str]] = {}
    for answer in answers:
        for message in _why(answer):
            whose.setdefault(tell(message, language), []).append(answer.engine)
    refused = {a.engine for a in answers if a.refusals}
    return [
        Text(f"{', '.join(names)}: {reason}", style="red" if refused.issuperset(names) else "dim")
        for reason, names in whose.items()
    ]


def document(answers: Sequence[Answer], language: Language) -> dict[str, Any]:
    """{"engines": [...]}: the ledger's JSON with "refusals"; only name, "fits" and "refusals" where nothing was priced."""
    return {"engines": [_one(a, language) for a in answers]}


def _one(answer: Answer, language: Language) -> dict[str, Any]:
    told = {"fits": answer.fits, "refusals": [tell(r, language) for r in answer.refusals]}
    if answer.ledger is None:
        return {"engine": {"name": answer.engine}, **told}
    return {**documents.document(answer.ledger, language), **told}


def _row(answer: Answer, language: Language) -> tuple[Text, ...]:
    if answer.ledger is None:
        return (Text(answer.engine), _verdict(answer, language), *(Text("-") for _ in range(5)))
    value = answer.ledger
    counted = [a for a in value.accounts if a.device.kind != "host"] or list(value.accounts)
    low, high = (sum(getattr(a, end) for a in counted) for end in ("low", "high"))
    held = sum(float(a.of("kv_cache") + a.of("recurrent_state")) for a in counted)
    return (
        Text(answer.engine),
        _verdict(answer, language),
        _gib(sum(float(a.total) for a in counted)),
        Text(f"{low / GIB:,.1f}-{high / GIB:,.1f}"),
        _gib(sum(float(a.of("weights")) for a in counted)),
        _gib(held),
        _gib(sum(float(a.of("scratch")) for a in counted)),
    )


def _verdict(answer: Answer, language: Language) -> Text:
    if answer.refusals:
        return Text(tell("refused", language), style="bold red")
    return (
        Text(tell("fits", language), style="green")
        if answer.fits
        else Text(tell("too big", language), style="bold red")
    )


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


def _reserved(answers: Sequence[Answer], language: Language) -> list[Text]:
    """What each device keeps for itself, once."""
    accounts = [a for answer in answers if answer.ledger for a in answer.ledger.accounts]
    return list({t.plain: t for a in accounts for t in kept(a, language)}.values())


def _gib(size: float) -> Text:
    return Text(f"{size / GIB:,.1f}")
