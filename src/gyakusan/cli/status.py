"""gyakusan status: what running servers do and hold now."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from gyakusan.cli.options import Output, _
from gyakusan.cli.writing import draw, write_json

app = App(name="status", help="Show what a running server does and holds now.", help_format="plaintext")


@app.default
def status(
    name: Annotated[str | None, Parameter(help=_("Name of a running server (gyakusan ps); default: all."))] = None,
    *,
    output: Output = Output(),
) -> int:
    """Run `gyakusan status` and return its exit code."""
    from gyakusan.serving.live import read_live
    from gyakusan.serving.running_servers import find_running, live_path, nothing_runs, running

    entries = running() if name is None else (find_running(name),)
    if not entries:
        raise nothing_runs()
    found = [(entry, read_live(live_path(entry.name))) for entry in entries]
    if output.json:
        from gyakusan.documents.servers import servers

        write_json(servers(found), output)
        return 0
    from datetime import UTC, datetime

    from gyakusan.show import servers as show
    from gyakusan.show.tree import Next, Pause, whole

    now = datetime.now(UTC)
    for number, (entry, live) in enumerate(found):
        draw(*((Pause(),) if number else ()), *show.status(entry, live, now), output=output)
    first = found[0][0].name
    draw(Pause(), Next(tuple(whole(f"gyakusan {c} {first}") for c in ("logs", "stop"))), output=output)
    return 0
