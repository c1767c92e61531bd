"""What the RAM of a machine lacks where the GPUs hold the models, and more of it as a way out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

from gyakusan.machines import ram_bytes
from gyakusan.message import Message, say
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import missing_memory
from gyakusan.planning.select.ranking import rank_candidates, ranked_for_role
from gyakusan.units import GIB

SIZES = tuple(2**n for n in range(2, 10))
"""RAM that computers are sold with. [GiB]"""
MOST_TRIED = 5
"""Sizes that are tried beyond what was given."""
NEAREST_TRIED = 12
"""Candidates whose ledgers are asked what they lack."""


class MoreRam(Struct, frozen=True):
    """A size of RAM that is tried.

    option: as it is typed behind --ram
    change: the same for people
    effort: how large the change is, beside others: RAM is the smallest of purchases
    """

    option: str
    change: Message
    effort: float


def larger_ram(request: PlanRequest) -> Iterator[MoreRam]:
    """Yield sizes of RAM above what the request gives its machine, the least first; none where it gives none."""
    if request.ram is None:
        return
    given = ram_bytes(request.ram) / GIB
    for size in [n for n in SIZES if n > given][:MOST_TRIED]:
        effort = math.log2(size / max(0.5, given)) / 4
        yield MoreRam(f"{size}GiB", say("{n} GiB of RAM", n=f"{size}"), effort)


def missing_ram(request: PlanRequest, grid: SweepResult) -> float | None:
    """Return the least RAM that the first candidates lack [B], None where another memory is short, or nothing.

    The sweep looks at the memory of the GPUs; what a server keeps in RAM is known to the engine's ledger alone.
    """
    if not len(grid.cells):
        return None
    first = islice(ranked_for_role("balanced", rank_candidates(request, grid), request), NEAREST_TRIED)
    short = [account for index in first if (account := missing_memory(request, grid, index)) is not None]
    if not short or any(account.device.kind != "host" for account in short):
        return None
    return min(float(account.short_by) for account in short)
