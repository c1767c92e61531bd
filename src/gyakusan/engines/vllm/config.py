"""A Hugging Face config.json as vLLM reads it: through transformers, which fills in what the file leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from msgspec import structs

from gyakusan.core.memo import Memo
from gyakusan.core.model import Attention, Memory, Model
from gyakusan.models import families
from gyakusan.models.families.configs import TEXT
from gyakusan.models.formats.quantization import checkpoint

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "exaone4": {"sliding_window": 4096, "sliding_window_pattern": 4},
    "mistral": {"sliding_window": 4096},
}
"""model_type -> what transformers 5 takes for absent keys, where only vLLM's memory heeds it; the rest is the family's."""
EVERYWHERE = ("mistral", "mixtral", "phi3", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "starcoder2")
"""model_types whose one sliding_window holds for every layer; our families, after llama.cpp, give them none."""


def model(config: Mapping[str, Any], *, name: str = "", quantized: bool = True) -> Model:
    """Return the Model of a config.json. Raises Malformed, Unsupported. quantized: False ignores its quantization_config."""
    filled = _filled(config)
    converted = families.unquantized(families.convert(filled), name=name)
    converted = replace(converted, memory=_windows(converted, _text(filled)))
    stored = checkpoint(filled if quantized else _without(filled, "quantization_config"))
    return replace(converted, checkpoint=stored, quantization=stored.method or stored.dtype)


def _without(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the config without `key`, in its language part too."""
    return {k: _without(v, key) if k in TEXT and isinstance(v, Mapping) else v for k, v in config.items() if k != key}


def _text(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the language part of a config."""
    return next((config[n] for n in TEXT if isinstance(config.get(n), Mapping)), config)


def _filled(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the config with transformers' defaults. A key that is there and null stays null."""
    inner = _text(config)
    missing = DEFAULTS.get(str(inner.get("model_type", config.get("model_type"))), {})
    if inner is config:
        return {**missing, **config}
    key = next(n for n in TEXT if config.get(n) is inner)
    return {**config, key: {**missing, **inner}}


_MEMORY = Memo[tuple[Memory, ...]](maxsize=1)


def memory(model: Model) -> tuple[Memory, ...]:
    """Return the caches of a model under vLLM: windows where its config has them and the family, after llama.cpp, has not.

    Source: config/cache.py (one sliding_window holds for every layer of a model without layer_types), transformers 5
    (Exaone4Config: every `sliding_window_pattern`-th layer is full; Qwen: only with use_sliding_window).
    """
    written = model.stored.config if model.stored is not None else {}
    return _MEMORY.get(model, None, lambda: _windows(model, _text(_filled(written)))) if written else model.memory


def _windows(model: Model, config: Mapping[str, Any]) -> tuple[Memory, ...]:
    window, kind = config.get("sliding_window"), config.get("model_type")
    plain = tuple(g for g in model.memory if isinstance(g, Attention) and g.window is None)
    if not isinstance(window, int) or window <= 0 or plain != model.memory or config.get("layer_types"):
        return model.memory
    if kind == "exaone4":
        return _every(plain, window, int(config.get("sliding_window_pattern") or 0))
    if kind not in EVERYWHERE or (str(kind).startswith("qwen") and not config.get("use_sliding_window")):
        return model.memory
    return tuple(structs.replace(g, window=window) for g in plain)


def _every(groups: tuple[Attention, ...], window: int, period: int) -> tuple[Memory, ...]:
    """Return every `period`-th layer as full, the others with a window."""
    parts: list[Memory] = []
    for group in groups:
        full = tuple(i for i in group.layers if not period or (i + 1) % period == 0)
        slides = tuple(i for i in group.layers if i not in full)
        parts += [structs.replace(group, layers=full)] if full else []
        parts += [structs.replace(group, layers=slides, window=window)] if slides else []
    return tuple(parts)
