"""A server's command as text to use: one line of a shell, a Compose file, a unit of systemd.

Every engine says how its command becomes shorter, listens elsewhere and runs in a container; here it becomes text. A key
is never in the text: it stays in a file that only its owner can read.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from gyakusan.core.machine import Machine
from gyakusan.doors.text import is_clean
from gyakusan.engines.base import Command, Container
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.registry import engine as find_engine
from gyakusan.engines.yaml_text import documents
from gyakusan.errors import BadSetting

EVERYWHERE, HERE = "0.0.0.0", "127.0.0.1"
_UNREAD = re.compile("[\udc80-\udcff]")
"""A byte that Python could not read as a letter. Source: PEP 383."""


class KeyFiles(Struct, frozen=True):
    """Where the key of a server is kept.

    key: file with the key alone
    variables: file with lines NAME=key for every engine that takes one
    """

    key: Path
    variables: Path


class Service(Struct, frozen=True):
    """A server as a person starts it.

    name: of the service, e.g. "gpt-oss-20b"
    engine: its name
    command: with the address that it listens on
    machine: that it runs on
    port: that it listens on
    variable: environment variable from which it reads its key, "" = it has no key
    key: None = it answers without a key
    """

    name: str
    engine: str
    command: Command
    machine: Machine
    port: int
    variable: str
    key: KeyFiles | None


def service(
    deployment: Deployment,
    command: Command,
    *,
    all_flags: bool = False,
    page: bool = True,
    keys: Callable[[], KeyFiles] | None = None,
) -> Service:
    """Return how a deployment is started: on this computer only, or with a key for the network.

    command: the exact one of the deployment
    all_flags: with options that say what the server does anyway
    page: with the server's own chat page
    keys: returns where the key is kept; given, the server listens on every address
    Raises BadSetting for a server without a key that should be open.
    """
    rules = deployment.rules
    if keys is not None and not rules.KEY:
        raise BadSetting(
            "{engine} has no API key, so everyone in the network could use it.",
            engine=rules.NAME,
            mend="Leave out --lan, or plan with another engine (--engine).",
        )
    chosen = rules.with_page(command if all_flags else rules.short_command(command, deployment.machine), page)
    if keys is not None:
        chosen = rules.with_host(chosen, EVERYWHERE)
    name = re.sub(r"[^a-z0-9]+", "-", deployment.name.casefold()).strip("-") or "model"
    return Service(
        name, rules.NAME, chosen, deployment.machine, port_of(chosen, rules.PORT), rules.KEY, keys() if keys else None
    )


def port_of(command: Command, usual: int) -> int:
    """Return the port of a command: of its options, of a variable with an address, else the usual one."""
    if "--port" in command.argv:
        return int(command.argv[command.argv.index("--port") + 1])
    addresses = [v for k, v in command.environment.items() if k.endswith("_HOST") and ":" in v]
    return int(addresses[0].rpartition(":")[2]) if addresses else usual


def command_line(command: Command) -> str:
    """Return environment, program and arguments as one types them: one line."""
    environment = [f"{k}={shlex.quote(v)}" for k, v in command.environment.items()]
    return " ".join([*environment, shlex.join(command.argv)])


def shell_line(server: Service) -> str:
    """Return one line for a shell. The key is read from its file when the line is run; without a key nothing starts.

    Raises BadSetting for control characters.
    """
    _check(server)
    line = command_line(server.command)
    if server.key is None:
        return line
    read = f'key="$(cat {shlex.quote(str(server.key.key))})" && [ -n "$key" ]'
    return f'{read} && {server.variable}="$key" {line}'


def _check(server: Service) -> None:
    """Raise BadSetting if a word of a server's text would end its line."""
    command = server.command
    words = [*command.argv, *command.environment, *command.environment.values(), *(w for t in command.then for w in t)]
    if server.key is not None:
        words += [str(server.key.key), str(server.key.variables)]
    check_words(words)


def check_words(words: Iterable[str]) -> None:
    """Raise BadSetting for a word that no command can be written with: it would end its line, or has no letters here."""
    word = next((w for w in words if not is_clean(w)), None)
    if word is None:
        return
    if _UNREAD.search(word):
        raise BadSetting(
            "{word} has bytes that are no letters in this locale ({encoding}).",
            word=ascii(word[:80]),
            encoding=sys.getfilesystemencoding(),
            mend="Set LC_ALL=C.UTF-8, or rename it.",
        )
    raise BadSetting(
        "{word} has a control character, and no command can be written with it.",
        word=ascii(word[:80]),
        mend="Rename it.",
    )


