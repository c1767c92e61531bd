"""gyakusan plan: from hardware and people back to the models that fit."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from gyakusan.cli.options import Output, People, Server, Where, _
from gyakusan.cli.writing import draw, write_json

app = App(name="plan", help="From hardware and people back to the models that fit.", help_format="plaintext")


@app.default
def plan(
    *,
    show_all: Annotated[
        bool, Parameter(name="--all", help=_("List everything, also what does not fit."), negative="")
    ] = False,
    people: People = People(),
    where: Where = Where(),
    server: Server = Server(),
    output: Output = Output(),
) -> int:
    from gyakusan import api

    machine, load = api.machine_for(where.device, where.memory, where.reserve), people.load(0)
    plans = api.plans(machine, load, server.changes())
    if output.json:
        from gyakusan.show.plan import document

        write_json(document(plans, output.language))
    else:
        from gyakusan.show.plan import excluded, table

        most = len(plans.choices) if show_all else 15
        draw(table(plans, machine, load, output.language, most), output=output)
        if show_all:
            draw(excluded(plans, output.language), output=output)
    return 0 if plans.choices else 1
