"""Every quantisation that a repository offers, priced: only the weights differ, by as much as the files do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gyakusan.core.ledger import Account, Ledger
from gyakusan.errors import BadReference
from gyakusan.message import Message, say
from gyakusan.models.repository import Choice
from gyakusan.show.tree import Cell, Column, Table, Text, Title, Tree
from gyakusan.units import GIB

HEAD_TEXTS = ("quant", "file", "total", "verdict")
"""Sizes are GiB."""
COLUMNS = tuple(Column(Message(h), "number" if h in ("file", "total") else "name", whole=True) for h in HEAD_TEXTS)


@dataclass(frozen=True, slots=True)
class Offer:
    """One quantisation of a repository.

    choice: its files
    total: memory over all devices [B]
    fits: every device holds its share
    """

    choice: Choice
    total: int
    fits: bool


def offers(ledger: Ledger, choices: Sequence[Choice]) -> tuple[Offer, ...]:
    """Return every quantisation with its memory, from the ledger of one. Raises BadReference if there are none.

    Cache, compute buffer and overhead do not depend on how weights are stored. The difference of the files is divided
    among the devices as the weights are.
    """
    stored = ledger.model.stored
    sized = [c for c in choices if c.bytes]
    if stored is None or not sized:
        raise BadReference(
            "{name} has no quantisations to choose from.", name=ledger.model.name,
            mend="Give a repository with GGUF files: hf:org/name-GGUF.",
        )  # fmt: skip
    return tuple(_offer(ledger, c, c.bytes - stored.bytes) for c in sized)


def screen(offers: Sequence[Offer], ledger: Ledger) -> Tree:
    """Return the smallest first."""
    title = say(
        "{model} on {machine}: {users} users x {context} tokens, memory in GiB",
        model=ledger.model.name, machine=ledger.accounts[0].device.name, users=ledger.load.users,
        context=f"{ledger.load.context:,}",
    )  # fmt: skip
    return Title(title), Table(COLUMNS, tuple(_row(o) for o in offers))


def _row(offer: Offer) -> tuple[Cell, ...]:
    verdict = Text(say("fits"), "good") if offer.fits else Text(say("does not fit"), "bad")
    return offer.choice.name, f"{offer.choice.bytes / GIB:,.1f}", f"{offer.total / GIB:,.1f}", verdict


def _offer(ledger: Ledger, choice: Choice, more: int) -> Offer:
    weights = ledger.of("weights") or 1
    totals = [(a, int(a.total + more * a.of("weights") // weights)) for a in ledger.accounts]
    return Offer(choice, sum(t for _, t in totals), all(_holds(a, t) for a, t in totals))


def _holds(account: Account, total: int) -> bool:
    usable = account.device.usable
    return usable is None or bool(total <= usable)
