"""The JSON of a ledger: a contract, other programs read it. See docs/en/json.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gyakusan.core.ledger import Account, Ledger, Line
from gyakusan.core.model import Model
from gyakusan.message import Message
from gyakusan.text import Language, tell


def document(ledger: Ledger, language: Language = "en") -> dict[str, Any]:
    """The ledger as plain values, ready for JSON. Bytes are whole numbers."""
    return {
        "model": model(ledger.model),
        "engine": {"name": ledger.engine.name, "version": ledger.engine.version},
        "settings": {k: _plain(v) for k, v in ledger.settings.items()},
        "load": {"users": _plain(ledger.load.users), "context": _plain(ledger.load.context)},
        "devices": [device(a, language) for a in ledger.accounts],
        "fits": ledger.fits,
        "notes": [tell(n, language) for n in ledger.notes],
    }


def refused(refusals: Sequence[Message], language: Language) -> dict[str, Any]:
    """Why the engine would not run this: fields beside those of `document`, none if it would."""
    return {"fits": False, "refusals": [tell(r, language) for r in refusals]} if refusals else {}


def model(m: Model) -> dict[str, Any]:
    """What the contract says of a model."""
    return {
        "name": m.name,
        "architecture": m.architecture,
        "parameters": m.parameters,
        "active_parameters": m.active_parameters,
        "quantization": m.quantization,
        "trained_context": m.trained_context,
        "source": m.source,
    }


def device(account: Account, language: Language) -> dict[str, Any]:
    """One device and its lines."""
    d = account.device
    return {
        "name": d.name,
        "kind": d.kind,
        "capacity": d.memory,
        "usable": d.usable,
        "total": int(account.total),
        "total_low": int(account.low),
        "total_high": int(account.high),
        "fits": bool(account.fits),
        "short_by": int(account.short_by),
        "lines": [line(x, language) for x in account.lines],
    }


def line(entry: Line, language: Language) -> dict[str, Any]:
    """One line of an account."""
    return {
        "kind": entry.kind,
        "bytes": int(entry.bytes),
        "low": int(entry.least),
        "high": int(entry.greatest),
        "basis": entry.basis,
        "reason": tell(entry.reason, language),
        "formula": entry.formula,
    }


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
