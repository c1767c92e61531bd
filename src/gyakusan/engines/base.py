"""What every engine offers. One module (or package) for each server; siblings don't know each other."""

from __future__ import annotations

from typing import Any, Protocol

from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.model import Model


class EngineRules(Protocol):
    """The face of an engine module.

    NAME, VERSION: whose rules; ledger: bytes of one model under one load on one machine, for the settings given.
    Raises BadSetting for what the engine refuses.
    """

    NAME: str
    VERSION: str

    def ledger(self, model: Model, load: Load, machine: Machine, settings: Any = None) -> Ledger:
        """Bytes by device and kind."""
        ...
