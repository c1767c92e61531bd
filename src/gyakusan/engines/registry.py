"""The engines that exist, by name. Adding one is a package, and one line in `NAMES`."""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import cast

from gyakusan.engines.base import EngineModule, EngineSettings
from gyakusan.errors import unknown
from gyakusan.message import say

NAMES = {
    "llama.cpp": "gyakusan.engines.llamacpp.engine",
    "Ollama": "gyakusan.engines.ollama.engine",
    "vLLM": "gyakusan.engines.vllm.engine",
    "MLX-LM": "gyakusan.engines.mlx.engine",
}
"""Name as people write it -> its module."""
DEFAULT = "llama.cpp"
"""The engine where nobody names one."""


@lru_cache(maxsize=64)
def engine(name: str) -> EngineModule[EngineSettings]:
    """Return the engine called `name`, or whose package is called so. Raises UnknownName."""
    wanted = _letters(name)
    for known, module in NAMES.items():
        if wanted in (_letters(known), module.split(".")[-2]):
            return cast(EngineModule[EngineSettings], importlib.import_module(module))
    raise unknown(say("engine"), name, NAMES, choices=True)


def usual_engines() -> tuple[str, ...]:
    """Return the engines that are planned with where nobody names one."""
    return tuple(name for name in NAMES if engine(name).USUAL)


def model_storages() -> dict[str, str]:
    """Return the kinds of model files, each with the first engine that reads them."""
    storages: dict[str, str] = {}
    for name in NAMES:
        storages.setdefault(engine(name).STORAGE, name)
    return storages


def _letters(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())
