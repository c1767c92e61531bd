"""gyakusan fleet: how many machines for many people, and what they cost beside an API."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from gyakusan.cli.computing import computing, import_numpy
from gyakusan.cli.options import Output, Where, _, whole
from gyakusan.cli.plan import Limits, Needs, Wishes
from gyakusan.cli.reader_currency import with_currency
from gyakusan.cli.report_files import Files, write
from gyakusan.cli.writing import draw, warn, write_generated, write_json
from gyakusan.errors import BadSetting
from gyakusan.python.files import question_of
from gyakusan.text import tell

if TYPE_CHECKING:
    from gyakusan.engines.service_files import Service
    from gyakusan.planning.fleet.plan import FleetPlan
    from gyakusan.planning.fleet.recommend import FleetAnswer
    from gyakusan.show.report import Report

app = App(
    name="fleet",
    help="How many machines for many people, and what they cost.",
    help_format="plaintext",
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Machines(Where):
    """The machine, of which a fleet takes several; without one, all that can be bought."""

    device: Annotated[str | None, Parameter(help=_("A catalogue device, e.g. 'RTX 4090'; default: any to buy."))] = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Size:
    """How large."""

    replicas: Annotated[str | None, Parameter(help=_("Most replicas of the server (default 64)."))] = None
    spare: Annotated[str | None, Parameter(help=_("Spare machines for failures (default 0)."))] = None
    nodes: Annotated[str | None, Parameter(help=_("Most machines that one vLLM replica may span (default 4)."))] = None
    network: Annotated[str | None, Parameter(help=_("Network between machines (default 100Gbit/s)."))] = None
    first_address: Annotated[
        str | None, Parameter(help=_("Address of the first machine that a vLLM replica spans, for the commands."))
    ] = None
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


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class View:
    """What is shown of the answer."""

    details: Annotated[
        int | None, Parameter(converter=whole, help=_("Show everything about one fleet of the answer, e.g. 1."))
    ] = None
    command: Annotated[
        int | None, Parameter(converter=whole, help=_("Print only the commands of one fleet, each in one line."))
    ] = None
    all_flags: Annotated[
        bool, Parameter(help=_("With every option, also those that are the server's default."), negative="")
    ] = False

    @property
    def number(self) -> int | None:
        """The number of the fleet, None where none is asked for. Raises BadSetting."""
        if self.details is not None and self.command is not None:
            raise BadSetting("--details and --command were given together.", mend="Give one.")
        return self.command if self.details is None else self.details


@app.default
def fleet(
    file: Annotated[Path | None, Parameter(help=_("A request in TOML or JSON; options win over it."))] = None,
    *,
    needs: Needs = Needs(),
    where: Machines = Machines(),
    size: Size = Size(),
    costs: Costs = Costs(),
    limits: Limits = Limits(),
    wishes: Wishes = Wishes(),
    view: View = View(),
    files: Files = Files(),
    output: Output = Output(),
) -> int:
    """Run `gyakusan fleet` and return its exit code."""
    import_numpy()
    from gyakusan.cli import saved
    from gyakusan.planning.fleet.recommend import fleet as answer
    from gyakusan.planning.fleet.request import parse_fleet_request

    given: dict[str, Any] = {}
    for part in (needs, where, size, costs, limits, wishes):
        given.update(asdict(part))
    given["engines"], given["kv"] = given.pop("engine"), given.pop("kv_type")
    values = {**({} if file is None else question_of(file)), **{k: v for k, v in given.items() if v not in (None, ())}}
    number = view.number
    if number is not None and not values:  # as plan does: the number means the fleets of the last question
        values = saved.last_fleet()
    values = with_currency(values, output.language)
    files.check_alone(None if number is None else "--details" if view.details is not None else "--command")
    with computing():
        found = answer(parse_fleet_request(values))
        _show(found, view, number, files, output)
    saved.keep_fleet(values)
    saved.asked_since("fleet")
    return 0 if found.plans else 1


def _show(found: FleetAnswer, view: View, number: int | None, files: Files, output: Output) -> None:
    """Print the answer, or what is asked for of one fleet. Raises BadSetting for a number that no fleet has."""
    if number is not None and not found.plans:
        raise BadSetting("The answer has no fleet.", mend="Ask without a number: that says what would work.")
    if number is not None and not 1 <= number <= len(found.plans):
        raise BadSetting(
            "The answer has no fleet {number}.", number=number, n=len(found.plans), mend="Give a number from 1 to {n}."
        )

    def report() -> Report:
        from gyakusan.show.report import fleet_report

        return fleet_report(found, show.screen(found))

    from gyakusan.show import fleet as show

    written = write(files, report, output)
    if output.json:
        from gyakusan.documents import fleet as documents

        write_json(documents.fleet(found), output)
    elif view.command is not None:
        _commands(found.plans[view.command - 1], view, output)
    elif view.details is not None:
        from gyakusan.show.fleet_details import details

        servers = _servers(found.plans[view.details - 1], view)
        draw(*details(found, view.details, servers), output=output)
    else:
        draw(*show.screen(found), *written, output=output)


def _commands(plan: FleetPlan, view: View, output: Output) -> None:
    """Print the command of each machine of one replica; what is to be done besides goes to stderr. Raises BadSetting."""
    from gyakusan.cli.plan_views import remarks
    from gyakusan.engines.service_files import shell_line
    from gyakusan.show.fleet_details import start_notes

    servers = _servers(plan, view)
    if not servers:
        raise BadSetting(
            "One replica of this fleet spans {n} machines, and all of them must know the address of the first.",
            n=plan.nodes,
            mend="Add it with --first-address, e.g. --first-address 192.168.0.10.",
        )
    for note in (*start_notes(plan, servers), *remarks(plan.plan, servers[0], needed=True)):
        warn("gyakusan: " + tell(note, output.language))
    for server in servers:
        write_generated(shell_line(server) + "\n")


def _servers(plan: FleetPlan, view: View) -> tuple[Service, ...]:
    """Return how each machine of one replica is started, with a key: the server's own, or that of gyakusan before it."""
    from gyakusan.engines.front_line import front_service
    from gyakusan.engines.service_files import service

    one = plan.plan.deployment
    if not plan.key_variable:
        return tuple(front_service(one, command) for command in plan.commands)
    return tuple(service(one, command, all_flags=view.all_flags, lan=True) for command in plan.commands)
