"""A server's command as text to use: one line of a shell, and what files of containers and of systemd share.

Every engine says how its command becomes shorter, listens elsewhere and runs in a container; here it becomes text. A key
is never in the text: it stays in a file that only its owner can read.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from gyakusan.core.machine import Machine
from gyakusan.doors.text import is_clean
from gyakusan.engines.base import Command, Container
from gyakusan.engines.deployment import Deployment
from gyakusan.errors import BadSetting
from gyakusan.patterns import late

EVERYWHERE, HERE = "0.0.0.0", "127.0.0.1"
KEY_FILE = "~/.gyakusan-key"
"""Where the key of a server stands that other computers reach: in the home of who starts it, on its own machine."""
SHORTEST_KEY = 16
"""A shorter one is guessed. [characters]"""
_UNREAD = late("[\udc80-\udcff]")
"""A byte that Python could not read as a letter. Source: PEP 383."""


class Service(Struct, frozen=True):
    """A server as a person starts it.

    name: of the service, e.g. "gpt-oss-20b"
    engine: its name
    command: with the address that it listens on
    machine: that it runs on
    port: that it listens on
    variable: environment variable from which it reads its key, "" = it has no key, or gyakusan asks for it
    keyed: True if a key is asked for, which the line makes where it is missing
    """

    name: str
    engine: str
    command: Command
    machine: Machine
    port: int
    variable: str
    keyed: bool


def service(
    deployment: Deployment,
    command: Command,
    *,
    all_flags: bool = False,
    page: bool = True,
    lan: bool = False,
) -> Service:
    """Return how a deployment is started: on this computer only, or with a key for the network.

    command: the exact one of the deployment
    all_flags: with options that say what the server does anyway
    page: with the server's own chat page
    lan: listen on every address, with a key
    Raises BadSetting for a server without a key that should be open.
    """
    rules = deployment.rules
    if lan and not rules.KEY:
        raise BadSetting(
            "{engine} has no API key, so everyone in the network could use it.",
            engine=rules.NAME,
            option="--lan",
            mend="Leave out {option}, or plan with another engine (--engine).",
        )
    chosen = rules.with_page(command if all_flags else rules.short_command(command, deployment.machine), page)
    if lan:
        chosen = rules.with_host(chosen, EVERYWHERE)
    name = re.sub(r"[^a-z0-9]+", "-", deployment.name.casefold()).strip("-") or "model"
    return Service(name, rules.NAME, chosen, deployment.machine, port_of(chosen, rules.PORT), rules.KEY, lan)


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
    """Return one line for a shell. A key is made at the first start, and read from its file; without a long one nothing starts.

    It names no file of the computer that plans: the line is right on any. Raises BadSetting for control characters.
    """
    command = server.command
    words = [*command.argv, *command.environment, *command.environment.values(), *(w for t in command.then for w in t)]
    check_words(words)
    line = command_line(command).replace(shlex.quote(KEY_FILE), KEY_FILE)  # the shell finds the home
    if not server.keyed:
        return line
    made = f"(umask 077; [ -s {KEY_FILE} ] || openssl rand -hex -out {KEY_FILE} 32)"
    if not server.variable:  # gyakusan before it reads the file, and refuses a short one
        return f"{made} && {line}"
    read = f'key="$(cat {KEY_FILE})" && [ ${{#key}} -ge {SHORTEST_KEY} ]'
    return f'{made} && {read} && {server.variable}="$key" {line}'


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
