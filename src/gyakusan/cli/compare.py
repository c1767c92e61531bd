"""gyakusan compare: devices, models and whole plans side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from gyakusan.cli.computing import computing
from gyakusan.cli.options import Output, People, Server, _
from gyakusan.cli.reader_currency import with_currency
from gyakusan.cli.report_files import Files, write
from gyakusan.cli.writing import draw, write_json
from gyakusan.errors import BadSetting
from gyakusan.python.files import question_of
from gyakusan.text import Language

if TYPE_CHECKING:
    from gyakusan.planning.request.request import PlanRequest
    from gyakusan.show.amounts import Amounts

app = App(name="compare", help="Compare devices, models and plans side by side.", help_format="plaintext")


@app.default
def compare(
    *devices: Annotated[str, Parameter(help=_("Catalogue devices, e.g. 'RTX 5090' 'M4 Max 128GB'."))],
    model: Annotated[tuple[str, ...], Parameter(help=_("A model; repeatable."))] = (),
    plan: Annotated[
        tuple[Path, ...], Parameter(help=_("A request in TOML or JSON; its first plan is compared; repeatable."))
    ] = (),
    quant: Annotated[str | None, Parameter(help=_("Compute with this quantisation, e.g. Q4_K_M."))] = None,
    currency: Annotated[
        str | None, Parameter(help=_("Currency of the answer: JPY, USD, EUR or CHF (default: by country or language)."))
    ] = None,
    people: People = People(),
    server: Server = Server(),
    files: Files = Files(),
    output: Output = Output(),
) -> int:
    """Run `gyakusan compare` and return its exit code."""
    from gyakusan.catalog.devices import largest

    devices = tuple(largest(d) for d in devices)
    told = _amounts(currency, output.language)
    if plan and bool(devices) == bool(model):
        with computing():
            return _plans(plan, devices, model, quant, people, server, told, files, output)
    if not devices:
        raise BadSetting("No device is named.", mend="Name at least one, e.g. 'RTX 5090'.")
    if not model:
        raise BadSetting("No model is named.", mend="Name one with --model, e.g. --model llama3.1-8b.")
    with computing():
        return _devices(devices, model, quant, people, server, told, files, output)


def _devices(
    devices: Sequence[str],
    models: Sequence[str],
    quant: str | None,
    people: People,
    server: Server,
    told: Amounts,
    files: Files,
    output: Output,
) -> int:
    """Models on devices. 0 if one of them fits."""
    from gyakusan import api
    from gyakusan.planning.predict.assessment import assess
    from gyakusan.planning.select.compared_device import device_facts
    from gyakusan.show.compare import Compared, screen
    from gyakusan.show.report import compare_report

    rows = []
    for name in models:
        for device in devices:
            asked = api.deployment(name, quantization=quant, load=people.load, device=device, settings=server.changes())
            value, facts = asked.ledger, device_facts(asked.machine, told.currency)
            rows.append(Compared(asked.model.name, asked.machine.name, value, assess(asked, value), facts))
    written = write(files, lambda: compare_report(rows, screen(rows, told)), output)
    if output.json:
        from gyakusan.documents.compare import compare as document

        write_json(document(rows), output)
    else:
        draw(*screen(rows, told), *written, output=output)
    return 0 if any(r.ledger.fits for r in rows) else 1


def _amounts(currency: str | None, language: Language) -> Amounts:
    """Return how prices are said: in a currency, else in that of the asker's country or language. Raises BadQuantity."""
    from gyakusan.planning.request.money import exchange_rates, parse_currency
    from gyakusan.show.amounts import Amounts

    chosen = with_currency({"currency": currency}, language)["currency"]
    return Amounts(parse_currency(chosen), exchange_rates({}))


def _plans(
    sources: Sequence[Path],
    devices: Sequence[str],
    models: Sequence[str],
    quant: str | None,
    people: People,
    server: Server,
    told: Amounts,
    files: Files,
    output: Output,
) -> int:
    """Whole plans, and models on devices beside them. 0 if one of them fits."""
    from gyakusan import api
    from gyakusan.planning.predict.assessment import assess
    from gyakusan.planning.request.parse_request import parse_request
    from gyakusan.planning.select.side_by_side import compared_device, compared_request
    from gyakusan.show import side_by_side as show
    from gyakusan.show.report import sides_report

    requests = [parse_request(question_of(f)) for f in sources]
    found = [compared_request(f.stem, request) for f, request in zip(sources, requests, strict=True)]
    work, same = requests[0].workload, _same_question(people, requests[0])
    for name in models:
        for device in devices:
            asked = api.deployment(name, quantization=quant, load=same.load, device=device, settings=server.changes())
            value = asked.ledger
            judged = assess(asked, value, work.prompt_tokens, work.output_tokens)
            title = f"{asked.model.name} @ {device}"
            found.append(compared_device(title, asked.machine, value, judged.speed, judged.overall, told.currency))
    written = write(files, lambda: sides_report(found, show.screen(found, told)), output)
    if output.json:
        from gyakusan.documents.compare import compare_plans

        write_json(compare_plans(found), output)
    else:
        draw(*show.screen(found, told), *written, output=output)
    return 0 if any(s.fits for s in found) else 1


def _same_question(people: People, request: PlanRequest) -> People:
    """Return the load of what stands beside a plan: the plan's, where nobody gave another one."""
    usual = People()
    context = f"{request.workload.context}" if people.context == usual.context else people.context
    users = f"{request.users}" if people.users == usual.users else people.users
    return People(context, users)
