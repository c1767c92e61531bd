"""gyakusan mcp: the same answers for an assistant, as tools of the Model Context Protocol."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import App, Parameter

from gyakusan.cli.options import _
from gyakusan.cli.writing import warn
from gyakusan.errors import BadSetting
from gyakusan.message import say
from gyakusan.text import choose, tell

app = App(
    name="mcp",
    help="Answer an assistant's questions over the Model Context Protocol (stdin and stdout).",
    help_format="plaintext",
)


@app.default
def mcp(*, lang: Annotated[Literal["en", "ja"] | None, Parameter(help=_("Language of the answers."))] = None) -> int:
    """Run `gyakusan mcp` and return its exit code."""
    try:
        import anyio

        from gyakusan.web.tools import serve
    except ImportError as error:
        if error.name is None or not error.name.startswith("mcp"):
            raise
        raise BadSetting("The tools need the package mcp.", mend="Install it: pip install 'gyakusan[mcp]'") from error
    language = choose(lang)
    if sys.stdin is None or sys.stdout is None:
        raise BadSetting(
            "The tools speak on stdin and stdout, and one of them is closed.", mend="Let an assistant start it."
        )
    if sys.stdin.isatty():
        warn(tell(say("An assistant starts this command and speaks with it; Ctrl-C ends it."), language))
    anyio.run(serve, language)
    return 0
