"""The page of this computer: what it offers, and the servers that gyakusan started on it. A public copy has no such page."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from gyakusan.message import say
from gyakusan.show import machine as machines
from gyakusan.show import servers
from gyakusan.web.rendering import page


def draw(request: Request) -> Response:
    """Return the page. Raises GyakusanError."""
    from gyakusan.machines import this_computer_noted
    from gyakusan.serving.live import read_live
    from gyakusan.serving.running_servers import live_path, running

    machine, notes = this_computer_noted()
    found = [(entry, read_live(live_path(entry.name))) for entry in running()]
    return page(
        request, "computer.html", say("This computer"), machine=machines.screen(machine, notes),
        servers=servers.screen(found, datetime.now(UTC)),
    )  # fmt: skip
