"""Mixes that publishers make by hand: the recipe that each is nearest to, and by how much its files are larger.

Sources: bartowski's model cards ("Q8_0 for embed and output weights"); sizes of unsloth's files beside the recipe of the
nearest name, median over the files of shared/data/artifacts.csv (2026-11): UD-Q4_K_XL 1.05 (1.03 to 1.08, 7 files).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType

from msgspec import Struct

from gyakusan.core.dtypes import dtype, stored_bytes
from gyakusan.core.model import Model, Tensor
from gyakusan.core.recipe import kinds
from gyakusan.core.recipe.names import DEFAULT, QUANTIZATIONS, canonical
from gyakusan.errors import UnknownName


class Mix(Struct, frozen=True):
    """A published mix of types.

    name: as its publisher writes it
    recipe: the quantisation of llama.cpp that is nearest to it
    whole: True if embedding and output are Q8_0
    size: its bytes over those of the recipe [ratio]
    """

    name: str
    recipe: str
    whole: bool = False
    size: float = 1.0


_WHOLE = {"Q2_K_L": "Q2_K", "Q3_K_XL": "Q3_K_L", "Q4_K_L": "Q4_K_M", "Q5_K_L": "Q5_K_M", "Q6_K_L": "Q6_K"}
_DYNAMIC = {
    "Q2_K_XL": ("Q2_K", 1.0),
    "Q3_K_XL": ("Q3_K_M", 1.0),
    "Q4_K_XL": ("Q4_K_M", 1.05),
    "Q4_K_L": ("Q4_K_M", 1.05),
    "Q5_K_XL": ("Q5_K_M", 1.06),
    "Q6_K_XL": ("Q6_K", 1.12),
    "Q6_K_S": ("Q6_K", 0.98),
    "Q8_K_XL": ("Q8_0", 1.08),
    "IQ4_NL_XL": ("IQ4_NL", 1.05),
}
PREFIX = "UD-"
"""What the names of unsloth's dynamic mixes begin with; llama.cpp finds the file without it, too."""
LADDER = ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q8_0", "F16")
FINER = ("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_XS")
"""Types that a tensor is moved along, to reach the size of a file."""
_STEPS = MappingProxyType(
    {
        **dict(pairwise(LADDER)),
        **dict(pairwise((*FINER, "Q5_K"))),
        **dict.fromkeys(("IQ4_NL", "Q4_0", "Q5_0"), "Q8_0"),
    }
)
_BACK = MappingProxyType({**dict(pairwise(LADDER[::-1])), **dict(pairwise(FINER[::-1]))})
_QUANTIZED = frozenset(t for t in DEFAULT.values() if dtype(t).quantized)
ROUNDS = 4
"""Passes over the tensors: each moves a tensor by one step at most."""


def find_mix(name: str) -> Mix | None:
    """Return the mix that a name means, in any case; None for a recipe of llama.cpp itself or an unknown name."""
    plain = name.strip().upper().replace(" ", "")
    bare = plain.removeprefix(PREFIX)
    dynamic = bare != plain or (bare in _DYNAMIC and bare not in _WHOLE)
    if dynamic and bare in _DYNAMIC:
        recipe, size = _DYNAMIC[bare]
        return Mix(PREFIX + bare, recipe, size=size)
    if bare in _WHOLE:
        return Mix(PREFIX * dynamic + bare, _WHOLE[bare], whole=True)
    if not dynamic:
        return None
    try:
        return Mix(PREFIX + bare, canonical(bare))
    except UnknownName:
        return None


def people_names() -> tuple[str, ...]:
    """Return the names of GGUF quantisations that people use: llama.cpp's own and the mixes."""
    return (*QUANTIZATIONS, *_WHOLE, *(PREFIX + name for name in _DYNAMIC))


def mixed(mix: Mix, model: Model) -> Model:
    """Return a model, made by `mix.recipe`, as the mix stores it."""
    if mix.whole:
        tensors = tuple(_whole(t) for t in model.tensors)
        return replace(model, tensors=tensors, quantization=mix.name)
    return replace(sized(model, round(model.bytes * mix.size)), quantization=mix.name)


def sized(model: Model, size: int) -> Model:
    """Return a quantised model whose tensors take `size` bytes, as nearly as whole tensors can.

    Tensors move by one type at a time, the largest steps first, in blocks all over the model: which ones a publisher
    chose is not known. size: of the weights [B]
    """
    types, gap = {t.name: t.type for t in model.tensors}, size - model.bytes
    movable = [
        (_scattered(block), t.name, t.shape)
        for t in model.tensors
        for block, name in (kinds.split(t.name),)
        if kinds.quantizable(name, t.shape, model.architecture)
    ]
    larger, gap = gap > 0, abs(gap)
    for _ in range(ROUNDS):
        moved = False
        for less, _, _, name, kind in sorted(_moves(movable, types, larger)):
            if -less <= gap:
                types[name], gap, moved = kind, gap + less, True
        if not moved:
            break
    return replace(
        model, tensors=tuple(t if t.type == types[t.name] else t.stored_as(types[t.name]) for t in model.tensors)
    )


def _moves(
    movable: Iterable[tuple[float, str, tuple[int, ...]]], types: dict[str, str], larger: bool
) -> Iterator[tuple[int, float, int, str, str]]:
    """Yield each tensor that can move: the bytes of its step less than zero [B], its place and number, name and next type.

    movable: place, name and shape; in this form what is yielded sorts itself, the largest step first, equals by their place.
    """
    for number, (place, name, shape) in enumerate(movable):
        step = _step(types[name], shape, larger)
        if step is not None:
            yield -step[0], place, number, name, step[1]


@lru_cache(maxsize=4096)
def _step(now: str, shape: tuple[int, ...], larger: bool) -> tuple[int, str] | None:
    """Return the bytes of the step of a tensor [B] and its next type, None if it cannot move."""
    following = (_STEPS if larger else _BACK).get(now)
    if following is None or now not in _QUANTIZED or shape[0] % dtype(following).block:
        return None
    return abs(stored_bytes(following, shape) - stored_bytes(now, shape)), following


def _whole(tensor: Tensor) -> Tensor:
    table = tensor.name in ("token_embd.weight", "output.weight")
    return tensor.stored_as("Q8_0") if table and dtype(tensor.type).quantized else tensor


def _scattered(block: int) -> float:
    """Return a number that spreads the blocks of a model evenly, from 0 to 1."""
    return (block + 1) * 0.6180339887 % 1
