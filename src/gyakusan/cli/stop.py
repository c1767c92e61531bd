"""gyakusan stop: end a running server."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from gyakusan.cli.options import Screen, _
from gyakusan.cli.writing import terminal

app = App(name="stop", help="Stop a running server.", help_format="plaintext")


@app.default
def stop(
    name: Annotated[
        str | None, Parameter(help=_("Name of a running server (gyakusan ps); default: the only one that runs."))
    ] = None,
    *,
    screen: Screen = Screen(),
) -> int:
    """Run `gyakusan stop` and return its exit code."""
    from datetime import UTC, datetime

    from gyakusan.serving import running_servers
    from gyakusan.serving.live import read_live
    from gyakusan.show.servers import stopped

    entry = running_servers.find_running(name)
    live = read_live(running_servers.live_path(entry.name))
    running_servers.stop(entry)
    terminal(screen).show(*stopped(entry, live, datetime.now(UTC)))
    return 0
