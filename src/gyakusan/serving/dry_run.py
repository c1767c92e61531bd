"""What would be started for a deployment, without starting it: command, environment and health check."""

from __future__ import annotations

from dataclasses import dataclass

from gyakusan.engines.base import Command
from gyakusan.engines.deployment import Deployment
from gyakusan.message import Message
from gyakusan.serving.access import is_loopback
from gyakusan.serving.server import LOOPBACK_OF, authority
from gyakusan.serving.tls import Tls

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would be started.

    command: program, arguments and environment
    health: address that answers 200 when the server is ready
    port: that it listens on
    refusals: why the server would not run this, empty if it would
    fits: True if every device holds its share
    """

    command: Command
    health: str
    port: int
    refusals: tuple[Message, ...]
    fits: bool

    @property
    def ready(self) -> bool:
        """True if the server would start and has room."""
        return self.fits and not self.refusals


def dry_run(deployment: Deployment, port: int = 8080) -> DryRun:
    """Return what would be started, on loopback as `serve` starts it. Raises BadSetting for settings that the engine refuses."""
    rules, refusals = deployment.rules, deployment.refusals
    command = rules.with_port(deployment.command, port)
    fits = not refusals and deployment.ledger.fits
    return DryRun(command, f"http://{LOOPBACK}:{port}{rules.HEALTH}", port, refusals, fits)


def front_url(host: str, port: int, tls: Tls | None) -> str:
    """Return the base of the OpenAI API of what `serve` puts before a server, as this computer reaches it."""
    shown = LOOPBACK_OF.get(host, host)
    if tls is None:
        return f"http://{authority(shown, port)}/v1"
    hosts = (shown, *(("localhost",) if is_loopback(shown) else ()))
    return f"https://{authority(tls.host_for(hosts), port)}/v1"
