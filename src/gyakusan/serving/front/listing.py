"""What people see of the models behind the front: names and figures, no path of a file and no word of a command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gyakusan.serving.front.refusal import Refusal

LISTS, PROPS = ("/v1/models", "/models"), "/props"
LISTED = (*LISTS, PROPS)
"""Paths whose answers are read before they are passed on."""
LARGEST = 4 * 2**20
"""No larger answer is read. [B]"""
_PLAIN = ("id", "object", "created", "owned_by", "max_model_len", "aliases", "tags")
_PRIVATE = ("model_path", "lora_adapters")


def listed(path: str, text: bytes, models: Sequence[str]) -> bytes:
    """Return the answer that people see. Raises Refusal for what is not JSON.

    models: the names behind this address in their order, () for a server of one model
    """
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refusal(502, "bad_answer", "The server answered something else than JSON.")
    if path == PROPS:
        return msgspec.json.encode({k: v for k, v in found.items() if k not in _PRIVATE})
    data = [_model(m) for m in found.get("data") or () if isinstance(m, dict)]
    if models:
        known = {m.get("id"): m for m in data}
        data = [known[name] for name in models if name in known]
        return msgspec.json.encode({"object": "list", "data": data})
    return msgspec.json.encode({**found, "data": data})


def _model(told: dict[str, Any]) -> dict[str, Any]:
    """Return one model: fields of OpenAI, numbers of it, and whether it is loaded."""
    shown = {k: told[k] for k in _PLAIN if k in told}
    meta, status = told.get("meta"), told.get("status")
    if isinstance(meta, dict):
        shown["meta"] = {k: v for k, v in meta.items() if isinstance(v, int | float)}
    if isinstance(status, dict) and isinstance(status.get("value"), str):
        shown["status"] = {"value": status["value"]}
    return shown
