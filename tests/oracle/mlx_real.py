"""The real MLX-LM on a CPU: what its caches and weights count themselves. Tests only; needs `mlx[cpu]` and `mlx-lm`."""

from __future__ import annotations

import copy
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten
from mlx_lm.generate import maybe_quantize_kv_cache
from mlx_lm.models.cache import make_prompt_cache
from mlx_lm.utils import _get_classes

Row = dict[str, Any]

_product = mx.gather_mm


def _product_of_experts(a: Any, b: Any, **how: Any) -> Any:
    """On a CPU the library multiplies experts in f32 only; what layers keep is as it was."""
    return _product(a.astype(mx.float32), b.astype(mx.float32), **how).astype(a.dtype)


mx.gather_mm = _product_of_experts


def build(config: dict[str, Any]) -> Any:
    """A random model in bf16."""
    model, arguments = _get_classes(copy.deepcopy(config))
    made = model(arguments.from_dict(copy.deepcopy(config)))
    keep = getattr(made, "cast_predicate", lambda _: True)
    flat = [(k, v.astype(mx.bfloat16) if keep(k) else v) for k, v in tree_flatten(made.parameters())]
    made.load_weights(flat, strict=False)
    mx.eval(made.parameters())
    return made


def held(cache: list[Any]) -> dict[str, int]:
    """Bytes by class of cache, lists of caches opened. [B]"""
    found: dict[str, int] = {}
    for one in cache:
        for part in getattr(one, "caches", (one,)):
            found[type(part).__name__] = found.get(type(part).__name__, 0) + part.nbytes
    return found


def fill(model: Any, tokens: int, step: int, users: int = 1, bits: int | None = None) -> Row:
    """A prompt of `tokens` for each user in chunks of `step`, then one answer token. Bytes after each. [B]"""
    cache = make_prompt_cache(model)
    if users > 1:
        cache = [c.merge([copy.deepcopy(c) for _ in range(users)]) for c in cache]
    peak, left = 0, tokens - 1
    while left:
        n = min(step, left)
        model(mx.ones((users, n), mx.int32), cache=cache)
        maybe_quantize_kv_cache(cache, 0, 64, bits)
        mx.eval([c.state for c in cache])
        peak, left = max(peak, sum(held(cache).values())), left - n
    after = held(cache)
    model(mx.ones((users, 1), mx.int32), cache=cache)
    mx.eval([c.state for c in cache])
    return {
        "tokens": tokens,
        "step": step,
        "users": users,
        "bits": bits,
        "peak": peak,
        "prompt": after,
        "answer": held(cache),
    }


def weights(config: dict[str, Any], bits: int | None, group: int = 64) -> int:
    """Bytes of all parameters, quantised as `mlx_lm.convert -q` does. [B]"""
    model = build(config)
    if config.get("tie_word_embeddings") and "lm_head" in model:
        model.pop("lm_head")  # as sanitize does for a file without it
    if bits:
        own = getattr(model, "quant_predicate", None)

        def chosen(path: str, module: Any) -> Any:
            if not hasattr(module, "to_quantized") or module.weight.shape[-1] % group:
                return False
            return own(path, module) if own else True

        nn.quantize(model, group, bits, class_predicate=chosen)
    return sum(v.nbytes for _, v in tree_flatten(model.parameters()))
