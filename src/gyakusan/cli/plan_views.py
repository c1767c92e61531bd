"""What `gyakusan plan` prints of an answer: the screen, one plan in full, or text to use."""

from __future__ import annotations

import shutil
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from msgspec import structs

from gyakusan.cli.options import Output, _, whole
from gyakusan.cli.report_files import Files, write
from gyakusan.cli.writing import draw, warn, write_generated, write_json
from gyakusan.errors import BadSetting, GyakusanError
from gyakusan.message import Message, say
from gyakusan.text import tell

if TYPE_CHECKING:
    from gyakusan.cli.saved import SavedAnswer, SavedPlan
    from gyakusan.engines.service_files import Service
    from gyakusan.planning.select.plan import Plan
    from gyakusan.planning.select.recommendation import Recommendation
    from gyakusan.show.report import Report
    from gyakusan.show.tree import Tree


COLUMNS, LINES = 80, 24
"""The screen on which an answer fits. [cells], [lines]"""
LEAST_ROWS = 3
"""Plans that stand there in any case."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Views:
    """What is shown besides."""

    show_all: Annotated[
        bool,
        Parameter(name="--all", help=_("List every plan that nothing beats, and what was left out."), negative=""),
    ] = False
    what_if: Annotated[
        bool, Parameter(help=_("Show what one more person, twice the context or one more card changes."), negative="")
    ] = False
    show_max: Annotated[
        bool, Parameter(name="--max", help=_("Show the longest context and the most people of each plan."), negative="")
    ] = False
    csv: Annotated[bool, Parameter(help=_("Print every plan that nothing beats as CSV."), negative="")] = False
    why_not: Annotated[str | None, Parameter(help=_("Explain why this model, engine or device is not plan 1."))] = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Use:
    """One plan of the answer, to read or to use. Without a question: of the last answer."""

    details: Annotated[int | None, Parameter(converter=whole, help=_("Show plan N in full."))] = None
    command: Annotated[
        int | None, Parameter(converter=whole, help=_("Print the command of plan N, one line and nothing else."))
    ] = None
    compose: Annotated[int | None, Parameter(converter=whole, help=_("Print a Compose file for plan N."))] = None
    systemd: Annotated[int | None, Parameter(converter=whole, help=_("Print a systemd unit for plan N."))] = None
    all_flags: Annotated[
        bool, Parameter(help=_("With every option, also those that are the server's default."), negative="")
    ] = False
    lan: Annotated[
        bool, Parameter(help=_("Open the server to the network, with a key that is kept in a file."), negative="")
    ] = False
    ui: Annotated[bool, Parameter(help=_("Keep the server's own chat page."))] = True
    save: Annotated[
        Path | None,
        Parameter(help=_("Save question and plans in this file, for plan FILE and serve FILE --dry-run.")),
    ] = None

    @property
    def number(self) -> int | None:
        """The number of the plan, None where none is asked for."""
        given = [n for n in (self.details, self.command, self.compose, self.systemd) if n is not None]
        if len(given) > 1:
            raise BadSetting("--details, --command, --compose and --systemd were given together.", mend="Give one.")
        return given[0] if given else None


def check_together(views: Views, use: Use, output: Output) -> None:
    """Raise BadSetting for two forms of one answer: a document, a table, the text of one plan."""
    forms = {"--json": output.json, "--csv": views.csv, "--details N": use.number is not None and use.details}
    forms |= {"--command N": use.command, "--compose N": use.compose, "--systemd N": use.systemd}
    given = [name for name, value in forms.items() if value is not None and value is not False]
    if any(n is not None for n in (use.command, use.compose, use.systemd)):  # text to use has no place for a view
        shown = {"--all": views.show_all, "--what-if": views.what_if, "--max": views.show_max}
        given += [name for name, value in (shown | {"--why-not": views.why_not is not None}).items() if value]
    beside = [name for name, value in (("--all", views.show_all), ("--max", views.show_max)) if value]
    if views.what_if and beside and not output.json:  # on a screen it is an answer of its own; a document has all
        given += ["--what-if", *beside]
    if len(given) > 1:
        raise BadSetting("{options} were given together.", options=", ".join(given), mend="Give one.")


def text_form(views: Views, use: Use) -> str | None:
    """Return the option that asks for text of one plan or for a table, None without one."""
    names = ("details", "command", "compose", "systemd")
    return "--csv" if views.csv else next((f"--{n}" for n in names if getattr(use, n) is not None), None)


def answered(
    found: Recommendation, views: Views, use: Use, files: Files, output: Output, saved: SavedAnswer | None
) -> int:
    """Print an answer; the exit code. saved: what was recommended when the question was asked before, None = never."""
    written = write(files, lambda: _report(found, views, output, lan=use.lan), output)
    if output.json:
        _document(found, views, output)
    elif views.csv:
        from gyakusan.show.plan_listing import comma_separated

        print(comma_separated(found), end="")
    elif use.number is not None:
        _remark(found, saved, output)
        return _one(found, use, use.number, output, saved)
    else:
        _remark(found, saved, output)
        draw(*_screen(found, views, output, lan=use.lan), *written, output=output)
    return 0 if found.plans else 1


def _report(found: Recommendation, views: Views, output: Output, *, lan: bool) -> Report:
    from gyakusan.show.report import plan_report

    return plan_report(found, _screen(found, views, output, lan=lan))


def _document(found: Recommendation, views: Views, output: Output) -> None:
    from gyakusan.documents.plan import recommendation
    from gyakusan.planning.select.plan_capacity import plan_capacities
    from gyakusan.planning.select.what_if import what_if
    from gyakusan.planning.select.why_not import why_not

    document = recommendation(
        found,
        why=None if views.why_not is None else why_not(found, views.why_not),
        changes=what_if(found) if views.what_if else (),
        capacities=plan_capacities(found) if views.show_max else (),
        everything=views.show_all,
    )
    write_json(document, output)


def _screen(found: Recommendation, views: Views, output: Output, *, lan: bool) -> Tree:
    """Return one screen: of the view that was asked for, else the answer."""
    from gyakusan.show import plan as show

    if not found.plans:
        return _none(found, views)
    if views.why_not is not None:
        from gyakusan.planning.select.why_not import why_not
        from gyakusan.show.why_not import reasons

        return reasons(found, why_not(found, views.why_not))
    if views.what_if:
        from gyakusan.planning.select.what_if import what_if
        from gyakusan.show.what_if import changes

        return changes(found, what_if(found))
    parts = _fitting(found, output, lan=lan)
    if views.show_max:
        from gyakusan.planning.select.plan_capacity import plan_capacities

        parts += show.capacities(plan_capacities(found))
    if views.show_all:
        from gyakusan.show.plan_listing import listing

        parts += listing(found)
    return parts


def _fitting(found: Recommendation, output: Output, *, lan: bool) -> Tree:
    """Return the answer as it fits on a screen of 80 columns and 24 lines: fewer notes, then a row less, then no next step."""
    from gyakusan.show import plan as show
    from gyakusan.show.terminal import lines

    def fits(parts: Tree) -> bool:
        return sum(1 for _ in lines(parts, output.language, COLUMNS)) <= LINES

    absent = not lan and _absent(found, found.plans[0])
    here = {"absent": absent, "served": not absent or _served(found.plans[0])}
    for answer, choices in _shorter(found):

        @cache
        def drawn(place: int, answer: Recommendation = answer, choices: bool = choices) -> Tree:
            items, shared = show.SHORTER[place]
            return show.screen(answer, items=items, shared=shared, lan=lan, choices=choices, **here)

        last = len(show.SHORTER) - 1  # each is no longer than the one before
        parts = drawn(bisect_left(range(last), True, key=lambda n: fits(drawn(n))))
        if fits(parts):
            break
    return parts


def _absent(found: Recommendation, plan: Plan) -> bool:
    """Return True for a plan of this computer whose command names a program that is not on its PATH."""
    request = found.request
    here = request.owned and request.device is None and request.memory is None
    return here and shutil.which(plan.command.argv[0]) is None


def _served(plan: Plan) -> bool:
    """Return True if `gyakusan serve` finds a server for a plan: that of an installation need not be on PATH."""
    try:
        plan.deployment.server.find_program("auto")
    except GyakusanError:
        return False
    return True


def _shorter(found: Recommendation) -> Iterator[tuple[Recommendation, bool]]:
    """Yield an answer and whether the next step stands below it, from the longest to the shortest screen.

    The last of many rows can be left out (--details N shows it still), unless it is the cheapest or another row names it.
    """
    answers = [found]
    while len(answers[-1].plans) > LEAST_ROWS and not _needs_last(answers[-1]):
        answers.append(structs.replace(found, plans=answers[-1].plans[:-1]))
    yield from ((answer, True) for answer in answers[:2] if answer is found or len(answer.plans) > LEAST_ROWS)
    yield from ((answer, False) for answer in answers)


def _needs_last(found: Recommendation) -> bool:
    from gyakusan.show.plan_words import complete_rows

    plans, last = found.plans, len(found.plans) - 1
    named = any(plan.tied_with == last + 1 for plan in plans) or next(complete_rows(found.request, plans), None) == last
    return named or "cheapest" in plans[-1].roles


def _none(found: Recommendation, views: Views) -> Tree:
    """Return why there is no plan, with everything that was left out where that is asked for."""
    from gyakusan.planning.select.ways_out import no_plan
    from gyakusan.show.why_not import none, reasons

    if views.why_not is not None:
        from gyakusan.planning.select.why_not import why_not

        return reasons(found, why_not(found, views.why_not))
    parts = none(found, no_plan(found))
    if views.show_all:
        from gyakusan.show.plan_listing import listing

        parts += listing(found)
    return parts


def _one(found: Recommendation, use: Use, number: int, output: Output, saved: SavedAnswer | None) -> int:
    """Print one plan in full, or as text to use."""
    if not found.plans:
        draw(*_screen(found, Views(), output, lan=use.lan), output=output)
        return 1
    plan = checked_plan(found, number)
    if use.details is not None:
        return _details(found, plan, number, use, output, saved)
    if use.command is None:
        write_generated(_file(plan, use, output))
        _warn_of_lan(plan, use, output)
        return 0
    from gyakusan.engines.service_files import shell_line

    server = _service(plan, use)
    missing = () if not _absent(found, plan) else (_missing(plan, number),)
    for note in (*missing, *remarks(plan, server)):
        warn("gyakusan: " + tell(note, output.language))
    write_generated(shell_line(server) + "\n")
    return 0


def _missing(plan: Plan, number: int) -> Message:
    """Return that the program of a command is not here, and what starts the plan without it, if anything does."""
    if not _served(plan):
        return say(
            "{program} is not on PATH of this computer: gyakusan plan --details {n} says how it is installed.",
            program=plan.command.argv[0],
            n=number,
        )
    return say(
        "{program} is not on PATH of this computer: gyakusan plan --details {n} says how it is installed; gyakusan serve {n} "
        "starts the plan with the server of this installation.",
        program=plan.command.argv[0],
        n=number,
    )


def _file(plan: Plan, use: Use, output: Output) -> str:
    """Return the file that `gyakusan export` writes of a plan. Raises BadSetting."""
    from gyakusan.cli.export import comment
    from gyakusan.exports.export import export
    from gyakusan.exports.settings import ExportSettings

    kind = "compose" if use.compose is not None else "systemd"
    settings = ExportSettings(lan=use.lan, all_flags=use.all_flags, page=use.ui)
    return export([plan.deployment], kind, settings, partial(comment, language=output.language))


def remarks(plan: Plan, server: Service, *, needed: bool = False) -> Iterator[Message]:
    """Yield what passes unencrypted, what is to be done before the server is started and once it listens.

    needed: other machines of the plan have to reach the server
    """
    from gyakusan.exports.reach import in_the_clear, open_to_network
    from gyakusan.show.plan_notes import afterwards, beforehand

    if server.keyed:
        where = (plan.deployment, server.port)
        yield in_the_clear(*where) if needed else open_to_network(*where)
    yield from beforehand(plan)
    yield from afterwards(server)


def checked_plan(found: Recommendation, number: int) -> Plan:
    """Return the plan of a number: of the answer, or of the list of all. Raises BadSetting for a number without one."""
    from gyakusan.planning.select.listed_plans import listed_plan

    plan = listed_plan(found, number)
    if plan is None:
        raise BadSetting(
            "No plan has the number {number}: the answer has {n} plans.",
            n=len(found.plans),
            number=number,
            mend="Give a number of its table, or of the list of --all.",
        )
    return plan


def _details(
    found: Recommendation, plan: Plan, number: int, use: Use, output: Output, saved: SavedAnswer | None
) -> int:
    from gyakusan.cli.saved import today
    from gyakusan.planning.predict.capacity import find_capacity
    from gyakusan.show.plan_details import details

    try:
        server = _service(plan, use)
    except BadSetting:
        if use.lan:
            raise
        server = None
    day = today() if saved is None else saved.day
    draw(*details(found, plan, number, find_capacity(plan.deployment), server, day), output=output)
    _warn_of_lan(plan, use, output)
    return 0


def _warn_of_lan(plan: Plan, use: Use, output: Output) -> None:
    """Say on stderr that what is open to the network encrypts nothing."""
    if use.lan:
        from gyakusan.exports.reach import open_to_network

        warn("gyakusan: " + tell(open_to_network(plan.deployment), output.language))


def _service(plan: Plan, use: Use) -> Service:
    from gyakusan.engines.service_files import service

    return service(plan.deployment, plan.command, all_flags=use.all_flags, page=use.ui, lan=use.lan)


def _remark(found: Recommendation, saved: SavedAnswer | None, output: Output) -> None:
    """Say on stderr that an answer is old, or that it is another one today."""
    if saved is None:
        return
    from gyakusan.cli.saved import WEEK

    if saved.old:
        note = say("The question was answered on {date}, more than {n} days ago.", date=str(saved.day), n=WEEK)
        warn("gyakusan: " + tell(note, output.language))
    if saved.plans and saved.plans != saved_plans(found):
        note = say(
            "The plans are not those of {date}: the machine, the catalogue or the file changed.", date=str(saved.day)
        )
        warn("gyakusan: " + tell(note, output.language))


def saved_plans(found: Recommendation) -> tuple[SavedPlan, ...]:
    """Return what is kept of the plans of an answer."""
    from gyakusan.cli import saved

    return tuple(map(saved.saved_plan, found.plans))
