"""CUDA compute capabilities by the names of cards."""

from __future__ import annotations

import re
from functools import lru_cache

from gyakusan.core.machine import Device

_CAPABILITY: tuple[tuple[str, float], ...] = (
    (r"\b(B100|B200|GB200|B300|GB300)\b", 10.0),
    (r"\b(RTX (PRO )?(5\d{3}( Ti)?)( D)?\b(?! Ada)|RTX PRO \d{4}|GB10|DGX Spark)", 12.0),
    (r"\b(H100|H200|H800|H20|GH200)\b", 9.0),
    (r"\b(RTX 40\d\d|L4|L40S?|Ada)\b", 8.9),
    (r"\bOrin\b", 8.7),
    (r"\b(RTX 30\d\d|RTX A\d{3,4}|A10|A16|A40|A2)\b", 8.6),
    (r"\b(A100|A30)\b", 8.0),
    (r"\b(RTX 20\d\d|GTX 16\d\d|T4|T\d{3,4}|Quadro RTX|Titan RTX)\b", 7.5),
    (r"\b(V100|Titan V|Xavier)\b", 7.0),
    (r"\b(GTX 10\d\d|P\d{1,4}|Titan Xp?|GT 10\d\d)\b", 6.1),
    (r"\b(GTX 9\d\d|GTX 7\d\d|M\d{2}|K\d{2})\b", 5.2),
)


def capability(device: Device) -> float | None:
    """Return the CUDA compute capability by the name of a card, None if the name does not tell."""
    return _capability(device.name)


@lru_cache(maxsize=1024)
def _capability(name: str) -> float | None:
    return next((c for pattern, c in _CAPABILITY if re.search(pattern, name, re.IGNORECASE)), None)
