"""gyakusan fleet: past one machine - replicas, machines that one server spans, arrivals, costs beside an API's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from gyakusan.cli.options import Output, Where, _
from gyakusan.cli.plan import Limits, Needs, Wishes, uncollected
from gyakusan.cli.writing import draw, write_json
from gyakusan.python.files import text_of

app = App(
    name="fleet",
    help="Count the machines for many people, and their cost.",
    help_format="plaintext",
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Size:
    """How large."""

    replicas: Annotated[str | None, Parameter(help=_("Most replicas of the server (default 64)."))] = None
    spare: Annotated[str | None, Parameter(help=_("Spare machines for failures (default 0)."))] = None
    nodes: Annotated[str | None, Parameter(help=_("Most machines that one vLLM replica may span (default 4)."))] = None
    network: Annotated[str | None, Parameter(help=_("Network between machines (default 100Gbit/s)."))] = None
    price: Annotated[str | None, Parameter(help=_("Price of one machine named with --device, e.g. 5000000JPY."))] = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Costs:
    """What it costs."""

    months: Annotated[str | None, Parameter(help=_("Months over which the purchase is spread (default 36)."))] = None
    tariff: Annotated[str | None, Parameter(help=_("Price of electricity (default 31JPY/kWh)."))] = None
    pue: Annotated[
        str | None, Parameter(help=_("PUE: power of the building over power of the machines (default 1)."))
    ] = None
    hours: Annotated[str | None, Parameter(help=_("Hours of operation a day (default 24)."))] = None
    upkeep: Annotated[str | None, Parameter(help=_("Upkeep a year, in percent of the purchase (default 0)."))] = None
    api_input: Annotated[
        str | None, Parameter(help=_("API price of a million prompt tokens, to compare, e.g. 0.15USD."))
    ] = None
    api_output: Annotated[
        str | None, Parameter(help=_("API price of a million output tokens, to compare, e.g. 0.6USD."))
    ] = None


@app.default
def fleet(
    file: Annotated[Path | None, Parameter(help=_("A request in TOML or JSON; options win over it."))] = None,
    *,
    needs: Needs = Needs(),
    where: Where = Where(),
    size: Size = Size(),
    costs: Costs = Costs(),
    limits: Limits = Limits(),
    wishes: Wishes = Wishes(),
    output: Output = Output(),
) -> int:
    """Run `gyakusan fleet` and return its exit code."""
    from gyakusan.planning.fleet.recommend import fleet as answer
    from gyakusan.planning.fleet.request import parse_fleet_request
    from gyakusan.planning.request.parse_request import file_values

    given: dict[str, Any] = {}
    for part in (needs, where, size, costs, limits, wishes):
        given.update(asdict(part))
    given["engines"], given["kv"] = given.pop("engine"), given.pop("kv_type")
    said = {} if file is None else file_values(text_of(file), file.name)
    with uncollected():
        found = answer(parse_fleet_request({**said, **{k: v for k, v in given.items() if v is not None}}))
        if output.json:
            from gyakusan.documents import fleet as documents

            write_json(documents.fleet(found), output)
        else:
            from gyakusan.show import fleet as show

            draw(*show.screen(found), output=output)
    return 0 if found.plans else 1
