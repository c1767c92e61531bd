"""gyakusan bench: load a server and compare it with the prediction."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from gyakusan.cli.options import Output, Server, Where, Which, _, whole
from gyakusan.cli.writing import draw, terminal, write_json

if TYPE_CHECKING:
    from gyakusan.load_testing.session import Bench
    from gyakusan.python.benching import Benched

app = App(name="bench", help="Load a server and compare it with the prediction.", help_format="plaintext")


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Loads:
    """How the server is loaded."""

    users: Annotated[
        str | None, Parameter(help=_("People at a time, one load after the other; default 1,2,4,8, at most the slots."))
    ] = None
    rate: Annotated[str | None, Parameter(help=_("Requests at random times instead, e.g. 30/min."))] = None
    until: Annotated[
        str | None,
        Parameter(help=_("Add people until a time breaks this limit, e.g. 'ttft<2s' (of 95 %) or 'p99 tpot<50ms'.")),
    ] = None
    slo: Annotated[
        str | None, Parameter(help=_("Count the answers that keep these limits, e.g. 'ttft<2s,tpot<50ms'."))
    ] = None
    seconds: Annotated[str, Parameter(help=_("How long each load is measured."))] = "30s"
    requests: Annotated[
        int | None, Parameter(converter=whole, help=_("End each load after this many requests instead."))
    ] = None
    localscore: Annotated[bool, Parameter(help=_("The nine tests of LocalScore, for one person."), negative="")] = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Lengths:
    """What is asked."""

    task: Annotated[
        Literal["chat", "coding", "rag", "agents", "translation"],
        Parameter(help=_("Lengths of prompt and answer by task.")),
    ] = "chat"
    prompt: Annotated[str | None, Parameter(help=_("Tokens of a prompt, instead of the task's."))] = None
    answer: Annotated[str | None, Parameter(help=_("Tokens of an answer, instead of the task's."))] = None
    prompts: Annotated[
        Path | None, Parameter(help=_("A file with your own prompts: one on each line, or JSON Lines."))
    ] = None
    prefix: Annotated[
        str, Parameter(help=_("Tokens that all prompts begin with, so that the server's cache holds them."))
    ] = "0"
    depths: Annotated[str | None, Parameter(help=_("Lengths of a conversation before the prompt, e.g. 0,4k,16k."))] = (
        None
    )
    seed: Annotated[
        int | None,
        Parameter(converter=whole, help=_("Seed of the words and the random times; default: another each time.")),
    ] = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Reach:
    """How the server is reached."""

    key_file: Annotated[
        Path | None, Parameter(help=_("File with the API key; default: the variable GYAKUSAN_API_KEY."))
    ] = None
    model_name: Annotated[
        str, Parameter(help=_("Name of the model in the API; default: the first that the server lists."))
    ] = ""
    silence: Annotated[str, Parameter(help=_("Longest silence of the server."))] = "2min"
    longest: Annotated[str, Parameter(help=_("Longest time of one answer."))] = "15min"


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Planned:
    """What was predicted."""

    plan: Annotated[
        Path | None, Parameter(help=_("A saved plan: its first plan is compared with what is measured."))
    ] = None
    model: Annotated[str | None, Parameter(help=_("The model that is served, to compare it with its prediction."))] = (
        None
    )
    context: Annotated[
        str | None, Parameter(help=_("Context of each conversation; default: what the server tells."))
    ] = None
    log: Annotated[Path | None, Parameter(help=_("The server's log, to compare its memory too."))] = None


@app.default
def bench(
    endpoint: Annotated[
        str | None,
        Parameter(help=_("Address or name of a server; default: the only one that gyakusan started.")),
    ] = None,
    *,
    loads: Loads = Loads(),
    lengths: Lengths = Lengths(),
    reach: Reach = Reach(),
    planned: Planned = Planned(),
    where: Where = Where(),
    which: Which = Which(),
    server: Server = Server(),
    save: Annotated[bool, Parameter(help=_("Keep what is measured."))] = True,
    html: Annotated[Path | None, Parameter(help=_("Write a page with tables and charts."))] = None,
    csv: Annotated[Path | None, Parameter(help=_("Write a table for spreadsheets."))] = None,
    output: Output = Output(),
) -> int:
    """Run `gyakusan bench` and return its exit code."""
    import gc
    from contextlib import closing

    from gyakusan.cli.bench_progress import LiveLine
    from gyakusan.cli.ending import asked_to_end
    from gyakusan.python.benching import BenchOptions, measured

    gc.enable()  # a bench is long
    given = {f.name: getattr(part, f.name) for part in (loads, lengths, reach, planned) for f in fields(part)}
    options = BenchOptions(**given, engine=which.engine, save=save)
    settings = {**where.named, **_settings(server, which)} if planned.model is not None else {}
    line = LiveLine(output.language, options.requests, str(options.seconds))
    with asked_to_end() as ending, closing(line):
        # what is wrong with the question is said before anything is said to be sent
        found = measured(endpoint, options, settings, line.update, lambda b: line.begin(known_loads(b)))
    judged = planned.model is not None or planned.plan is not None
    return ending.code(_answered(found, output, html, csv, again=asked_again(), judged=judged))


def known_loads(bench: Bench) -> int:
    """Return how many loads a bench has, 0 where it adds people until a limit breaks."""
    return 0 if bench.request.ramp else len(bench.request.steps)


_LEFT_OUT = ("--users", "--rate", "--until", "--slo", "--depths", "--html", "--csv")
"""Options with a value that another question about the same load does not have."""
_FLAGS_LEFT_OUT = ("--localscore", "--json", "--color", "--no-color")


def asked_again() -> tuple[str, ...]:
    """Return the words of the command that runs that decide what is asked of which server, without how many people ask."""
    from gyakusan.typed_words import typed

    words = list(typed())
    found, at = [], words.index("bench") + 1 if "bench" in words else 0
    while at < len(words):
        name, equals, _value = words[at].partition("=")
        if name in _LEFT_OUT:
            at += 1 if equals else 2
            continue
        if name not in _FLAGS_LEFT_OUT:
            found.append(words[at])
        at += 1
    return tuple(found)


@app.command(name="list", help="List the benches that are kept.")
def every(*, output: Output = Output()) -> int:
    """Run `gyakusan bench list` and return its exit code."""
    from gyakusan.python.benching import bench_list
    from gyakusan.show.bench import benches

    found = bench_list()
    if output.json:
        write_json(found.document(), output)
    else:
        draw(*benches(found.kept), output=output)
    return 0


@app.command(name="show", help="Show a bench that is kept, or write it to a file.")
def show(
    number: Annotated[int, Parameter(converter=whole, help=_("Its number in the list."))],
    *,
    html: Annotated[Path | None, Parameter(help=_("Write a page with tables and charts."))] = None,
    csv: Annotated[Path | None, Parameter(help=_("Write a table for spreadsheets."))] = None,
    output: Output = Output(),
) -> int:
    """Run `gyakusan bench show` and return its exit code."""
    from gyakusan.python.benching import bench_show

    return _answered(bench_show(number), output, html, csv, fresh=False)


@app.command(name="import", help="Keep a result of vllm bench serve, guidellm, aiperf or llama-bench.")
def import_(
    file: Annotated[Path, Parameter(help=_("The JSON that the tool wrote."))],
    *,
    save: Annotated[bool, Parameter(help=_("Keep what is measured."))] = True,
    output: Output = Output(),
) -> int:
    """Run `gyakusan bench import` and return its exit code."""
    from gyakusan.python.benching import bench_import

    return _answered(bench_import(file, save=save), output, None, None)


def _settings(server: Server, which: Which) -> dict[str, Any]:
    """Return the settings of the engine that differ from its own choice."""
    own = {f.name: v for f in fields(server) if (v := getattr(server, f.name)) != f.default}
    return {**own, "set": which.pairs} if which.pairs else own


def _answered(
    found: Benched,
    output: Output,
    html: Path | None,
    csv: Path | None,
    *,
    fresh: bool = True,
    again: tuple[str, ...] = (),
    judged: bool = True,
) -> int:
    """Write the answer; the exit code: 130 if it was ended early, 1 if nothing came or a prediction was missed.

    fresh: False for a bench that was kept before; again: words with which the same is asked again; judged: False where
    nobody asked for a comparison, so that a miss is said and is no failure
    """
    from gyakusan.cli.ending import INTERRUPTED
    from gyakusan.show import bench as shown

    result = found.result
    if html is not None or csv is not None:
        from gyakusan.catalog.places import write_named
        from gyakusan.cli import bench_files as files

        if html is not None:
            write_named(html, files.html_page(result, output.language))
        if csv is not None:
            write_named(csv, files.csv_table(result))
    if output.json:
        write_json(found.document(), output)
    else:
        terminal(output).show(
            *shown.screen(result, found.notes, fresh=fresh, again=again), *shown.written([f for f in (html, csv) if f])
        )
    if result.interrupted:
        return INTERRUPTED
    failed = not any(s.requests for s in result.steps) or (result.ramp and result.held is None)
    return 1 if failed or (judged and result.outside) else 0
