"""What serving one model and several have in common: options, the deployment, its files, what is refused, what is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from gyakusan.cli.numbered import check_machine, is_plan, numbered_plan
from gyakusan.cli.options import Output, People, Server, Where, Which, _, whole
from gyakusan.cli.writing import warn
from gyakusan.engines.registry import DEFAULT, engine
from gyakusan.errors import BadSetting
from gyakusan.message import say
from gyakusan.text import tell
from gyakusan.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from gyakusan.engines.deployment import Deployment
    from gyakusan.message import Message
    from gyakusan.serving.tls import Tls


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Life:
    """How long a server runs, and under which name."""

    name: Annotated[str | None, Parameter(help=_("Name for chat, connect, logs and stop; default: the model's."))] = (
        None
    )
    log_file: Annotated[str | None, Parameter(help=_("File for the server's log."))] = None
    detach: Annotated[
        bool,
        Parameter(
            help=_("Run in the background: return once it is ready, and go on without this terminal."), negative=""
        ),
    ] = False
    systemd: Annotated[
        bool,
        Parameter(
            help=_("Write a unit of systemd that starts it at every boot, instead of starting it now."), negative=""
        ),
    ] = False
    once: Annotated[bool, Parameter(help=_("Stop as soon as the server is ready and compared."), negative="")] = False
    dry_run: Annotated[bool, Parameter(help=_("Print what would be started; start nothing."), negative="")] = False

    def check(self) -> None:
        """Raise BadSetting for a server that is to run on and to stop at once. A dry run is of any of them."""
        given = [f"--{n}" for n in ("detach", "systemd", "once") if getattr(self, n)]
        if len(given) > 1:
            raise BadSetting("{names} were given together.", names=" ".join(given), mend="Give one.")


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Listen:
    """Where a server listens, with which key, on how many threads, with how many models."""

    host: Annotated[str, Parameter(help=_("Address to listen on; other than loopback needs a key."))] = "127.0.0.1"
    port: Annotated[int, Parameter(converter=whole, help=_("Port; 0 takes a free one."))] = 8080
    threads: Annotated[int | None, Parameter(converter=whole, help=_("CPU threads; default: llama.cpp's choice."))] = (
        None
    )
    key_file: Annotated[str | None, Parameter(help=_("File with the API key."))] = None

    tls_cert: Annotated[
        str | None, Parameter(help=_("File with the certificate (PEM): the server speaks https, see --tls-key."))
    ] = None
    tls_key: Annotated[str | None, Parameter(help=_("File with the certificate's private key, for you alone."))] = None
    models_max: Annotated[
        int | None,
        Parameter(
            converter=whole, help=_("Of several models, how many are loaded at once; default: as many as surely fit.")
        ),
    ] = None

    def check(self, *, several: bool = False) -> None:
        """Raise BadSetting for a host, a port or threads that no server is started with. several: more than one model."""
        from gyakusan.serving.access import check_address

        if self.models_max is not None and not several:
            raise BadSetting(
                "--models-max is for several models.", mend="Leave it out, or name several: gyakusan serve A B"
            )
        if (self.tls_cert is None) != (self.tls_key is None):
            raise BadSetting(
                "A certificate and its private key are needed.", mend="Give both: --tls-cert FILE --tls-key FILE"
            )
        check_address(self.host, self.port, self.threads)

    @property
    def tls(self) -> Tls | None:
        """Return what the server encrypts with. Raises BadSetting."""
        if self.tls_cert is None or self.tls_key is None:
            return None
        from gyakusan.serving.tls import open_tls

        return open_tls(self.tls_cert, self.tls_key)

    @property
    def place(self) -> dict[str, Any]:
        """Fields of serving.server.ServerOptions."""
        return {"host": self.host, "port": self.port, "threads": self.threads}


def key_in(file: str | None) -> str | None:
    """Return the key in a file. Raises BadReference, BadSetting."""
    if file is None:
        return None
    from gyakusan.python.files import key_of
    from gyakusan.serving.key_files import check_private

    check_private(file)
    return key_of(file)


def asked_for(model: str, people: People, where: Where, which: Which, server: Server) -> Deployment:
    """Return the deployment that the options describe, or plan 1 of a saved answer."""
    from gyakusan import api
    from gyakusan.engines.installed import installed

    if is_plan(model):
        _check_unchanged(model, people, where, which, server)
        return numbered_plan(model).deployment

    name = engine(which.engine).NAME
    settings = which.settings(name, server, alone=True)
    installed(name, execute=True)
    return api.deployment(model, load=people.load, settings=settings, pairs=which.pairs, server=name, **where.named)


def _check_unchanged(file: str, *parts: People | Where | Which | Server) -> None:
    """Raise BadSetting for options of model, machine and server: plan 1 of a file has its own."""
    from dataclasses import fields

    given = [
        "--set" if f.name == "pairs" else "--" + f.name.replace("_", "-")
        for part in parts
        for f in fields(part)
        if getattr(part, f.name) != f.default
    ]
    if given:
        raise BadSetting(
            "{options} cannot change the plan in {file}.",
            options=", ".join(given),
            file=file,
            mend="Leave them out, or save another plan with gyakusan plan ... --save FILE.",
        )


def model_file(asked: Deployment, typed: str) -> str:
    """The path of the model, wherever a program keeps it. Raises BadReference if it is not on this computer."""
    from gyakusan.serving.model_files import model_file as found

    usual = is_plan(typed) or asked.engine == DEFAULT
    return found(asked, typed, f"gyakusan get {typed}" + ("" if usual else f" --engine {asked.engine}"))


def check_sense(asked: Deployment, typed: str) -> None:
    """Raise BadSetting for another machine's plan, and for a context that the model was not trained for."""
    check_machine(asked, typed)
    if asked.refusals:
        raise BadSetting(asked.refusals[0].template, **asked.refusals[0].facts, mend="--anyway starts it as it is.")
    trained, context = asked.model.trained_context, int(asked.load.context)
    if trained and context > trained:
        raise BadSetting(
            "{name} was trained for {trained} tokens, and {context} were requested.", name=asked.name,
            trained=f"{trained:,}", context=f"{context:,}", longest=trained,
            mend="Add --context {longest}. --anyway starts it as it is.",
        )  # fmt: skip


def refuse(asked: Deployment, output: Output) -> int:
    """Say what does not fit, by how much, and what would."""
    from gyakusan.planning.predict.capacity import find_capacity

    short = next(a for a in asked.ledger.accounts if not a.fits)
    limits = find_capacity(asked)
    first = say(
        "It does not fit: {device} is short by {bytes}.",
        device=short.device.name,
        bytes=format_bytes(float(short.short_by)),
    )
    ways = [f"--context {limits.context}"] * (limits.context > 0) + [f"--users {limits.users}"] * (limits.users > 0)
    mend = say("It fits with {ways}. --anyway starts it as it is.", ways=" / ".join(ways))
    if not ways:
        mend = say("Choose a smaller model or quantisation, or start it with --anyway.")
    warn(f"gyakusan: {tell(first, output.language)} {tell(mend, output.language)}")
    return 1


def told(output: Output) -> Callable[[Message], None]:
    """Return what prints an event of a server that runs."""

    def happened(message: Message) -> None:
        warn(f"gyakusan: {tell(message, output.language)}")

    return happened
