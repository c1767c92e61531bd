"""gyakusan accuracy: how right we are, from recorded truth."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from gyakusan.cli.options import Output, _
from gyakusan.cli.writing import draw, write_json
from gyakusan.errors import unknown
from gyakusan.message import say

app = App(
    name="accuracy", help="Show the accuracy of the predictions, from recorded measurements.", help_format="plaintext"
)


@app.command(name="memory", help="Memory errors by engine, backend and architecture, with the worst cases.")
def memory(
    *,
    engine: Annotated[str | None, Parameter(help=_("Only this engine: llama.cpp, ollama, vllm or mlx."))] = None,
    output: Output = Output(),
) -> int:
    """Run `gyakusan accuracy memory` and return its exit code."""
    from gyakusan.catalog import accuracy
    from gyakusan.show import accuracy as shown

    sections = accuracy.memory()
    if engine is not None:
        chosen = tuple(s for s in sections if _plain(s.engine) == _plain(engine))
        if not chosen:
            raise unknown(say("engine"), engine, sorted({s.engine for s in sections}), choices=True)
        sections = chosen
    if output.json:
        from gyakusan.documents.accuracy import MemoryAccuracyJson

        write_json(MemoryAccuracyJson(memory=sections), output)
    else:
        draw(*shown.memory(sections), output=output)
    return 0


def _plain(name: str) -> str:
    return name.casefold().removesuffix("-lm")


@app.command(name="speed", help="Speed errors against published measurements.")
def speed(*, output: Output = Output()) -> int:
    """Run `gyakusan accuracy speed` and return its exit code."""
    from gyakusan.catalog import accuracy
    from gyakusan.show import accuracy as shown

    found = accuracy.speed()
    if output.json:
        from gyakusan.documents.accuracy import SpeedAccuracyJson

        write_json(SpeedAccuracyJson(speed=found), output)
    else:
        draw(*shown.speed(found), output=output)
    return 0 if found is not None else 1
