"""`gyakusan serve --detach`: the same command again in the background, waited for until its server is ready."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING

from gyakusan.cli.writing import draw, terminal, warn, write_json
from gyakusan.message import say
from gyakusan.serving import background
from gyakusan.serving.background import MARK, Named
from gyakusan.text import tell

if TYPE_CHECKING:
    from gyakusan.cli.options import Output
    from gyakusan.serving.running_servers import RunningServer

_EVERY = 0.1


def start_detached(named: Named, output: Output) -> int:
    """Start the command that runs now again, in a session of its own, and wait until its server is ready; the exit code."""
    from gyakusan.typed_words import typed

    child = background.launch(named, typed())
    try:
        entry = _wait(child, named, output)
    except BaseException:
        background.end(child)
        raise
    if entry is None:
        return _failed(child, named, output)
    child.returncode = 0  # it goes on without this process, which is no reason for a warning
    if output.json:
        from gyakusan.documents.servers import servers

        write_json(servers([(entry, None)]), output)
    else:
        from gyakusan.show.servers import detached

        draw(*detached(entry), output=output)
    return 0


def _wait(child: subprocess.Popen[bytes], named: Named, output: Output) -> RunningServer | None:
    """Return the entry of a server that is ready, None if its process has ended."""
    progress = terminal(output, stderr=True).progress()
    before = signal.signal(signal.SIGTERM, _terminated)
    begun = time.monotonic()
    starting = say("Starting {name} in the background.", name=named.name)
    try:
        while child.poll() is None:
            found = background.ready(child)
            if found is not None:
                return found
            progress(starting, time.monotonic() - begun)
            time.sleep(_EVERY)
    finally:
        signal.signal(signal.SIGTERM, before)
        progress.close()
    return None


def _terminated(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def _failed(child: subprocess.Popen[bytes], named: Named, output: Output) -> int:
    """Say why a server in the background did not start: the last thing that it said; its exit code."""
    said = background.last_words(named)
    if not said:
        background.check_log(named)
        said = tell(say("{name} ended before it was ready.", name=named.name), output.language)
    warn(MARK + said)
    warn(MARK + tell(say("Its log: {command}", command=f"gyakusan logs {named.name}"), output.language))
    code = child.returncode or 3
    return code if code > 0 else 128 - code  # as a shell counts a process that a signal ended
