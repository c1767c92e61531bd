"""What a running server does now, read from its metrics: requests, tokens, waits, memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import httpx2
from msgspec import Struct

from gyakusan.engines.registry import NAMES, engine
from gyakusan.errors import ServerError

if TYPE_CHECKING:
    from gyakusan.serving.endpoints import Endpoint

LARGEST = 8 * 2**20
"""No more is read of a server's metrics. [B]"""
LARGEST_FIGURE = 1e18
"""No counter, and no memory, is larger."""
PATIENCE = 5.0
"""How long a server may take to tell its metrics. [s]"""


class Observed(Struct, frozen=True, kw_only=True):
    """The counters of a server at one moment, all since its start.

    at: when they were read, by the monotonic clock [s]
    requests: that were passed on
    refusals: that were refused
    prompt_tokens: tokens of prompts
    answer_tokens: tokens of answers
    running: requests that are being answered now
    unstreamed: of these, whose tokens count at their end
    waiting: requests that wait for a slot now
    ttft_counts: answers whose first piece came within so many seconds
    planned: memory by device and line, as it was planned [B]
    growing: limit of each of these lines that grows with use [B]
    resident: memory of the server's processes, None if nobody knows [B]
    cache: share of the KV cache that is in use, None if the server does not tell
    """

    at: float
    requests: float = 0.0
    refusals: float = 0.0
    prompt_tokens: float = 0.0
    answer_tokens: float = 0.0
    running: float = 0.0
    unstreamed: float = 0.0
    waiting: float = 0.0
    ttft_counts: tuple[tuple[float, float], ...] = ()
    planned: Mapping[tuple[str, str], float] = {}
    growing: Mapping[tuple[str, str], float] = {}
    resident: float | None = None
    cache: float | None = None


class Rates(Struct, frozen=True, kw_only=True):
    """What a server did between two moments.

    seconds: between them
    requests: that were passed on, a second
    prompt_tokens: tokens of prompts, a second
    answer_tokens: tokens of answers, a second
    ttft: border within which half of the streams began, infinite beyond the last, None without a stream [s]
    """

    seconds: float
    requests: float
    prompt_tokens: float
    answer_tokens: float
    ttft: float | None


def observe(endpoint: Endpoint) -> Observed:
    """Return the counters of a server. Raises ServerError."""
    headers = {} if endpoint.key is None else {"Authorization": f"Bearer {endpoint.key}"}
    url = endpoint.url.removesuffix("/v1") + "/metrics"
    try:
        status, text = asyncio.run(_fetched(url, headers))
    except _TooLarge:
        raise _nothing(endpoint.url) from None
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
        raise ServerError("{url} does not answer.", url=endpoint.url, mend="What runs: gyakusan ps") from error
    if status in (401, 403):
        raise ServerError(
            "{url} shows its metrics to its owner only.", url=endpoint.url, mend="Give its key: --key-file FILE"
        )
    if status != 200:
        raise _nothing(endpoint.url)
    return observed(text.decode("utf-8", "replace"), time.monotonic(), endpoint.url)


class _TooLarge(Exception):
    """A text beyond every list of metrics."""


async def _fetched(url: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """Return status and text of an answer that is whole in time, however it drips."""
    found = b""
    async with (
        asyncio.timeout(PATIENCE),
        httpx2.AsyncClient(trust_env=False, timeout=PATIENCE) as client,
        client.stream("GET", url, headers=headers) as response,
    ):
        async for piece in response.aiter_bytes():
            found += piece
            if len(found) > LARGEST:
                raise _TooLarge
        return response.status_code, found


def observed(text: str, at: float, url: str) -> Observed:
    """Return the counters in metrics of Prometheus. Raises ServerError for another text.

    at: when they were read [s]; url: where, for errors
    """
    found = _samples(text, url)

    def total(name: str, **labels: str) -> float:
        rows = found.get(name, ())
        return sum(value for given, value in rows if labels.items() <= given.items())

    def by_line(name: str) -> dict[tuple[str, str], float]:
        return {(given.get("device", ""), given.get("line", "")): value for given, value in found.get(name, ())}

    shares = [value for name in _cache_metrics() for _, value in found.get(name, ()) if 0 <= value <= 1]
    resident = total("gyakusan_server_resident_bytes")
    return Observed(
        at=at,
        requests=total("gyakusan_requests_total"),
        refusals=total("gyakusan_refusals_total"),
        prompt_tokens=total("gyakusan_tokens_total", kind="prompt"),
        answer_tokens=total("gyakusan_tokens_total", kind="answer"),
        running=total("gyakusan_requests_running"),
        unstreamed=total("gyakusan_requests_unstreamed"),
        waiting=total("gyakusan_requests_waiting"),
        ttft_counts=_buckets(found.get("gyakusan_first_token_seconds_bucket", ())),
        planned=by_line("gyakusan_planned_bytes"),
        growing=by_line("gyakusan_planned_most_bytes"),
        resident=resident or None,
        cache=shares[0] if shares else None,
    )


def _cache_metrics() -> Iterator[str]:
    """Yield the names under which servers tell how much of their KV cache is in use."""
    for name in NAMES:
        server = engine(name).server()
        yield from () if server is None else server.CACHE_METRICS


def _samples(text: str, url: str) -> Mapping[str, list[tuple[Mapping[str, str], float]]]:
    """Return labels and value of the samples of each name; figures that no counter has are left out. Raises ServerError."""
    from prometheus_client.parser import text_string_to_metric_families

    found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                value = float(sample.value)
                if 0 <= value < LARGEST_FIGURE:
                    found.setdefault(sample.name, []).append((sample.labels, value))
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise _nothing(url) from error
    if "gyakusan_requests_running" not in found:
        raise _nothing(url)
    return found


def rates(before: Observed, after: Observed) -> Rates:
    """Return what a server did between two moments; counters that fell began anew, with the server."""
    seconds = max(1e-6, after.at - before.at)

    def each(name: str) -> float:
        more: float = getattr(after, name) - getattr(before, name)
        return max(0.0, more) / seconds

    return Rates(
        seconds=seconds,
        requests=each("requests"),
        prompt_tokens=each("prompt_tokens"),
        answer_tokens=each("answer_tokens"),
        ttft=_half(before.ttft_counts, after.ttft_counts),
    )


def _buckets(rows: Iterable[tuple[Mapping[str, str], float]]) -> tuple[tuple[float, float], ...]:
    found = []
    for given, value in rows:
        try:
            found.append((float(given.get("le", "")), value))
        except ValueError:
            continue
    return tuple(sorted(found))


def _half(before: tuple[tuple[float, float], ...], after: tuple[tuple[float, float], ...]) -> float | None:
    """Return the border of the bucket that holds the median of what came between, None if nothing came."""
    were = dict(before)
    new = [(border, count - were.get(border, 0.0)) for border, count in after]
    if not new or new[-1][1] <= 0:
        return None
    return next((border for border, count in new if count >= new[-1][1] / 2), None)


def _nothing(url: str) -> ServerError:
    return ServerError(
        "{url} tells no metrics of gyakusan.", url=url, mend="Only servers that gyakusan serve started do."
    )
