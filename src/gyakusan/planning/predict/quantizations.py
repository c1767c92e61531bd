"""Memory of every quantisation that a repository offers: only the weights differ, by as much as the files do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gyakusan.core.ledger import Account, Ledger
from gyakusan.errors import BadReference
from gyakusan.models.repository import Choice


@dataclass(frozen=True, slots=True)
class QuantizationMemory:
    """One quantisation of a repository.

    choice: its files
    total: memory over all devices [B]
    fits: every device holds its share
    """

    choice: Choice
    total: int
    fits: bool


def quantization_memory(ledger: Ledger, choices: Sequence[Choice]) -> tuple[QuantizationMemory, ...]:
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
    return tuple(_memory(ledger, c, c.bytes - stored.bytes) for c in sized)


def _memory(ledger: Ledger, choice: Choice, more: int) -> QuantizationMemory:
    weights = ledger.of("weights") or 1
    totals = [(a, int(a.total + more * a.of("weights") // weights)) for a in ledger.accounts]
    return QuantizationMemory(choice, sum(t for _, t in totals), all(_holds(a, t) for a, t in totals))


def _holds(account: Account, total: int) -> bool:
    usable = account.device.usable
    return usable is None or bool(total <= usable)
