"""gyakusan inspect: what a model needs, and why."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from gyakusan.cli.options import Output, People, Server, Where, _

app = App(name="inspect", help="What a model needs, and why.", help_format="plaintext")


@app.default
def inspect(
    model: Annotated[str, Parameter(help=_("A file, a directory, an address or a name, e.g. gpt-oss-20b."))],
    *,
    quant: Annotated[str | None, Parameter(help=_("As if quantised so, e.g. Q4_K_M."))] = None,
    why: Annotated[bool, Parameter(help=_("Print each formula with its numbers."), negative="")] = False,
    people: People = People(),
    where: Where = Where(),
    server: Server = Server(),
    output: Output = Output(),
) -> int:
    from gyakusan import api

    answer = api.question(
        model,
        quantization=quant,
        load=people.load,
        device=where.device,
        memory=where.memory,
        settings=server.changes(),
    )
    if output.json:
        import json

        from gyakusan.show.document import document

        print(json.dumps(document(answer.ledger, output.language), ensure_ascii=False, indent=2))
    else:
        from gyakusan.show.console import console
        from gyakusan.show.ledger import ledger

        console(colour=output.color).print(ledger(answer.ledger, answer.limits(), output.language, why=why))
    return 0 if answer.ledger.fits else 1
