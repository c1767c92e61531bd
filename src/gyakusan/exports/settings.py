"""What is asked of an export, and what every kind of file needs to know of a deployment."""

from __future__ import annotations

import hashlib
import re
import shlex
import socket
from collections.abc import Sequence
from dataclasses import replace

from msgspec import Struct, structs

from gyakusan.engines.base import Command, Container
from gyakusan.engines.container import QueueMetric
from gyakusan.engines.deployment import Deployment, deploy
from gyakusan.engines.server import WorkerModule
from gyakusan.engines.service_files import EVERYWHERE, port_of
from gyakusan.errors import BadSetting
from gyakusan.message import Message, quoted, say

NEW_KEY = "openssl rand -hex 32 | tr -d '\\n' > api-key.txt"
"""Makes a key without an end of line, which would be a part of it."""
POD = "$(GYAKUSAN_POD)"
"""The name of a pod itself, from which the names of the others of its group follow."""
HUB = "hf:"
REMOTE = (HUB, "ollama:")
"""How the source of a model begins that a server fetches."""
_HERE = re.compile(r"(.*\.)?localhost|localhost\.localdomain")
"""Names of the computer itself. Source: RFC 6761, 6.3."""
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_IMAGE = re.compile(r"[a-z0-9][A-Za-z0-9._:/@-]{0,254}", re.ASCII)
_DNS = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)


Comment = Message | str
"""A line at the head of a file: a sentence in the asker's language, or a command, which has none."""
Written = tuple[Sequence[Comment], str]
"""A file: what its head says, and what programs read of it."""


class ExportSettings(Struct, frozen=True):
    """How a deployment is run.

    replicas: servers that answer the same, at least
    most_replicas: up to how many where a queue forms
    nodes: machines that are one server
    namespace: of Kubernetes
    host: name under which others reach it by https, through a proxy before it; "" for this computer only
    keyed: False for a server of this computer alone that answers without a key
    port: on which the server listens, 0 for its engine's
    lan: listens on every address, unencrypted
    all_flags: with options that say what the server does anyway
    page: with the server's own chat page
    image: of the containers, "" for the published one
    """

    replicas: int = 1
    most_replicas: int = 1
    nodes: int = 1
    namespace: str = "default"
    host: str = ""
    keyed: bool = True
    port: int = 0
    lan: bool = False
    all_flags: bool = False
    page: bool = True
    image: str = ""

    @property
    def open(self) -> bool:
        """True if other computers are to reach the server."""
        return self.lan or bool(self.host)


class Exported(Struct, frozen=True):
    """A server as a file needs it.

    deployment: what is planned
    settings: how it is run
    name: of the service: letters, digits and dashes
    command: with the address that it listens on inside its container
    port: that it listens on
    container: image and what it needs
    """

    deployment: Deployment
    settings: ExportSettings
    name: str
    command: Command
    port: int
    container: Container

    @property
    def workers(self) -> WorkerModule | None:
        """The module for the workers of a server over several machines, None where its parts are alike or it is on one."""
        return workers_of(self.deployment) if self.settings.nodes > 1 else None

    @property
    def words(self) -> tuple[str, ...]:
        """The arguments behind those that the image says itself."""
        return arguments(self.command, self.container)

    @property
    def key(self) -> str:
        """The environment variable from which the server reads its API key, "" if it has none."""
        return key_variable(self.deployment, self.settings)

    def after(self, *inside: str) -> tuple[Comment, ...]:
        """Return comments with what has to be done once the server listens. inside: words that run a command in its container."""
        return after(self.deployment, *inside)

    @property
    def queue(self) -> QueueMetric | None:
        """The metric of the requests that wait, None if the server has none."""
        return self.deployment.rules.QUEUE

    @property
    def secret(self) -> str:
        """The name of the secret that holds the key."""
        return f"{self.name}-key"

    @property
    def tls_secret(self) -> str:
        """The name of the secret that holds the certificate of its host."""
        return f"{self.name}-tls"


def after(deployment: Deployment, *inside: str) -> tuple[Comment, ...]:
    """Return comments as `Exported.after` does."""
    lines = (shlex.join((*inside, *words)) for words in deployment.command.then)
    return tuple(say("Once it listens: {command}", command=line) for line in lines)


