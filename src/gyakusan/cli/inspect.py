"""gyakusan inspect: what a model needs, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from gyakusan.cli.options import Output, People, Server, Where, Which, _
from gyakusan.errors import BadSetting

if TYPE_CHECKING:
    from gyakusan.api import Question
    from gyakusan.engines.llamacpp.exact import Compared, Dry

app = App(name="inspect", help="What a model needs, and why.", help_format="plaintext")


@app.default
def inspect(
    model: Annotated[str, Parameter(help=_("A file, a directory, an address or a name, e.g. gpt-oss-20b."))],
    *,
    quant: Annotated[str | None, Parameter(help=_("As if quantised so, e.g. Q4_K_M."))] = None,
    why: Annotated[bool, Parameter(help=_("Print each formula with its numbers."), negative="")] = False,
    exact: Annotated[bool, Parameter(help=_("Ask the installed llama.cpp, too (CPU only)."), negative="")] = False,
    offline: Annotated[
        bool, Parameter(help=_("Stay off the network: this computer and the catalogue answer."), negative="")
    ] = False,
    quants: Annotated[
        bool, Parameter(help=_("Price every quantisation of a Hugging Face GGUF repository."), negative="")
    ] = False,
    people: People = People(),
    where: Where = Where(),
    which: Which = Which(),
    server: Server = Server(),
    output: Output = Output(),
) -> int:
    from gyakusan import api

    names = api.engine_names(which.engine)
    alone = len(names) == 1
    first = api.question(
        model,
        quantization=quant,
        load=people.load,
        device=where.device,
        memory=where.memory,
        reserve=where.reserve,
        settings=which.settings(names[0], server, alone),
        pairs=which.pairs,
        server=names[0],
        offline=offline,
    )
    if quants:
        return _quantizations(first, model, offline, output)
    asked = _exact(first, alone) if exact else None
    if not alone:
        return _several(first, names, which, server, output)
    refusals = first.refusals
    if output.json:
        from gyakusan.show.document import document, refused

        found = {} if asked is None else {"exact": _exact_document(*asked)}
        _print({**document(first.ledger, output.language), **refused(refusals, output.language), **found})
    else:
        from gyakusan.show.console import console
        from gyakusan.show.ledger import ledger

        screen = console(colour=output.color)
        screen.print(ledger(first.ledger, first.limits(), output.language, why=why, refusals=refusals))
        if asked is not None:
            from gyakusan.show.exact import comparison

            gpu = first.machine.name if first.engine_settings.backend != "cpu" else None
            screen.print(comparison(*asked, gpu, output.language))
    return 0 if first.ledger.fits and not refusals else 1


def _quantizations(first: Question, model: str, offline: bool, output: Output) -> int:
    """Every quantisation of a repository, with what it needs. 0 if one of them fits."""
    from gyakusan import models
    from gyakusan.show import quantizations

    offers = quantizations.offers(first.ledger, models.quantizations(model, offline=offline))
    if output.json:
        _print(quantizations.document(offers))
    else:
        from gyakusan.show.console import console

        console(colour=output.color).print(quantizations.table(offers, first.ledger, output.language))
    return 0 if any(o.fits for o in offers) else 1


def _exact(asked: Question, alone: bool) -> tuple[tuple[Compared, ...], Dry]:
    """llama.cpp's own figures beside ours. Raises BadSetting for another engine."""
    from gyakusan.engines.llamacpp import exact

    if not alone or asked.rules.NAME != "llama.cpp":
        raise BadSetting("--exact asks llama.cpp, and no other engine.", mend="Add --engine llama.cpp.")
    settings = asked.engine_settings
    (dry,) = exact.ask(asked.model, [settings])
    return exact.compare(asked.model, settings, dry), dry


def _exact_document(rows: tuple[Compared, ...], dry: Dry) -> dict[str, object]:
    from gyakusan.show.exact import document

    return document(rows, dry)


def _several(first: Question, names: Sequence[str], which: Which, server: Server, output: Output) -> int:
    """One table for several engines. 0 if one of them runs it and has room."""
    from gyakusan import api
    from gyakusan.show import engines

    def ask(name: str) -> Question:
        return first.under(name, which.settings(name, server, alone=False), which.pairs)

    found = api.answers(names, ask)
    if output.json:
        _print(engines.document(found, output.language))
    else:
        from gyakusan.show.console import console

        console(colour=output.color).print(
            engines.table(found, first.model, first.machine, first.load, output.language)
        )
    return 0 if any(a.fits for a in found) else 1


def _print(value: object) -> None:
    import json

    print(json.dumps(value, ensure_ascii=False, indent=2))
