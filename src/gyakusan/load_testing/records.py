"""What one request of a bench was like: its times, its tokens as the server counted them, and how it ended."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Literal, get_args

FailureKind = Literal[
    "refused",
    "unknown_host",
    "unreachable",
    "connect_timeout",
    "tls",
    "hang",
    "drip",
    "unauthorized",
    "not_found",
    "rate_limited",
    "bad_request",
    "server_error",
    "http_error",
    "cut",
    "garbage",
    "stream_error",
    "empty",
    "not_sent",
    "other",
]
"""Why a request has no answer.

refused: nobody listens on the port
unknown_host: the name has no address
unreachable: the network gave another error
connect_timeout: no connection in time
tls: the server's certificate is not accepted
hang: the server was silent for too long
drip: bytes came, but no end of the answer in time
unauthorized: 401 or 403
not_found: 404
rate_limited: 429
bad_request: another status of 400 to 499
server_error: 500 to 599
http_error: any other status than 200
cut: the connection ended before the answer did
garbage: what came is not HTTP, not a stream of chat completions, or too large
stream_error: the server reported an error within the stream
empty: the answer ended without a token
not_sent: too many requests were open, so that it was never sent
other: another tool counted it and does not say why
"""
FAILURE_KINDS: tuple[FailureKind, ...] = get_args(FailureKind)


@dataclass(frozen=True, slots=True)
class RequestFailure:
    """How a request failed.

    kind: why
    status: of HTTP, 0 where there was none
    detail: what the server or the system said, one printable line; never a prompt, an answer or a key
    """

    kind: FailureKind
    status: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request. Times count from the begin of the bench.

    user: number of the person who asked, from 0
    scheduled: when it was to be sent [s]
    sent: just before it was given to the system [s]
    end: when its last byte came, or when it was given up [s]
    arrivals: when each piece of the answer came, the first token's first [s]
    prompt_tokens: as the server counted, None if it did not [tokens]
    completion_tokens: as the server counted, None if it did not [tokens]
    cached_tokens: prompt tokens that came from the server's cache, None if it does not tell [tokens]
    prefill_rate: by the server's own timings, None if it gives none [tokens/s]
    decode_rate: by the server's own timings, None if it gives none [tokens/s]
    finish: why the answer ended, "" if the server does not tell
    failure: None for an answer that is whole
    """

    user: int
    scheduled: float
    sent: float
    end: float
    arrivals: array[float] = field(default_factory=lambda: array("d"))
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    prefill_rate: float | None = None
    decode_rate: float | None = None
    finish: str = ""
    failure: RequestFailure | None = None

    @property
    def ttft(self) -> float:
        """Time to the first token, from when the request was to be sent [s]."""
        return self.arrivals[0] - self.scheduled

    @property
    def decode_time(self) -> float:
        """From the first token to the last [s]."""
        return self.arrivals[-1] - self.arrivals[0]

    @property
    def e2e(self) -> float:
        """From when the request was to be sent to the last byte of the answer [s]."""
        return self.end - self.scheduled

    @property
    def tpot(self) -> float | None:
        """Mean time of each token after the first, None where the server counted fewer than two [s]."""
        tokens = self.completion_tokens or 0
        return self.decode_time / (tokens - 1) if tokens > 1 and len(self.arrivals) > 1 else None
