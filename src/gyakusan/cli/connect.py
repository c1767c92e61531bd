"""gyakusan connect: what other programs are told of a running server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from gyakusan.cli.options import Output, _
from gyakusan.cli.writing import draw, warn, write_generated, write_json
from gyakusan.errors import BadSetting, ServerError
from gyakusan.text import tell

if TYPE_CHECKING:
    from gyakusan.serving.endpoints import Endpoint

app = App(name="connect", help="Print what other programs need to use a running server.", help_format="plaintext")


@app.default
def connect(
    where: Annotated[
        str | None, Parameter(help=_("Address or name of a server; default: the only one that gyakusan started."))
    ] = None,
    *,
    url: Annotated[str | None, Parameter(help=_("Address of the server instead of its name; it need not run."))] = None,
    model: Annotated[str | None, Parameter(help=_("The model's name there; default: its first."))] = None,
    program: Annotated[
        Literal["curl", "openai-python", "openai-js", "open-webui", "continue", "cline"] | None,
        Parameter(name="--for", help=_("Print the text for this program, and nothing else.")),
    ] = None,
    curl: Annotated[bool, Parameter(help=_("Print one line for curl, and nothing else."), negative="")] = False,
    key_file: Annotated[str | None, Parameter(help=_("File with the API key."))] = None,
    output: Output = Output(),
) -> int:
    """Run `gyakusan connect` and return its exit code."""
    from gyakusan.serving.endpoints import find_endpoint
    from gyakusan.serving.snippets import curl_elsewhere, snippets

    if where is not None and url is not None:
        raise BadSetting("A name and --url were given together.", mend="Give one.")
    endpoint = find_endpoint(where if url is None else url, key_file)
    name = model or _model(endpoint, named=url is not None)
    endpoint = endpoint.shown
    found = snippets(endpoint, name, output.language)
    wanted = "curl" if curl else program
    if wanted is not None:
        _warn_of_reach(endpoint, output)
        write_generated(next(s.text for s in found if s.program == wanted) + "\n")
    elif output.json:
        from gyakusan.documents.connect import connect as document

        write_json(document(endpoint, found), output)
    else:
        from gyakusan.show import connect as show

        draw(*show.screen(endpoint, found, curl_elsewhere(endpoint, name, output.language)), output=output)
    return 0


def _warn_of_reach(endpoint: Endpoint, output: Output) -> None:
    """Say on stderr where no other computer reaches the server."""
    from gyakusan.show.connect import only_here

    if (note := only_here(endpoint)) is not None:
        warn(tell(note, output.language))


def _model(endpoint: Endpoint, *, named: bool) -> str:
    """Return the server's first model. named: an address was given, whose server need not run."""
    from gyakusan.serving.conversation import models_at

    try:
        return next(iter(models_at(endpoint.url, endpoint.key)), "default")
    except ServerError as error:
        if named and error.message.facts.get("status") not in (
            401,
            403,
        ):  # what answers wants a key, which texts need too
            return "default"
        raise
