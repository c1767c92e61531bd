"""What would be started for a deployment, without starting it: command, environment and health check."""

from __future__ import annotations

from dataclasses import dataclass

from gyakusan.engines.base import Command
from gyakusan.engines.deployment import Deployment
from gyakusan.message import Message

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would be started.

    command: program, arguments and environment
    health: address that answers 200 when the server is ready
    refusals: why the server would not run this, empty if it would
    fits: True if every device holds its share
    """

    command: Command
    health: str
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
    return DryRun(command, f"http://{LOOPBACK}:{port}{rules.HEALTH}", refusals, fits)
