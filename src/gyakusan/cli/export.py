"""gyakusan export: a plan as a file for Kubernetes, Compose, podman, systemd, Caddy, vLLM's production stack or Ray Serve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from gyakusan.cli.options import Output, People, Server, Where, Which, _, whole
from gyakusan.cli.starting import asked_for
from gyakusan.cli.writing import warn, write_generated, write_json
from gyakusan.errors import BadSetting
from gyakusan.message import Message, say
from gyakusan.text import Language, tell

if TYPE_CHECKING:
    from gyakusan.engines.deployment import Deployment
    from gyakusan.exports.settings import Comment, ExportSettings

COMMENT = 78
"""The widest line of a comment, behind its sign. [cells]"""
app = App(
    name="export",
    help="Write a plan as a file for Kubernetes, Compose, podman, systemd or Caddy.",
    help_format="plaintext",
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Run:
    """How the servers are run."""

    replicas: Annotated[
        int, Parameter(converter=whole, help=_("Servers that answer the same (kubernetes, vllm-stack, ray)."))
    ] = 1
    most_replicas: Annotated[
        int,
        Parameter(
            converter=whole, help=_("Up to so many where requests wait: an autoscaler is written (kubernetes, ray).")
        ),
    ] = 1
    nodes: Annotated[
        int,
        Parameter(
            converter=whole, help=_("Machines that are one server: of vLLM, or llama.cpp with RPC (kubernetes).")
        ),
    ] = 1
    namespace: Annotated[str, Parameter(help=_("Namespace of Kubernetes."))] = "default"
    host: Annotated[
        str,
        Parameter(
            help=_(
                "Name under which others reach it by https, through a proxy on its machine, e.g. llm.example.org; needs a key."
            )
        ),
    ] = ""

    lan: Annotated[
        bool, Parameter(help=_("Open the server to the network, with a key that is kept in a file."), negative="")
    ] = False

    no_key: Annotated[
        bool, Parameter(help=_("Answer without a key: for this computer alone, with nothing before it."), negative="")
    ] = False

    port: Annotated[
        int, Parameter(converter=whole, help=_("Port on which the server listens; 0: the usual one of its engine."))
    ] = 0

    image: Annotated[str, Parameter(help=_("Image of the containers; default: the published one (kubernetes)."))] = ""

    @property
    def settings(self) -> ExportSettings:
        """Return the settings of an export."""
        from gyakusan.exports.settings import ExportSettings

        return ExportSettings(
            replicas=self.replicas,
            most_replicas=self.most_replicas,
            nodes=self.nodes,
            namespace=self.namespace,
            host=self.host,
            keyed=not self.no_key,
            port=self.port,
            lan=self.lan,
            image=self.image,
        )


@app.default
def export(
    model: Annotated[
        str, Parameter(help=_("A model of the catalogue, owner/name:TAG, or a plan: its number or file."))
    ],
    *more: Annotated[str, Parameter(help=_("Further models behind the same address (caddy)."))],
    to: Annotated[
        str,
        Parameter(help=_("Kind of file: kubernetes, compose, quadlet (podman), systemd, caddy, vllm-stack or ray.")),
    ],
    run: Run = Run(),
    file: Annotated[str | None, Parameter(help=_("File to write; default: the terminal."))] = None,
    people: People = People(),
    where: Where = Where(),
    which: Which = Which(),
    server: Server = Server(),
    output: Output = Output(),
) -> int:
    """Run `gyakusan export` and return its exit code."""
    from gyakusan.exports.export import SEVERAL, SYNONYMS
    from gyakusan.exports.export import export as text_of
    from gyakusan.exports.reach import reach_notes
    from gyakusan.exports.settings import spanned

    to = SYNONYMS.get(to, to)
    asked = [asked_for(m, people, where, which, server) for m in (model, *more)]
    text = text_of(asked, to, run.settings, str if output.json else partial(comment, language=output.language))
    whole = [spanned(a, run.settings) if run.nodes > 1 else a for a in asked]
    _warn(reach_notes(asked, to, run.settings), output)
    runs = to not in SEVERAL  # a proxy holds no model: nothing has to fit
    for one, each in zip(asked, whole, strict=True) if runs else ():
        _remark(one, each, output)
    _printed(whole, to, text, file, output)
    return 0 if not runs or all(bool(a.ledger.fits) for a in whole) else 1


def comment(told: Comment, language: Language) -> str:
    """Return what a head says, as lines of a comment; a command stays whole, so that it can be pasted."""
    from gyakusan.show.styled import Styled
    from gyakusan.show.tree import FIXED
    from gyakusan.show.wrapping import unbroken_commands, wrapped

    if isinstance(told, str):  # a command
        return tell(told, language)
    told = Message(told.template, {k: v.replace(" ", FIXED) if k == "command" else v for k, v in told.facts.items()})
    lines = wrapped(Styled(unbroken_commands(tell(told, language))), COMMENT)
    return "\n".join(line.plain for line in lines).replace(FIXED, " ")


def _printed(whole: Sequence[Deployment], to: str, text: str, file: str | None, output: Output) -> None:
    if output.json:
        from gyakusan.documents.exported import exported as document

        write_json(document(whole, to, text), output)
    elif file is None:
        write_generated(text)
    if file is not None:
        _write(file, text, output)


def _remark(typed: Deployment, asked: Deployment, output: Output) -> None:
    """Say on stderr where the plan does not fit, would not run, or names workers that anybody may reach.

    typed: before it spans several nodes, whose workers only their leader reaches
    """
    from gyakusan.serving.workers import check_workers

    notes: list[Any] = list(asked.refusals)
    try:
        check_workers(typed, unprotected=False)
    except BadSetting as error:
        notes.append(error.message)
    if not asked.ledger.fits:
        notes.append(say("{model} does not fit on {machine}.", model=asked.name, machine=asked.machine.name))
    _warn(notes, output)


def _warn(notes: Sequence[Any], output: Output) -> None:
    for note in notes:
        warn("gyakusan: " + tell(note, output.language))


def _write(file: str, text: str, output: Output) -> None:
    from pathlib import Path

    from gyakusan.catalog.places import write_named
    from gyakusan.doors import files
    from gyakusan.exports.export import FIRST

    path = Path(file)
    if path.is_file() and files.head(path, len(FIRST)) != FIRST.encode():
        raise BadSetting(
            "{file} is no file of gyakusan export, and stays as it is.", file=files.shown(path),
            mend="Name another file, or remove it.",
        )  # fmt: skip
    write_named(path, text)
    warn("gyakusan: " + tell(say("Written to {file}.", file=file), output.language))
