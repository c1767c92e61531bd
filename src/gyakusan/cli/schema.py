"""gyakusan schema: the JSON Schema of a document."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from gyakusan.cli.options import _

app = App(name="schema", help="The JSON Schemas of what --json prints.", help_format="plaintext")


@app.default
def schema(
    name: Annotated[str | None, Parameter(help=_("A document, e.g. inspect; default: the list of them."))] = None,
) -> int:
    """Run `gyakusan schema` and return its exit code."""
    from gyakusan.documents.schema import DOCUMENTS, written

    print("\n".join(DOCUMENTS) if name is None else written(name), end="\n" if name is None else "")
    return 0
