"""gyakusan logs: the last lines that a server wrote."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from gyakusan.cli.options import Screen, _, whole
from gyakusan.errors import BadReference, BadSetting

if TYPE_CHECKING:
    from pathlib import Path

    from gyakusan.serving.running_servers import RunningServer

app = App(name="logs", help="Print the end of a server's log.", help_format="plaintext")
EVERY = 0.3
"""A log that is followed is read again so often. [s]"""


@app.default
def logs(
    name: Annotated[
        str | None, Parameter(help=_("Name of a server, also of one that has ended; default: the only one that runs."))
    ] = None,
    *,
    lines: Annotated[int, Parameter(converter=whole, help=_("How many lines, from the end."))] = 40,
    follow: Annotated[
        bool, Parameter(help=_("Go on with new lines until Ctrl-C or the server's end."), negative="")
    ] = False,
    screen: Screen = Screen(),
) -> int:
    """Run `gyakusan logs` and return its exit code."""
    from gyakusan.doors.text import block
    from gyakusan.serving.log_files import last_lines, new_text
    from gyakusan.serving.running_servers import is_alive

    if lines < 1:
        raise BadSetting("--{name} takes {least} or more, not {value}.", name="lines", value=lines, least=1, mend=None)
    path, entry = _log(name)
    told, place = last_lines(path, lines)
    for text in told:
        print(block(text))
    while follow and entry is not None:
        alive = is_alive(entry)
        text, place = new_text(path, place)
        if text:
            print(block(text), end="", flush=True)
        elif not alive:
            break
        time.sleep(EVERY)
    return 0


def _log(name: str | None) -> tuple[Path, RunningServer | None]:
    """Return the log of a server, and the server if it runs. Raises BadReference."""
    from pathlib import Path

    from gyakusan.serving import running_servers

    kept = running_servers.log_path(name) if name is not None and running_servers.NAME.fullmatch(name) else None
    found = next((e for e in running_servers.running() if e.name == name), None) if name is not None else None
    if found is None:
        if kept is not None and kept.is_file():
            return kept, None
        found = running_servers.find_running(name)
    if found.log_file is None:
        raise BadReference("{name} keeps no log.", name=found.name, mend="Start it with --log-file FILE.")
    return Path(found.log_file), found