def exported(deployment: Deployment, settings: ExportSettings) -> Exported:
    """Return what every kind of file for containers needs. Raises BadSetting where no container reaches the GPU."""
    check(settings)
    deployment = fetched(deployment)
    check_fetchable(deployment)
    deployment = spanned(deployment, settings) if settings.nodes > 1 else deployment
    rules, machine = deployment.rules, deployment.machine
    container = rules.container(machine)
    if container is None:
        raise BadSetting(
            "{engine} has no container that reaches the GPU of {machine}.", engine=rules.NAME, machine=machine.name,
            mend="Start it without one: gyakusan plan --command, or gyakusan serve on that machine.",
        )  # fmt: skip
    container = structs.replace(container, image=settings.image) if settings.image else container
    command = rules.with_host(listening(deployment, settings), EVERYWHERE)
    flags = rules.QUEUE.flags if rules.QUEUE is not None and settings.most_replicas > 1 else ()
    command = structs.replace(command, argv=(*command.argv, *flags))
    return Exported(
        deployment, settings, service_name(deployment.name), command, port_of(command, rules.PORT), container
    )


def workers_of(deployment: Deployment) -> WorkerModule | None:
    """Return the module for workers of an engine that spans machines by them alone, None for another one."""
    server = deployment.rules.server()
    if server is None or deployment.rules.spanning_settings(1, 2) is not None:
        return None
    return server.workers()


def worker_addresses(deployment: Deployment, settings: ExportSettings, port: int) -> tuple[str, ...]:
    """Return where the leader of a LeaderWorkerSet reaches the workers of its group, as host:port.

    Source: kubernetes-sigs/lws 060ab4d, pkg/utils/pod (subdomain), pkg/controllers/pod_controller.go (ordinals from 1).
    """
    name = service_name(deployment.name)
    return tuple(f"{POD}-{i}.{name}.{settings.namespace}:{port}" for i in range(1, settings.nodes))


def _lending(deployment: Deployment, settings: ExportSettings, module: WorkerModule) -> dict[str, object]:
    """Return the setting that names the workers. Raises BadSetting where they cannot be in containers."""
    if not deployment.machine.gpus:
        raise BadSetting(
            "{machine} has no GPU that it could lend.", machine=deployment.machine.name, mend="Leave out --nodes."
        )
    if not settings.image:
        raise BadSetting(
            "The published images of {engine} are built without RPC.", engine=deployment.engine,
            mend="Build one with it and name it: --image registry.example.org/llama.cpp:full-rpc",
        )  # fmt: skip
    return {module.SETTING: worker_addresses(deployment, settings, module.PORT)}


def spanned(deployment: Deployment, settings: ExportSettings) -> Deployment:
    """Return the same model on several machines as one server. Raises BadSetting for a server that cannot span machines."""
    machine, rules, nodes = deployment.machine, deployment.rules, settings.nodes
    changes, module = rules.spanning_settings(len(machine.gpus), nodes), workers_of(deployment)
    if module is not None:
        changes = _lending(deployment, settings, module)
    if changes is None:
        raise BadSetting(
            "One server of {engine} cannot span machines.", engine=rules.NAME, mend="Leave out --nodes, or take vLLM."
        )
    wide = structs.replace(machine, name=f"{nodes} x ({machine.name})", gpus=machine.gpus * nodes)
    chosen = {**deployment.changes, **changes}
    found = deploy(deployment.model, deployment.engine, wide, deployment.load, chosen, deployment.quantization)
    return structs.replace(found, mode=deployment.mode)


def key_variable(deployment: Deployment, settings: ExportSettings) -> str:
    """Return the variable from which a server reads its key, "" for one without. Raises BadSetting for an open one."""
    key = deployment.rules.KEY if settings.keyed else ""
    if settings.open and not deployment.rules.KEY:
        raise BadSetting(
            "{engine} has no API key, so everyone in the network could use it.", engine=deployment.engine,
            option="--host" if settings.host else "--lan", mend="Leave out {option}, or plan with another engine (--engine).",
        )  # fmt: skip
    if settings.open and not key:
        raise BadSetting("A server that other computers reach needs a key.", mend="Leave out --no-key.")
    return key


def check_one_machine(settings: ExportSettings) -> None:
    """Raise BadSetting for several servers, or one over several machines."""
    if settings.nodes > 1 or max(settings.replicas, settings.most_replicas) > 1:
        raise BadSetting(
            "This kind of file is for one server on one machine.", mend="Leave out --nodes and --replicas."
        )


