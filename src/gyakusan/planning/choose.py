"""From a machine and a load back to the models of the catalogue that fit, each at its best quantisation.

First form: by memory alone. Larger models come first; speed and quality are not judged yet, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.core.model import Model
from gyakusan.message import Message, say
from gyakusan.units import format_bytes

LADDER = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")
"""Quantisations tried, best first."""
COARSE = ("Q3_K_M", "Q2_K")
"""Below 4 bits: listed after the others, whatever the size of the model."""

Price = Callable[[Model, Load], Ledger]
"""A model and a load -> its ledger, with machine and settings fixed."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model of the catalogue: its name, the quantisations worth trying (best first), and how to get it at one of them."""

    name: str
    trained_context: int
    quantizations: Sequence[str]
    at: Callable[[str], Model]


@dataclass(frozen=True, slots=True)
class Choice:
    """A model that fits, at its best quantisation. left: usable memory less the total, on the device that binds [B]."""

    name: str
    quantization: str
    ledger: Ledger
    left: int | None

    @property
    def coarse(self) -> bool:
        """True below 4 bits."""
        return self.quantization in COARSE


@dataclass(frozen=True, slots=True)
class Excluded:
    """A model that is not offered, and why."""

    name: str
    reason: Message


@dataclass(frozen=True, slots=True)
class Plans:
    """choices: what fits, largest first; excluded: the rest."""

    choices: tuple[Choice, ...]
    excluded: tuple[Excluded, ...]


def plan(candidates: Iterable[Candidate], load: Load, price: Price) -> Plans:
    """Every candidate, fitted or excluded."""
    choices, excluded = [], []
    for candidate in candidates:
        found = fit(candidate, load, price)
        if isinstance(found, Choice):
            choices.append(found)
        else:
            excluded.append(found)
    choices.sort(key=lambda c: (c.coarse, -c.ledger.model.parameters, c.name))
    return Plans(tuple(choices), tuple(excluded))


def fit(candidate: Candidate, load: Load, price: Price) -> Choice | Excluded:
    """The candidate at its best quantisation that fits, or why none does."""
    if 0 < candidate.trained_context < load.context:
        facts = {"trained": f"{candidate.trained_context:,}", "asked": f"{load.context:,}"}
        return Excluded(candidate.name, say("trained for {trained} tokens, {asked} asked", **facts))
    ledger = None
    for quantization in _ladder(candidate, load, price):
        ledger = price(candidate.at(quantization), load)
        if ledger.fits:
            return Choice(candidate.name, quantization, ledger, _left(ledger))
    assert ledger is not None
    short = max(a.short_by for a in ledger.accounts)
    facts = {"quantization": ledger.model.quantization, "short": format_bytes(short)}
    return Excluded(candidate.name, say("even {quantization} is short by {short}", **facts))


def _ladder(candidate: Candidate, load: Load, price: Price) -> Sequence[str]:
    """The quantisations to try: only the smallest where it does not fit either, as the others are larger."""
    smallest = candidate.quantizations[-1]
    return candidate.quantizations if price(candidate.at(smallest), load).fits else (smallest,)


def _left(ledger: Ledger) -> int | None:
    known = [a.device.usable - a.total for a in ledger.accounts if a.device.usable is not None]
    return min(known) if known else None
