"""gyakusan inspect: what a model needs, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from gyakusan.cli.options import Images, Offline, Output, People, Server, Where, Which, _, whole_number
from gyakusan.cli.report_files import Files, write
from gyakusan.cli.writing import draw, write_json
from gyakusan.engines.registry import DEFAULT
from gyakusan.errors import BadSetting

if TYPE_CHECKING:
    from gyakusan.engines.deployment import Deployment
    from gyakusan.engines.server import DryRunBuild, DryRunLine
    from gyakusan.planning.predict.assessment import Lengths
    from gyakusan.planning.predict.ways import Way
    from gyakusan.planning.request.request import Workload
    from gyakusan.show.inspect import Inspected
    from gyakusan.show.report import Report

app = App(name="inspect", help="Show the memory a model takes, and why.", help_format="plaintext")


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Turn:
    """What people do, for speed."""

    prompt: Annotated[
        str | None, Parameter(help=_("Length of a prompt in tokens, for speed (default: 1000, as in a chat)."))
    ] = None
    answer: Annotated[
        str | None, Parameter(help=_("Length of an answer in tokens, for speed (default: 400, as in a chat)."))
    ] = None
    task: Annotated[
        str | None, Parameter(help=_("Prompt, answer and context as plan takes them for chat, coding, rag, agents ..."))
    ] = None

    def lengths(self, people: People) -> Lengths:
        """Return prompt and answer [tokens], None where nobody says. Raises UnknownName, BadQuantity.

        Those of a task leave room in a shorter context that was given, as `plan` takes them.
        """
        from gyakusan.planning.predict.assessment import Lengths

        prompt, answer = _length("--prompt", self.prompt), _length("--answer", self.answer)
        usual = self._usual(context=None if "context" in people.most else people.context, prompt=prompt)
        if usual is None:
            return Lengths(prompt, answer)
        return Lengths(usual.prompt_tokens, answer or usual.output_tokens)

    def people(self, people: People) -> People:
        """Return the load, with the task's context where nobody gives one. Raises UnknownName."""
        usual = self._usual()
        return people if usual is None or people.context is not None else replace(people, context=str(usual.context))

    def _usual(self, **given: str | int | None) -> Workload | None:
        from gyakusan.planning.request.parse_request import parse_request

        if self.task is None:
            return None
        return parse_request({"task": self.task, **given}).workload


def _length(option: str, text: str | None) -> int | None:
    from gyakusan.api import MOST_CONTEXT

    return None if text is None else whole_number(option, text, MOST_CONTEXT)


@app.default
def inspect(
    model: Annotated[str, Parameter(help=_("A file, a directory, an address or a name, e.g. gpt-oss-20b."))],
    *,
    quant: Annotated[str | None, Parameter(help=_("Compute with this quantisation, e.g. Q4_K_M."))] = None,
    turn: Turn = Turn(),
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
    files: Files = Files(),
    output: Output = Output(),
) -> int:
    """Run `gyakusan inspect` and return its exit code."""
    from gyakusan import api

    names, people = api.engine_names(which.engine), turn.people(people)
    alone = len(names) == 1
    files.check_alone("--quants" if quants else None if alone else "--engine all")
    asked = _deployment(model, quant, people, where, which, server, names[0], alone, offline, images)
    first = _grown(people, asked)
    if quants:
        return _quantizations(first, model, offline, output)
    dry = _exact(first, alone) if exact else None
    if not alone:
        return _several(first, names, which, server, output)
    found = _inspected(first, turn.lengths(people), people, where, server, limited=bool(files.named) or not output.json)
    return _one(found, dry, why, files, output)


def _deployment(
    model: str,
    quant: str | None,
    people: People,
    where: Where,
    which: Which,
    server: Server,
    name: str,
    alone: bool,
    offline: bool,
    images: bool,
) -> Deployment:
    """What was asked for, under the first engine."""
    from gyakusan import api

    settings = which.settings(name, server, alone)
    return api.deployment(
        model, quantization=quant, load=people.starting_load, **where.named, settings=settings, pairs=which.pairs,
        server=name, offline=offline, images=images,
    )  # fmt: skip


def _grown(people: People, first: Deployment) -> Deployment:
    """The same with the largest load that fits, where "max" was asked for."""
    if not people.most:
        return first
    from gyakusan.planning.predict.capacity import grown

    return grown(first, people.most)


def _inspected(
    first: Deployment, asked: Lengths, people: People, where: Where, server: Server, *, limited: bool
) -> Inspected:
    """Everything that is shown of one engine. limited: with how far its load can grow."""
    from gyakusan.planning.predict.assessment import assess, check_lengths
    from gyakusan.planning.predict.capacity import find_capacity
    from gyakusan.show.inspect import Inspected

    check_lengths(asked, first.load)
    refusals, value = first.refusals, first.ledger
    fits = value.fit == "fits" and not refusals
    ways: tuple[Way, ...] = ()
    if not fits or value.beyond_training:
        from gyakusan.planning.predict.ways import Asked, ways_of

        split = server.key_type is not None or server.value_type is not None
        ways = ways_of(Asked(first, where.device, where.memory is not None, split, asked.prompt, asked.answer), value)
    limits = find_capacity(first) if fits and limited else None
    here = where.device is None and where.memory is None
    judged = assess(first, value, asked.prompt, asked.answer)
    return Inspected(first, value, refusals, judged, limits, ways, people.defaults, here, people.most)


def _one(
    found: Inspected, dry: tuple[Sequence[DryRunLine], DryRunBuild] | None, why: bool, files: Files, output: Output
) -> int:
    """The ledger of one engine. dry: llama.cpp's own figures beside ours. 0 if it runs and surely fits."""
    from gyakusan.show import inspect as show

    def report() -> Report:
        from gyakusan.show.report import inspect_report

        return inspect_report(found, show.screen(found))

    written = write(files, report, output)
    if output.json:
        from gyakusan.documents import ledger as documents

        exact = {} if dry is None else {"exact": documents.dry_run(*dry)}
        write_json(documents.inspect(found.value, found.judged, found.refusals, ways=found.ways, **exact), output)
        return 0 if found.runs else 1
    parts = show.screen(found, why=why)
    if dry is not None:
        from gyakusan.show import dry_run

        d = found.deployment
        on_cpu = d.rules.compute_settings(d.machine, d.settings).on_cpu
        parts += dry_run.screen(*dry, None if on_cpu else d.machine.name)
    draw(*parts, *written, output=output)
    return 0 if found.runs else 1


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
        from gyakusan.planning.predict.capacity import longest_context
        from gyakusan.show import engines

        longest = {a.engine: longest_context(ask(a.engine))[0] for a in found if a.ledger is not None}
        draw(*engines.screen(found, first.model, first.machine, first.load, longest), output=output)
    return 0 if any(a.fits for a in found) else 1
