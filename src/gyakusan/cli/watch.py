"""gyakusan watch: what a running server does now."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from gyakusan.cli.options import Output, _
from gyakusan.cli.writing import terminal, write_json

if TYPE_CHECKING:
    from gyakusan.serving.endpoints import Endpoint
    from gyakusan.serving.observed import Observed, Rates

app = App(name="watch", help="Show what a running server does: requests, speed, memory.", help_format="plaintext")


@app.default
def watch(
    server: Annotated[
        str | None,
        Parameter(help=_("Name of a running server (gyakusan ps), or its address; default: the only one that runs.")),
    ] = None,
    *,
    every: Annotated[str, Parameter(help=_("Time between two looks."))] = "2s",
    once: Annotated[bool, Parameter(help=_("Look twice, print, and end."), negative="")] = False,
    key_file: Annotated[str | None, Parameter(help=_("File with the API key of the server's owner."))] = None,
    output: Output = Output(),
) -> int:
    """Run `gyakusan watch` and return its exit code: 0 when it is ended."""
    from gyakusan.load_testing.workload import parse_seconds
    from gyakusan.serving.endpoints import find_endpoint
    from gyakusan.serving.observed import observe, rates

    pause = parse_seconds(every)
    endpoint = find_endpoint(server, key_file)
    before = observe(endpoint)
    view = _View(endpoint, output, once=once)
    if not once:
        view.show(before, None)
    try:
        while True:
            time.sleep(pause)
            now = observe(endpoint)
            view.show(now, rates(before, now))
            if once:
                return 0
            before = now
    except KeyboardInterrupt:
        return 0
    finally:
        view.close()


class _View:
    """The looks: one JSON document each, or one screen that is drawn anew in place."""

    def __init__(self, endpoint: Endpoint, output: Output, *, once: bool) -> None:
        self._endpoint = endpoint
        self._output = output
        self._screen = None if output.json else terminal(output).redrawn(in_place=not once)

    def show(self, now: Observed, rates: Rates | None) -> None:
        """Show one look."""
        if self._screen is None:
            from gyakusan.documents.watch import watch as document

            found = document(self._endpoint.name, self._endpoint.url, now, rates)
            write_json(found, self._output, indent=None)
            return
        from gyakusan.machines import gpu_memory
        from gyakusan.show.watch import devices, screen

        gpus = gpu_memory() if self._endpoint.name else ()  # an address may be that of another computer
        self._screen.show(*screen(self._endpoint.name or self._endpoint.url, now, rates), *devices(gpus))

    def close(self) -> None:
        """Leave the last look on the screen."""
        if self._screen is not None:
            self._screen.close()
