"""The screen of every quantisation of a repository, with its memory."""

from __future__ import annotations

from collections.abc import Sequence

from gyakusan.core.ledger import Ledger
from gyakusan.message import Message, say
from gyakusan.planning.predict.quantizations import QuantizationMemory
from gyakusan.show.tree import Cell, Column, Table, Text, Title, Tree
from gyakusan.units import GIB

HEAD_TEXTS = ("quant", "file", "total", "verdict")
"""Sizes are GiB."""
COLUMNS = tuple(Column(Message(h), "number" if h in ("file", "total") else "name") for h in HEAD_TEXTS)


def screen(offers: Sequence[QuantizationMemory], ledger: Ledger) -> Tree:
    """Return the smallest first."""
    title = say(
        "{model} on {machine}: {users} users x {context} tokens, memory in GiB",
        model=ledger.model.name, machine=ledger.accounts[0].device.name, users=ledger.load.users,
        context=f"{ledger.load.context:,}",
    )  # fmt: skip
    return Title(title), Table(COLUMNS, tuple(_row(o) for o in offers))


def _row(offer: QuantizationMemory) -> tuple[Cell, ...]:
    verdict = Text(say("fits"), "good") if offer.fits else Text(say("does not fit"), "bad")
    return offer.choice.name, f"{offer.choice.bytes / GIB:,.1f}", f"{offer.total / GIB:,.1f}", verdict
