"""gyakusan: from the memory of a GPU backwards to the local LLM endpoint that fits it.

inspect(model, ...) -> Ledger    what a model needs on a device
plan(device, ...) -> Plans       what fits a device
several(device, also) -> Several several models on one machine
upgrade(device, ...) -> Upgrade  what to buy next
fleet(users=200, ...) -> Fleets  how many machines serve many people
detect() -> Machine              this computer
serve(model, ...) -> Server      a running endpoint

Everything is imported on first use (PEP 562): `import gyakusan` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gyakusan._version import __version__

if TYPE_CHECKING:
    from gyakusan.api import detect, fleet, inspect, plan, serve, several, upgrade
    from gyakusan.errors import GyakusanError

__all__ = ["GyakusanError", "__version__", "detect", "fleet", "inspect", "plan", "serve", "several", "upgrade"]

_HOMES = {
    "GyakusanError": "gyakusan.errors",
    "detect": "gyakusan.api",
    "fleet": "gyakusan.api",
    "inspect": "gyakusan.api",
    "plan": "gyakusan.api",
    "serve": "gyakusan.api",
    "several": "gyakusan.api",
    "upgrade": "gyakusan.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gyakusan' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
