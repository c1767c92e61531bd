"""gyakusan plan --nodes: a plan over computers that are there and differ."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from gyakusan.cli.options import Output, _
from gyakusan.cli.plan_views import Use, Views
from gyakusan.cli.report_files import Files, write
from gyakusan.cli.writing import draw, warn, write_generated, write_json
from gyakusan.errors import BadSetting
from gyakusan.text import tell

if TYPE_CHECKING:
    from gyakusan.planning.nodes.recommend import NodesAnswer
    from gyakusan.planning.nodes.start import Start
    from gyakusan.show.report import Report


_VALUED = ("--details", "--command", "--svg", "--png", "--html")
_BARE = ("--json", "--all-flags")
"""Options that choose the form of an answer: with a value, and without."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Spread:
    """Over which computers."""

    nodes: Annotated[
        tuple[Path, ...],
        Parameter(help=_("What gyakusan detect --json printed on each node, one or a list; repeatable."), negative=""),
    ] = ()
    link: Annotated[
        str | None, Parameter(help=_("Network between the nodes, e.g. 10GbE or 100Gb/s,50us (default 1GbE)."))
    ] = None


def over_nodes(values: dict[str, Any], spread: Spread, views: Views, use: Use, files: Files, output: Output) -> int:
    """Answer a question about nodes; the exit code. values: keys and values of the request.

    Its plans have numbers that no later command can use: who types one is told so.
    """
    from gyakusan.cli import saved
    from gyakusan.planning.nodes.recommend import plan_nodes
    from gyakusan.planning.request.parse_request import parse_request
    from gyakusan.python.files import nodes_of

    if views != Views() or replace(use, details=None, command=None, all_flags=False) != Use():
        raise BadSetting(
            "--nodes has none of the other views and forms of a plan.",
            mend="Leave out all but --details, --command, --all-flags, --json, --svg, --png and --html.",
        )
    found = plan_nodes(parse_request(values), *nodes_of(spread.nodes, spread.link))
    saved.keep_nodes(_question(), [[node.name for node in layout.nodes] for layout in found.layouts])
    number = use.number if found.layouts else None
    if number is not None and not 1 <= number <= len(found.layouts):
        raise BadSetting(
            "No plan has the number {number}: the answer has {n} plans.", n=len(found.layouts), number=number,
            mend="Give a number from 1 to {n}.",
        )  # fmt: skip
    _show(found, number, use, files, output)
    return 0 if found.layouts else 1


def _show(found: NodesAnswer, number: int | None, use: Use, files: Files, output: Output) -> None:
    from gyakusan.show import nodes as show

    def report() -> Report:
        from gyakusan.show.report import other_report

        return other_report("gyakusan plan", show.screen(found))

    written = write(files, report, output)
    if output.json:
        from gyakusan.documents import nodes as documents

        write_json(documents.nodes(found), output)
    elif number is None:
        draw(*show.screen(found), *written, output=output)
    elif use.details is not None:
        draw(*show.details(found, number, _started(found, number, use, needed=False)), output=output)
    else:
        _commands(found, number, use, output)


def _commands(found: NodesAnswer, number: int, use: Use, output: Output) -> None:
    """Print each command with the node that it is for as a comment above it."""
    from gyakusan.engines.service_files import shell_line
    from gyakusan.show.nodes import start_notes

    started = _started(found, number, use, needed=True)
    for note in start_notes(found.layouts[number - 1], started):
        warn("gyakusan: " + tell(note, output.language))
    for start in started:
        write_generated(f"# {start.node.name}\n{shell_line(start.server)}\n")


def _question() -> str:
    """Return the command that was typed, without the form of its answer."""
    from gyakusan.doors.shell import shell_words
    from gyakusan.typed_words import typed

    kept: list[str] = []
    words = iter(typed())
    for word in words:
        name, mark, _value = word.partition("=")
        if name in _VALUED:
            _ = mark or next(words, "")
        elif name not in _BARE:
            kept.append(word)
    return shell_words(("gyakusan", *kept))


def _started(found: NodesAnswer, number: int, use: Use, *, needed: bool) -> tuple[Start, ...]:
    """Return the commands of a layout; where an address lacks, none, unless they are needed. Raises BadSetting."""
    from gyakusan.planning.nodes.start import starts

    try:
        return starts(found.layouts[number - 1], all_flags=use.all_flags)
    except BadSetting:
        if needed:
            raise
        return ()
