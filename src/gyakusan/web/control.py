"""What the page of this computer shows and acts by; a public copy has none of it."""

from __future__ import annotations

import secrets

from msgspec import Struct

from gyakusan.web.bench_job import BenchJob
from gyakusan.web.live_servers import LiveServers
from gyakusan.web.server_starts import Starts


class Control(Struct, frozen=True):
    """One for each start of `gyakusan web`.

    token: that every form holds
    live: servers that run
    starts: servers that are being started
    bench: the bench that runs
    """

    token: str
    live: LiveServers
    starts: Starts
    bench: BenchJob

    @classmethod
    def new(cls) -> Control:
        """Return one with a token of its own."""
        return cls(secrets.token_urlsafe(32), LiveServers(), Starts(), BenchJob())
