"""gyakusan schema: the JSON Schema of a document."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from gyakusan.cli.options import _

app = App(name="schema", help="Show the JSON Schemas of the --json documents.", help_format="plaintext")


@app.default
def schema(
    name: Annotated[str | None, Parameter(help=_("A document, e.g. inspect; without one: their list."))] = None,
) -> int:
    """Run `gyakusan schema` and return its exit code."""
    from gyakusan.documents.schema import DOCUMENTS, written

    print("\n".join(DOCUMENTS) if name is None else written(name), end="\n" if name is None else "")
    return 0
