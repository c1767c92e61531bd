"""Guess the quantisation of a file that does not name it: the recipe nearest to the types of its tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gyakusan.core.dtypes import DTYPES
from gyakusan.core.model import Tensor
from gyakusan.core.recipe import kinds
from gyakusan.core.recipe.choose import types
from gyakusan.core.recipe.names import DEFAULT, QUANTIZATIONS


def guess(tensors: Sequence[Tensor]) -> str:
    """Return the name of the quantisation whose recipe differs from the tensors' types in the fewest values.

    A file that no recipe makes (chosen by hand, or of another engine) gets the nearest recipe if that makes most of its
    values, else the name of its most frequent type; "unknown" without tensors.
    """
    weights = [t for t in tensors if kinds.dimensions(t.shape) > 1] or list(tensors)
    if not weights:
        return "unknown"
    count: Counter[str] = Counter()
    for tensor in weights:
        count[tensor.type] += tensor.values
    most = count.most_common(1)[0][0]
    if most not in DTYPES or not DTYPES[most].quantized:
        return most
    wrong = {name: min(_wrong(name, weights, m) for m in (False, True)) for name in _candidates(count)}
    best = min(wrong, key=wrong.__getitem__, default=most)
    return best if wrong and 2 * wrong[best] < sum(count.values()) else most


def _candidates(count: Counter[str]) -> list[str]:
    return [q for q in QUANTIZATIONS if DTYPES[DEFAULT[q]].quantized and count[DEFAULT[q]]]


def _wrong(quantization: str, tensors: Sequence[Tensor], matrix: bool) -> int:
    """Return the number of values that the recipe would store in another type [values]."""
    chosen = types(quantization, "", tensors, matrix=matrix, **_shape_facts(tensors))
    return sum(t.values for t, c in zip(tensors, chosen, strict=True) if t.type != c)


def _shape_facts(tensors: Sequence[Tensor]) -> dict[str, int]:
    """Return layers, experts and heads as far as shapes tell; heads in units of one KV head."""
    shape = {t.name: t.shape for t in tensors}
    query, key = shape.get("blk.0.attn_q.weight"), shape.get("blk.0.attn_k.weight")
    return {
        "layers": max((kinds.split(n)[0] for n in shape), default=-1) + 1,
        "experts": max((s[2] for n, s in shape.items() if "_exps." in n and len(s) > 2), default=0),
        "heads": query[1] // key[1] if query and key else 1,
        "kv_heads": 1,
    }
