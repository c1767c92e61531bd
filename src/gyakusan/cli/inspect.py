"""gyakusan inspect: what a model needs, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from gyakusan.cli.options import Images, Offline, Output, People, Server, Where, Which, _
from gyakusan.cli.writing import draw, write_json
from gyakusan.engines.registry import DEFAULT
from gyakusan.errors import BadSetting

if TYPE_CHECKING:
    from gyakusan.engines.deployment import Deployment
    from gyakusan.engines.server import DryRunBuild, DryRunLine

app = App(name="inspect", help="Show the memory a model takes, and why.", help_format="plaintext")


@app.default
def inspect(
    model: Annotated[str, Parameter(help=_("A file, a directory, an address or a name, e.g. gpt-oss-20b."))],
    *,
    quant: Annotated[str | None, Parameter(help=_("Compute with this quantisation, e.g. Q4_K_M."))] = None,
    why: Annotated[bool, Parameter(help=_("Print each formula with its numbers."), negative="")] = False,
    exact: Annotated[
        bool, Parameter(help=_("Compare with a dry run of the installed llama.cpp (CPU only)."), negative="")
    ] = False,
    offline: Offline = False,
    quants: Annotated[
        bool, Parameter(help=_("Show every quantisation of a Hugging Face GGUF repository."), negative="")
    ] = False,
    images: Images = False,
    people: People = People(),
    where: Where = Where(),
    which: Which = Which(),
    server: Server = Server(),
    output: Output = Output(),
) -> int:
    """Run `gyakusan inspect` and return its exit code."""
    from gyakusan import api

    names = api.engine_names(which.engine)
    alone = len(names) == 1
    first = api.deployment(
        model,
        quantization=quant,
        load=people.load,
        **where.named,
        settings=which.settings(names[0], server, alone),
        pairs=which.pairs,
        server=names[0],
        offline=offline,
        images=images,
    )
    if quants:
        return _quantizations(first, model, offline, output)
    asked = _exact(first, alone) if exact else None
    return _one(first, asked, why, output) if alone else _several(first, names, which, server, output)


def _one(asked: Deployment, dry: tuple[Sequence[DryRunLine], DryRunBuild] | None, why: bool, output: Output) -> int:
    """The ledger of one engine. dry: llama.cpp's own figures beside ours. 0 if it runs and has room."""
    from gyakusan.planning.predict.assessment import assess

    refusals, value = asked.refusals, asked.ledger
    if output.json:
        from gyakusan.documents import ledger as documents

        exact = {} if dry is None else {"exact": documents.dry_run(*dry)}
        write_json(documents.inspect(value, assess(asked, value), refusals, **exact), output)
    else:
        from gyakusan.planning.predict.capacity import find_capacity
        from gyakusan.show import assessment, ledger

        parts = ledger.screen(value, find_capacity(asked), why=why, refusals=refusals)
        if not refusals:
            parts += assessment.screen(assess(asked, value))
        if dry is not None:
            from gyakusan.show import dry_run

            on_cpu = asked.rules.compute_settings(asked.machine, asked.settings).on_cpu
            parts += dry_run.screen(*dry, None if on_cpu else asked.machine.name)
        draw(*parts, output=output)
    return 0 if value.fits and not refusals else 1


def _quantizations(first: Deployment, model: str, offline: bool, output: Output) -> int:
    """Every quantisation of a repository, with what it needs. 0 if one of them fits."""
    from gyakusan import models
    from gyakusan.planning.predict.quantizations import quantization_memory
    from gyakusan.show import quantizations

    value = first.ledger
    offers = quantization_memory(value, models.quantizations(model, offline=offline))
    if output.json:
        from gyakusan.documents import ledger as documents

        write_json(documents.quantizations(offers), output)
    else:
        draw(*quantizations.screen(offers, value), output=output)
    return 0 if any(o.fits for o in offers) else 1


def _exact(asked: Deployment, alone: bool) -> tuple[Sequence[DryRunLine], DryRunBuild]:
    """llama.cpp's own figures beside ours. Raises BadSetting for another engine."""
    if not alone or asked.engine != DEFAULT:
        raise BadSetting("--exact works with llama.cpp only.", mend="Add --engine llama.cpp.")
    return asked.server.dry_run(asked.model, asked.settings)


def _several(first: Deployment, names: Sequence[str], which: Which, server: Server, output: Output) -> int:
    """One table for several engines. 0 if one of them runs it and has room."""
    from gyakusan import api

    def ask(name: str) -> Deployment:
        return first.under(name, {**which.settings(name, server, alone=False), **api.overrides(name, which.pairs)})

    found = api.answers(names, ask)
    if output.json:
        from gyakusan.documents import ledger as documents

        write_json(documents.engines(found), output)
    else:
        from gyakusan.show import engines

        draw(*engines.screen(found, first.model, first.machine, first.load), output=output)
    return 0 if any(a.fits for a in found) else 1
