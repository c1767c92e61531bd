"""Whether a fetched file is what was planned: its own header, in the plan's place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyakusan.engines.deployment import deploy
from gyakusan.errors import GyakusanError

if TYPE_CHECKING:
    from pathlib import Path

    from gyakusan.engines.deployment import Deployment

NEAR = 0.01
"""A memory that differs by no more is the same [fraction]."""


def memory_by_header(deployment: Deployment, path: Path) -> float | None:
    """Return the memory of a deployment with the model that a file's own header describes [B]; None if it is no model."""
    from gyakusan import models

    try:
        model = models.load(str(path), offline=True)
        made = deploy(model, deployment.engine, deployment.machine, deployment.load, deployment.changes)
        return total(made)
    except GyakusanError:
        return None


def total(deployment: Deployment) -> float:
    """Return the memory of all devices that compute [B]. Raises BadSetting."""
    accounts = deployment.ledger.accounts
    counted = [a for a in accounts if a.device.kind != "host"] or list(accounts)
    return sum(float(a.total) for a in counted)
