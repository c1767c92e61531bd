"""The line that starts a server without a key of its own behind gyakusan, which listens for others and asks for the key."""

from __future__ import annotations

from gyakusan.engines.base import Command
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.service_files import EVERYWHERE, KEY_FILE, Service, port_of

FRONT_PORT = 8080
"""Where `gyakusan serve` listens if nobody says."""


def front_command(deployment: Deployment) -> Command:
    """Return the `gyakusan serve` command of a deployment: on every address, with the key in KEY_FILE."""
    load = ("--users", str(int(deployment.load.users)), "--context", str(int(deployment.load.context)))
    pairs = tuple(word for k, v in sorted(deployment.changes.items()) for word in ("--set", f"{k}={v}"))
    started = ("gyakusan", "serve", served_source(deployment), "--engine", deployment.rules.NAME)
    return Command((*started, *load, *pairs, "--host", EVERYWHERE, "--key-file", KEY_FILE), {})


def served_source(deployment: Deployment) -> str:
    """Return what `gyakusan get` and `gyakusan serve` call the files: their repository, else the model's name."""
    found = deployment.artifact
    if found is None:
        return deployment.name
    return f"{found.repository}:{deployment.quantization}" if found.format == "gguf" else found.repository


def front_service(deployment: Deployment, command: Command) -> Service:
    """Return the service of a `front_command`. Clients ask the front, whose key no variable holds."""
    rules = deployment.rules
    return Service(deployment.name, rules.NAME, command, deployment.machine, port_of(command, FRONT_PORT), "", True)
