"""gyakusan ps: the servers that run on this computer."""

from __future__ import annotations

from cyclopts import App

from gyakusan.cli.options import Output
from gyakusan.cli.writing import draw, write_json

app = App(name="ps", help="Show the servers that gyakusan started and that run.", help_format="plaintext")


@app.default
def ps(*, output: Output = Output()) -> int:
    """Run `gyakusan ps` and return its exit code: 0 even if nothing runs."""
    from gyakusan.serving.live import read_live
    from gyakusan.serving.running_servers import live_path, running

    found = [(entry, read_live(live_path(entry.name))) for entry in running()]
    if output.json:
        from gyakusan.documents.servers import servers

        write_json(servers(found), output)
        return 0
    from datetime import UTC, datetime

    from gyakusan.show.servers import screen

    draw(*screen(found, datetime.now(UTC)), output=output)
    return 0