def compose_file(server: Service) -> str:
    """Return a Compose file. Raises BadSetting where no container reaches the machine's GPU, and for control characters."""
    _check(server)
    rules = find_engine(server.engine)
    container = rules.container(server.machine)
    if container is None:
        raise BadSetting(
            "{engine} has no container that reaches the GPU of {machine}.",
            engine=server.engine,
            machine=server.machine.name,
            mend="Start it without one: --command or --systemd."
            if has_systemd(server.machine)
            else "Start it without one: --command.",
        )
    inside = rules.with_host(server.command, EVERYWHERE)
    words = (
        inside.argv[len(container.entry) :] if inside.argv[: len(container.entry)] == container.entry else inside.argv
    )
    address = "" if server.key else f"{HERE}:"
    about = container_service(
        container, words, inside.environment,
        env_file=str(server.key.variables) if server.key else "",
        published=f"{address}{server.port}:{server.port}",
        cards=len(server.machine.gpus),
    )  # fmt: skip
    return documents({"name": "gyakusan", "services": {server.name: about}, "volumes": {"models": {}}})


def container_service(
    container: Container,
    words: Sequence[str],
    environment: Mapping[str, str],
    *,
    env_file: str,
    published: str,
    cards: int,
) -> dict[str, Any]:
    """Return a server's container as a service of a Compose file, which keeps its models in the volume `models`.

    words: arguments behind those that the image says itself; env_file: with the key, "" = without one
    published: address, port outside and inside; cards: GPUs of the machine
    Source: compose-spec 2026-06.
    """
    about: dict[str, Any] = {
        "image": container.image,
        "command": [_dollars(w) for w in words],
        "environment": {k: _dollars(v) for k, v in environment.items()},
        "env_file": [_dollars(env_file)] if env_file else [],
        "ports": [published],
        "volumes": [f"models:{container.folder}"],
        "devices": [f"{d}:{d}" for d in container.devices],
        "group_add": ["video"] if container.devices else [],
        "ipc": "host" if container.shared_memory else "",
        "restart": "unless-stopped",
        "security_opt": ["no-new-privileges:true"],
    }
    if container.nvidia:
        device = {"driver": "nvidia", "count": max(1, cards), "capabilities": ["gpu"]}
        about["deploy"] = {"resources": {"reservations": {"devices": [device]}}}
    return {k: v for k, v in about.items() if v}


def _dollars(text: str) -> str:
    """Return text in which Compose expands nothing."""
    return text.replace("$", "$$")


def has_container(deployment: Deployment) -> bool:
    """Return True if a container of the server reaches the machine's GPU."""
    return deployment.rules.container(deployment.machine) is not None


def has_systemd(machine: Machine) -> bool:
    """Return True for a computer that can have systemd: Macs have none."""
    return not (machine.gpus and machine.gpus[0].backend == "metal")


def systemd_unit(server: Service) -> str:
    """Return a unit for `~/.config/systemd/user`. Raises BadSetting without systemd, and for control characters."""
    _check(server)
    if not has_systemd(server.machine):
        raise BadSetting("{machine} has no systemd.", machine=server.machine.name, mend="Use --command.")
    program = shutil.which(server.command.argv[0])
    start = (program, *server.command.argv[1:]) if program else ("/usr/bin/env", *server.command.argv)
    lines = [
        "[Unit]",
        f"Description=gyakusan: {_specifier(server.name)}",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        f"ExecStart={' '.join(map(unit_argument, start))}",
        *(f"Environment={unit_word(f'{k}={v}')}" for k, v in server.command.environment.items()),
        *((f"EnvironmentFile={_specifier(str(server.key.variables))}",) if server.key else ()),
        *(() if program else ("Environment=PATH=%h/.local/bin:/usr/local/bin:/usr/bin:/bin",)),
        "Restart=on-failure",
        "",
        "[Install]",
        "WantedBy=default.target",
    ]
    return "\n".join(lines) + "\n"


def unit_argument(word: str) -> str:
    """Return a word of a command line, in which systemd would expand variables: systemd.service(5), "COMMAND LINES"."""
    return unit_word(word).replace("$", "$$")


def unit_word(word: str) -> str:
    """Return a word as systemd reads it. Of variables in it nothing is expanded: systemd.exec(5), "Environment="."""
    text = _specifier(word)
    if re.fullmatch(r"[\w@%+=:,./$-]+", text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _specifier(text: str) -> str:
    """Return text in which systemd expands nothing."""
    return text.replace("%", "%%")