def listening(deployment: Deployment, settings: ExportSettings) -> Command:
    """Return the command on the port that was asked for; without the server's own defaults, unless they are asked for, too."""
    rules, command = deployment.rules, deployment.command
    command = rules.with_page(
        command if settings.all_flags else rules.short_command(command, deployment.machine), settings.page
    )
    return rules.with_port(command, settings.port) if settings.port else command


def fetched(deployment: Deployment) -> Deployment:
    """Return the same with its repository in place of files of this computer's cache: a container has another one."""
    model = deployment.model
    if model.stored is None or not model.stored.repository:
        return deployment
    return structs.replace(deployment, model=replace(model, source=f"{HUB}{model.stored.repository}"))


def check_fetchable(deployment: Deployment) -> None:
    """Raise BadSetting for a model that no server in a container can fetch by itself."""
    model = deployment.model
    if model.catalogue_name and deployment.artifact is None:
        made = " && ".join(deployment.preparation) or "gyakusan plan --details"
        raise BadSetting(
            "Nobody publishes {model} in {format}, so no container can fetch it.", model=deployment.name,
            format=deployment.quantization, commands=made, mend="Choose another format, or make and publish it: {commands}",
        )  # fmt: skip
    if not model.catalogue_name and not model.source.startswith(REMOTE):
        raise BadSetting(
            "{model} is a file of this computer, which a container does not have.", model=deployment.name,
            mend="Name a model of the catalogue or owner/name:TAG, or export to systemd.",
        )  # fmt: skip


def arguments(command: Command, container: Container) -> tuple[str, ...]:
    """Return the arguments of a command behind those that its image says itself."""
    entry = container.entry
    return command.argv[len(entry) :] if command.argv[: len(entry)] == entry else command.argv


def service_name(name: str) -> str:
    """Return a name as Kubernetes, Compose and systemd take it: at most 50 letters, digits and dashes.

    A name that loses letters (another script, more than 50) ends in six digits of its hash, so that two stay two.
    """
    plain = name.casefold()
    found = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    found = found if found and found[0].isalpha() else f"model-{found}".rstrip("-")
    if len(found) <= 50 and plain.isascii():
        return found
    return f"{found[:43].rstrip('-')}-{hashlib.sha256(plain.encode()).hexdigest()[:6]}"


def check(settings: ExportSettings) -> None:
    """Raise BadSetting for numbers and names that no file takes."""
    for name in ("replicas", "most_replicas", "nodes"):
        value = getattr(settings, name)
        if not 1 <= value <= 1000:
            raise BadSetting(
                "--{name} takes 1 to 1,000, not {value}.", name=name.replace("_", "-"), value=value, mend=None
            )
    if not 0 <= settings.port <= 65535:
        raise BadSetting("{key} cannot be {value}.", key="--port", value=settings.port, mend="Give 1 to 65535.")
    if settings.host:
        _check_host(settings.host)
    if settings.most_replicas > 1 and settings.most_replicas < settings.replicas:
        raise BadSetting("--replicas is more than --most-replicas.", mend="Raise --most-replicas.")
    if settings.image and not _IMAGE.fullmatch(settings.image):
        raise BadSetting(
            "{name} is no name of an image.", name=quoted(settings.image, 80),
            mend="Give for example registry.example.org/llama.cpp:full-rpc.",
        )  # fmt: skip
    if not _DNS.fullmatch(settings.namespace):
        raise BadSetting(
            "{name} is no name of a namespace.", name=quoted(settings.namespace, 80),
            mend="Use up to 63 small letters, digits and dashes.",
        )  # fmt: skip


def _check_host(host: str) -> None:
    """Raise BadSetting for what is no name, or is one of this computer: then nobody else would reach the server."""
    if not _HOST.fullmatch(host):
        raise BadSetting(
            "{name} is no name of a host.", name=quoted(host, 80), mend="Give for example llm.example.org."
        )
    if _is_here(host):
        raise BadSetting("{name} is this computer alone.", name=host, mend="Leave out --host: then it stays so.")


def _is_here(host: str) -> bool:
    """Return True for a name or an address of this computer alone: 127.1 and 1 are addresses, too, for inet_aton reads them."""
    try:
        return socket.inet_aton(host)[0] in (0, 127)
    except OSError:
        return _HERE.fullmatch(host) is not None
