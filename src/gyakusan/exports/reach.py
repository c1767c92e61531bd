"""Who reaches a server of an exported file, and whether encrypted: said in the file's first lines and on the screen."""

from __future__ import annotations

from collections.abc import Sequence

from gyakusan.engines.deployment import Deployment
from gyakusan.engines.service_files import HERE, port_of
from gyakusan.exports.settings import Comment, ExportSettings
from gyakusan.message import Message, say

PORT = 8443
"""On which Caddy listens where nothing is open to others: no name, and so no certificate."""
ONE_MACHINE = frozenset({"compose", "quadlet", "systemd"})
"""Kinds that publish a port of the machine itself."""
EXAMPLE = "llm.example.org"


def reach_notes(deployments: Sequence[Deployment], kind: str, settings: ExportSettings) -> tuple[Message, ...]:
    """Return what passes in the clear, and what has to be in front of the server; () for kinds with a door of their own.

    A name means https for every kind: a server under a name listens on this computer alone, behind a proxy.
    """
    if kind == "caddy":
        return () if settings.host else (_unnamed(),)
    if kind not in ONE_MACHINE:
        return ()
    if settings.lan:
        return (open_to_network(deployments[0], settings.port, settings.host),)
    return (_behind(deployments[0], settings),) if settings.host else ()


def open_to_network(deployment: Deployment, port: int = 0, host: str = "") -> Message:
    """Return that --lan encrypts nothing, and what does. port: 0 for its engine's; host: "" for an example."""
    return say(
        "unencrypted: people's prompts and keys pass in the clear; put Caddy in front ({command}), and leave out --lan.",
        command=_caddy(deployment, port, host or EXAMPLE),
    )


def in_the_clear(deployment: Deployment, port: int) -> Message:
    """Return the same of a server that has to be open, as others of its machines reach it. port: its own."""
    return say(
        "unencrypted: people's prompts and keys pass in the clear; put Caddy in front ({command}).",
        command=_caddy(deployment, port, EXAMPLE),
    )


def _behind(deployment: Deployment, settings: ExportSettings) -> Message:
    return say(
        "The server listens on {address} only: Caddy on the same machine answers https://{host} ({command}).",
        address=HERE, host=settings.host, command=_caddy(deployment, settings.port, settings.host),
    )  # fmt: skip


def _unnamed() -> Message:
    return say(
        "Without --host it is unencrypted, and for this computer alone: http://{address}. With --host {name} it is https.",
        address=f"{HERE}:{PORT}", name=EXAMPLE,
    )  # fmt: skip


def _caddy(deployment: Deployment, port: int, host: str) -> str:
    """Return the command that writes the proxy of a server.

    It always names the port: the command names no engine, and engines differ in it. port: 0 for the usual one
    """
    name = deployment.model.catalogue_name or "MODEL"
    found = port or port_of(deployment.command, deployment.rules.PORT)
    return f"gyakusan export {name} --to caddy --host {host} --port {found}"


def in_order(steps: Sequence[Comment | tuple[Comment, ...]]) -> tuple[Comment, ...]:
    """Return what has to be done as a numbered list, in the order of doing: a sentence, then its commands."""
    found: list[Comment] = [say("In this order:")]
    for number, step in enumerate(steps, 1):
        told, *commands = step if isinstance(step, tuple) else (step,)
        found += [say("{n}. {step}", n=number, step=told), *(f"   {line}" for line in commands)]
    return tuple(found)
