"""gyakusan web: the same answers as pages in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from gyakusan.cli.options import _, whole
from gyakusan.cli.writing import warn
from gyakusan.message import say
from gyakusan.text import Language, choose, tell

app = App(name="web", help="Show the same answers as pages in a browser.", help_format="plaintext")
PORT = 8501


@app.default
def web(
    *,
    host: Annotated[
        str, Parameter(help=_("Address to listen on; others than this computer's need --public."))
    ] = "127.0.0.1",
    port: Annotated[int, Parameter(converter=whole, help=_("Port to listen on; 0 takes a free one."))] = PORT,
    open_: Annotated[bool, Parameter(name="--open", help=_("Open the page in the browser."))] = True,
    public: Annotated[
        bool, Parameter(help=_("A copy for a team: nothing of this computer is shown."), negative="")
    ] = False,
    export: Annotated[
        Path | None,
        Parameter(help=_("Write the read-only pages as files for any static host, e.g. --export site, and end.")),
    ] = None,
    allow_host: Annotated[
        tuple[str, ...], Parameter(help=_("Another name by which the page may be called; repeatable."), negative="")
    ] = (),
    lang: Annotated[Literal["en", "ja"] | None, Parameter(help=_("Language of the output."))] = None,
) -> int:
    """Run `gyakusan web` and return its exit code."""
    from gyakusan.web.running import serve

    language = choose(lang)
    if export is not None:
        return _export(export, language)

    def ready(taken: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{taken}/" + ("" if language == "en" else "?lang=ja")
        warn(tell(say("The pages are at {address} (Ctrl-C ends them).", address=address), language))
        if open_:
            from webbrowser import open_new_tab

            open_new_tab(address)

    serve(host, port, allow_host, public=public, ready=ready)
    return 0


def _export(folder: Path, language: Language) -> int:
    """Write the pages and say where they are."""
    from gyakusan.doors.files import expanded
    from gyakusan.web.export import export

    count = export(expanded(folder))
    warn(
        tell(
            say("{n} files were written; begin with {file}.", n=f"{count:,}", file=str(folder / "index.html")), language
        )
    )
    return 0
