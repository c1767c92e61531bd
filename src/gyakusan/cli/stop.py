"""gyakusan stop: end a running server, or all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from gyakusan.cli.options import Screen, _
from gyakusan.cli.writing import terminal
from gyakusan.errors import BadReference, BadSetting, GyakusanError

if TYPE_CHECKING:
    from gyakusan.serving.running_servers import RunningServer
    from gyakusan.show.tree import Tree

app = App(name="stop", help="Stop a running server.", help_format="plaintext")


@app.default
def stop(
    name: Annotated[
        str | None, Parameter(help=_("Name of a running server (gyakusan ps); default: the only one that runs."))
    ] = None,
    *,
    every: Annotated[
        bool, Parameter(name="--all", help=_("Stop every server that gyakusan started here."), negative="")
    ] = False,
    screen: Screen = Screen(),
) -> int:
    """Run `gyakusan stop` and return its exit code."""
    from gyakusan.serving import running_servers

    if every:
        if name is not None:
            raise BadSetting("A name and --all were given together.", mend="Give one.")
        return _stop_all(screen)
    if name is None and len(found := running_servers.running()) > 1:
        raise BadReference(
            "Several servers run: {names}.",
            names=", ".join(e.name for e in found),
            mend="Write {one}, or {all} to stop all of them.",
            one=f"gyakusan stop {found[0].name}",
            all="gyakusan stop --all",
        )
    terminal(screen).show(*_stopped(running_servers.find_running(name)))
    return 0


def _stopped(entry: RunningServer) -> Tree:
    """Stop one server, and return what it did. Raises ServerError."""
    from datetime import UTC, datetime

    from gyakusan.serving import running_servers
    from gyakusan.serving.live import read_live
    from gyakusan.show.servers import stopped

    live = read_live(running_servers.live_path(entry.name))
    running_servers.stop(entry)
    return stopped(entry, live, datetime.now(UTC))


def _stop_all(screen: Screen) -> int:
    """Stop all servers side by side; one that cannot be stopped hinders no other. 0 if none is left, also where none was."""
    from concurrent.futures import ThreadPoolExecutor

    from gyakusan.serving import running_servers
    from gyakusan.show.servers import not_stopped
    from gyakusan.show.servers import screen as none_runs

    def one(entry: RunningServer) -> tuple[Tree, int]:
        try:
            return _stopped(entry), 0
        except GyakusanError as error:
            return not_stopped(error), 1

    found = running_servers.running()
    if not found:
        from datetime import UTC, datetime

        terminal(screen).show(*none_runs((), datetime.now(UTC)))
        return 0
    with ThreadPoolExecutor(len(found)) as pool:
        ended = list(pool.map(one, found))
    terminal(screen).show(*(part for tree, _code in ended for part in tree))
    return max(code for _tree, code in ended)
