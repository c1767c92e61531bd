"""The same question to several engines: one verdict, one table, and what to know of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gyakusan.api import Answer
from gyakusan.core.ledger import Account, Ledger
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.model import Model
from gyakusan.message import Listed, Message, people, say
from gyakusan.show.inspect import SAID_ELSEWHERE
from gyakusan.show.ledger import spare_or_short
from gyakusan.show.tree import (
    Cell,
    Column,
    Fact,
    Facts,
    Next,
    Pause,
    Question,
    Table,
    Text,
    Tone,
    Tree,
    Verdict,
    whole,
)
from gyakusan.show.wording import gib, machine_words

VERDICT_TEXTS = {"fits": "fits", "unsure": "may not fit", "short": "does not fit"}
TONES: Mapping[str, Tone] = {"fits": "good", "unsure": "caution", "short": "bad"}
HEAD_TEXTS = ("server", "verdict", "range", "spare", "tokens up to")
"""Sizes are GiB (a column behind the verdict), over all devices that compute; "spare" is that of the fullest device."""


def screen(
    answers: Sequence[Answer], model: Model, machine: Machine, load: Load, longest: Mapping[str, int] | None = None
) -> Tree:
    """Return one row for each engine, then why not and what to know. longest: context that fits each user [tokens]."""
    columns = (
        *(Column(Message(h)) for h in HEAD_TEXTS[:2]),
        Column("GiB", "number"),
        *(Column(Message(h), "number" if n else "name") for n, h in enumerate(HEAD_TEXTS[2:])),
    )
    question = say("{users} x {context} tokens", users=people(int(load.users)), context=f"{load.context:,}")
    reasons = _reasons(answers)
    sure = next((a.engine for a in sorted(answers, key=lambda a: a.in_ram) if a.fits), None)
    step = say("add {flag}", flag=f"--engine {sure}") if sure else say("add {flag}", flag="--engine llama.cpp")
    return (
        _verdict(answers, model, machine),
        Pause(),
        Question((question,)),
        Pause(),
        Table(columns, tuple(_row(a, (longest or {}).get(a.engine)) for a in answers), indent=1),
        *((Pause(), Facts(reasons)) if reasons else ()),
        Pause(),
        Next((step,)),
    )


def _verdict(answers: Sequence[Answer], model: Model, machine: Machine) -> Verdict:
    """Return under which engines it fits, and which one leaves most memory."""
    told = {"model": whole(model.name), "machine": machine_words(machine)}
    fitting = [a for a in answers if a.fits]
    if fitting:
        names = Listed(tuple(_name(a) for a in fitting))
        if len(fitting) == 1:
            return Verdict((say("{model} *fits* on {machine} under {engines}.", **told, engines=names),), tone="fits")
        roomy = max(fitting, key=lambda a: (not a.in_ram, _spare(a.ledger)))
        sentence = say(
            "{model} *fits* on {machine} under {engines}; {roomy} leaves most memory.",
            **told,
            engines=names,
            roomy=roomy.engine,
        )
        return Verdict((sentence,), tone="fits")
    if any(a.ledger is not None and a.ledger.fit == "unsure" and not a.refusals for a in answers):
        return Verdict((say("{model} *may not fit* on {machine} under any of these servers.", **told),), tone="doubt")
    return Verdict((say("{model} *does not fit* on {machine} under any of these servers.", **told),), tone="fails")


def _name(answer: Answer) -> Message:
    """Return an engine under which a model fits, and whether that is so only with a part of it in RAM."""
    template = "{name} (a part in RAM)" if answer.in_ram else "{name}"
    return Message(template, {"name": answer.engine})


def _spare(value: Ledger | None) -> float:
    """Return what is surely to spare on the fullest device [B]."""
    spare = None if value is None else value.tightest.spare
    return float("inf") if spare is None else float(spare)


def _row(answer: Answer, longest: int | None) -> tuple[Cell, ...]:
    value = answer.ledger
    if value is None or answer.refusals:
        return answer.engine, Text(say("refused"), "bad"), "-", "-", "-", "-"
    counted = [a for a in value.accounts if a.device.kind != "host"] or list(value.accounts)
    low, high = sum(float(a.at_least) for a in counted), sum(float(a.at_most) for a in counted)
    spare = value.tightest.spare
    return (
        answer.engine,
        Text(say("part in RAM"), "caution")
        if answer.in_ram and value.fit == "fits"
        else Text(Message(VERDICT_TEXTS[value.fit]), TONES[value.fit]),
        gib(sum(float(a.total) for a in counted)),
        f"{gib(low)}-{gib(high)}",
        "?" if spare is None else spare_or_short(float(spare)),
        f"{longest:,}" if longest else "-",
    )


def _reasons(answers: Sequence[Answer]) -> tuple[Fact, ...]:
    """Return why not, and what to know of each engine. What holds for several engines stands once."""
    whose: dict[str, tuple[Message, list[str]]] = {}
    for answer in answers:
        for message in _why(answer):
            whose.setdefault(str(message), (message, []))[1].append(answer.engine)
    out: dict[str, list[Message]] = {}
    for message, names in whose.values():
        out.setdefault(", ".join(names), []).append(message)
    return tuple(Fact(names, tuple(messages)) for names, messages in out.items())


def _why(answer: Answer) -> Sequence[Message]:
    """Return refusals, else the engine's notes and what each device keeps for itself."""
    if answer.refusals or answer.ledger is None:
        return answer.refusals
    notes = (n for n in answer.ledger.notes if n.template not in SAID_ELSEWHERE)
    return (*notes, *(m for a in answer.ledger.accounts for m in _limit(a)))


def _limit(account: Account) -> tuple[Message, ...]:
    """Return why an engine may not have all of a device, where it is the engine's own rule."""
    d = account.device
    if d.reserved_basis != "derived" or d.reserved_reason is None:
        return ()
    return (d.reserved_reason,)
