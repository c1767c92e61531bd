"""What an expert answers for twelve boxes (November 2026): a gate for information. One of these stands in the first three plans.

Source: the consultants' table of issue 10, from public forums and the makers' pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Box:
    """A box, its people, and what an expert names.

    values: options of `gyakusan plan`
    models: beginnings of the catalogue's names
    """

    values: dict[str, Any]
    models: tuple[str, ...]


LARGE = ("glm-5", "deepseek-v3.2", "deepseek-v4", "qwen3.5-397b", "qwen3-coder-480b", "minimax-m3", "gpt-oss-120b")
HALO = ("gpt-oss-120b", "qwen3-coder-next", "qwen3.5-122b", "qwen3.6-35b-a3b")
BOXES = (
    Box({"device": "RTX 3060 12GB", "context": "32k"}, ("qwen3.5-9b", "gemma4-12b", "gpt-oss-20b")),
    Box({"device": "RTX 3060 12GB", "ram": "64GiB", "context": "32k", "task": "coding"}, ("qwen3.6-35b-a3b",)),
    Box(
        {"device": "RTX 4090", "users": 2, "task": "coding", "context": "64k"},
        ("qwen3.8-27b", "qwen3.6-27b", "qwen3.6-35b-a3b"),
    ),
    Box(
        {"device": "RTX 5090", "users": 4, "context": "32k"},
        ("qwen3.8-27b", "gemma-4-31b", "qwen3.6-35b-a3b", "gemma4-26b-a4b"),
    ),
    Box({"device": "2x RTX 3090", "users": 4}, ("qwen3.8-27b", "gemma-4-31b")),
    Box(
        {"device": "RTX PRO 6000 Blackwell", "memory": "96GB", "users": 10, "task": "coding"},
        ("qwen3-coder-next", "qwen3.5-122b", "gpt-oss-120b"),
    ),
    Box({"device": "M4 Max 128GB", "users": 2}, HALO),
    Box({"device": "DGX Spark", "users": 4}, HALO),
    Box({"device": "M3 Ultra 512GB", "users": 2, "prefer": "quality"}, ("glm-5", "deepseek-v4-flash", "kimi")),
    Box({"device": "8x H100 80GB HBM3", "users": 50, "task": "coding"}, LARGE),
    Box({"device": "Jetson Orin Nano 8GB"}, ("qwen3.5-4b", "gemma4-e2b")),
    Box(
        {"budget": "1000000JPY", "users": 5, "language": "ja", "context": "32k"},
        ("gemma4-26b-a4b", "qwen3.8-27b", "gpt-oss-120b", "qwen3.5-122b"),
    ),
)


def holds(box: Box, names: list[str]) -> bool:
    """Return True if one of the expert's models is in the first three plans."""
    return any(n.startswith(box.models) for n in names[:3])
