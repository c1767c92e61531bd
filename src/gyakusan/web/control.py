"""What the page of this computer shows and acts by; a public copy has none of it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct
from starlette.requests import Request

from gyakusan.doors.scope import catalogue_only
from gyakusan.models.given import given
from gyakusan.web.bench_job import BenchJob
from gyakusan.web.live_servers import LiveServers
from gyakusan.web.opened_files import OpenedFiles
from gyakusan.web.server_starts import Starts


class Control(Struct, frozen=True):
    """One for each start of `gyakusan web`.

    token: that every form holds
    live: servers that run
    starts: servers that are being started
    bench: the bench that runs
    files: that were opened in a page
    """

    token: str
    live: LiveServers
    starts: Starts
    bench: BenchJob
    files: OpenedFiles

    @classmethod
    def new(cls) -> Control:
        """Return one with a token of its own, as nobody has acted yet."""
        return cls(secrets.token_urlsafe(32), LiveServers(), Starts(), BenchJob(), OpenedFiles())


@contextmanager
def seen(request: Request) -> Iterator[None]:
    """Let the questions inside see what a page sees: the catalogue, files that were opened in it, and, at home, this computer."""
    control: Control = request.app.state.control
    with catalogue_only(computer=not request.app.state.public), given(control.files.models):
        yield
