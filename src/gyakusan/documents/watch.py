"""The JSON of `gyakusan watch`."""

from __future__ import annotations

from math import isinf
from typing import Literal

from msgspec import Struct, field

from gyakusan.documents.common import catalogue_date
from gyakusan.serving.observed import Observed, Rates


class PlannedMemoryJson(Struct, frozen=True, kw_only=True):
    """A line of the ledger as it was planned.

    device: that holds it
    part: what it pays for
    bytes: as planned [B]
    at_most: limit up to which it grows with use, null if it does not grow [B]
    """

    device: str
    part: str
    bytes: float
    at_most: float | None


class WatchJson(Struct, frozen=True, kw_only=True):
    """What a running server does now.

    schema: name and version of this form
    catalogue: date of the catalogue
    name: of the server, "" for an address
    url: its OpenAI base
    running: requests that are being answered
    unstreamed: of these, whose answer comes as a whole: its tokens count at its end
    waiting: requests that wait for a slot
    requests: that were passed on since the start
    refusals: that were refused since the start
    prompt_tokens: tokens of prompts since the start
    answer_tokens: tokens of answers since the start
    seconds: of the last look, null at the first
    requests_per_s: since the look before, null at the first [1/s]
    prompt_tokens_per_s: since the look before, null at the first [tokens/s]
    answer_tokens_per_s: since the look before, null at the first [tokens/s]
    ttft: border within which half of the streams began since the look before, null without one or beyond the last [s]
    memory: lines of the ledger
    resident_bytes: memory of the server's processes, null if nobody knows [B]
    cache_share: share of the KV cache that is in use, null if the server does not tell
    """

    name: str
    url: str
    running: int
    unstreamed: int
    waiting: int
    requests: int
    refusals: int
    prompt_tokens: int
    answer_tokens: int
    seconds: float | None
    requests_per_s: float | None
    prompt_tokens_per_s: float | None
    answer_tokens_per_s: float | None
    ttft: float | None
    memory: tuple[PlannedMemoryJson, ...]
    resident_bytes: float | None
    cache_share: float | None
    schema: Literal["gyakusan/watch/1"] = "gyakusan/watch/1"
    catalogue: str = field(default_factory=catalogue_date)


def watch(name: str, url: str, now: Observed, rates: Rates | None) -> WatchJson:
    """Return what a server does. rates: since the look before."""
    return WatchJson(
        name=name,
        url=url,
        running=int(now.running),
        unstreamed=int(now.unstreamed),
        waiting=int(now.waiting),
        requests=int(now.requests),
        refusals=int(now.refusals),
        prompt_tokens=int(now.prompt_tokens),
        answer_tokens=int(now.answer_tokens),
        seconds=None if rates is None else rates.seconds,
        requests_per_s=None if rates is None else rates.requests,
        prompt_tokens_per_s=None if rates is None else rates.prompt_tokens,
        answer_tokens_per_s=None if rates is None else rates.answer_tokens,
        ttft=None if rates is None or rates.ttft is None or isinf(rates.ttft) else rates.ttft,
        memory=tuple(
            PlannedMemoryJson(device=d, part=p, bytes=b, at_most=now.growing.get((d, p)))
            for (d, p), b in now.planned.items()
        ),
        resident_bytes=now.resident,
        cache_share=now.cache,
    )
