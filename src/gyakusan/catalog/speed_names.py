"""What people call models and quantisations where they publish measurements -> our names.

Models: data/speed_models.json holds patterns, and the shapes of models that the catalogue has not got.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from gyakusan.catalog.places import DATA
from gyakusan.core.traffic import RoleBits
from gyakusan.doors.files import packaged
from gyakusan.patterns import late


class Quant(Struct, frozen=True):
    """How weights are stored.

    label: as a name
    group: quantisations that run alike, see `speed_group`
    recipe: llama.cpp's, "" = none
    stored: bits by role for other formats, None = by the recipe
    size: bytes of the file over those of the recipe, where its maker mixes types otherwise (Unsloth's: usual sizes)
    routed: the same for models with routed experts
    """

    label: str
    group: str
    recipe: str = ""
    stored: RoleBits | None = None
    size: float = 1.0
    routed: float = 1.0


def model_name(text: str) -> str | None:
    """Return the model behind a file name, a repository, a tag or a nickname; None if it is not known."""
    plain = text.strip().casefold().rsplit("/", 1)[-1].rsplit("\\", 1)[-1]
    plain = re.sub(r"[\s_:]+", "-", plain)
    plain = re.sub(r"(\d)-(\d)b\b", r"\1.\2b", plain) if re.search(r"qwen-?3-5|qwen-?2-5", plain) else plain
    for words, pattern, target in _patterns():
        if any(word in plain for word in words) and _compiled(pattern).search(plain):
            return target or None
    return _catalogued(text)


def extra_models() -> Mapping[str, Mapping[str, Any]]:
    """Return metadata of models that only measurements name, by name."""
    return {m["name"]: m["metadata"] for m in _file()["models"]}


@cache
def _file() -> Mapping[str, Any]:
    found: Mapping[str, Any] = msgspec.json.decode(packaged(DATA / "speed_models.json"))
    return found


_compiled = cache(re.compile)
_BEGINNING = late(r"\^?([a-z]*)(?![?*{])")
"""Letters that an alternative of a pattern begins with; the last one only where it must be there."""


@cache
def _patterns() -> tuple[tuple[tuple[str, ...], str, str], ...]:
    """Return (words, pattern, model): a text without one of the words cannot match.

    To compile all 160 patterns takes longer than a whole estimate: a name needs three of them. A bar inside of parentheses
    only makes more words.
    """
    return tuple((_beginnings(pattern), pattern, target) for pattern, target in _file()["names"])


def _beginnings(pattern: str) -> tuple[str, ...]:
    return tuple(_BEGINNING.match(part)[1] for part in pattern.split("|"))  # type: ignore[index]  # it matches anything


@lru_cache(maxsize=4096)
def _catalogued(text: str) -> str | None:
    from gyakusan.catalog.models import find
    from gyakusan.errors import GyakusanError

    bare = re.sub(r"(?i)[-_.]?(gguf|instruct|it|chat|fp8|awq|int4|nvfp4|bf16)\b.*$", "", text)
    for name in (text, text.rsplit("/", 1)[-1], bare, bare.rsplit("/", 1)[-1]):
        try:
            return find(name).name if name else None
        except GyakusanError:
            continue
    return None


# Unsloth's dynamic quantisations beside the recipe of the nearest name: usual file sizes (several models, 2025-2026).
_DYNAMIC = {
    "Q8_K_XL": ("Q8_0", 1.10, 0.93),
    "Q6_K_XL": ("Q6_K", 1.05, 1.0),
    "Q5_K_XL": ("Q5_K_M", 1.01, 1.02),
    "Q4_K_XL": ("Q4_K_M", 1.0, 0.96),
    "Q3_K_XL": ("Q3_K_M", 1.03, 0.93),
    "Q2_K_XL": ("Q2_K", 1.05, 1.0),
    "Q4_K_L": ("Q4_K_M", 1.04, 1.04),
    "Q4_K_P": ("Q4_K_M", 1.0, 1.0),
    "Q2_XXS": ("IQ2_XXS", 1.1, 1.1),
    "Q3_XXS": ("IQ3_XXS", 1.05, 1.05),
}
_GGUF = late(
    r"(?<![a-z0-9])(i?q[1-8]_k_(?:xl|p|[sml])|i?q[1-8]_(?:xxs|xs|nl|k|0|1|s|m)|tq[12]_0)(?![a-z0-9])", re.IGNORECASE
)
_SPOKEN = ((" - small", "_s"), (" - medium", "_m"), (" - large", "_l"))
_OTHER: tuple[tuple[str, str, RoleBits], ...] = (
    (r"nvfp4|(?<!mx)fp4", "nvfp4", RoleBits(attention=8, linear=4.5, experts=4.5)),
    (r"g32|w4a16", "int4-g32", RoleBits(4.5, 4.5, 4.5)),
    (r"awq|gptq|autoround|int4|bnb-4bit|mixed4", "int4", RoleBits(4.25, 4.25, 4.25)),
    (r"w8a16|int8", "int8", RoleBits(8.1, 8.1, 8.1)),
    (r"mxfp8", "mxfp8", RoleBits(8.25, 8.25, 8.25, 8.25)),
    (r"fp8|float8", "fp8", RoleBits(8, 8, 8)),
    (r"(mlx[ -]?)?8-?bit", "mlx-8bit", RoleBits(8.5, 8.5, 8.5, 8.5)),
    (r"(mlx[ -]?)?4-?bit|(?<![a-z])mlx(?![a-z])", "mlx-4bit", RoleBits(4.5, 4.5, 4.5, 4.5)),
)
_GROUPS = {
    "nvfp4": "fp4",
    "mxfp4": "fp4",
    "int4": "w4",
    "int4-g32": "w4",
    "int8": "q8",
    "mxfp8": "q8",
    "fp8": "fp8",
    "mlx-8bit": "q8",
    "mlx-4bit": "w4",
    "bf16": "f16",
}


def parse_quant(text: str, *, model: str = "", server: bool = False) -> Quant | None:
    """Return the quantisation that `text` names, None if it names none.

    model: our name of the model (gpt-oss stays MXFP4 whatever the file is called); server: vLLM, SGLang, TensorRT-LLM.
    """
    plain = text.casefold().replace(".", "_")
    for spoken, short in _SPOKEN:
        plain = plain.replace(f"_k{spoken}", f"_k{short}")
    if model.startswith("gpt-oss") and re.search(r"mxfp4|fp4|f16|bf16|fp16|q\d|^$", plain):
        return Quant("mxfp4", "fp4", "" if server else "MXFP4_MOE", RoleBits(experts=4.25) if server else None)
    found = _GGUF.search(plain)
    if found:
        return _gguf(found[1].upper())
    for pattern, label, stored in _OTHER:
        if re.search(pattern, plain):
            return Quant(label, _GROUPS[label], stored=stored)
    if "mxfp4" in plain:
        return Quant("mxfp4", "fp4", "" if server else "MXFP4_MOE", RoleBits(4.25, 4.25, 4.25) if server else None)
    if re.search(r"bf16|fp16|(?<!f)f16|f32", plain):
        return sixteen_bit(True) if server else Quant("bf16", "bf16" if "bf16" in plain else "f16", "F16")
    return None


def sixteen_bit(server: bool) -> Quant:
    """Return what an engine loads where nobody names a quantisation: 16 bits."""
    return Quant("bf16", "f16", "" if server else "F16", RoleBits() if server else None)


def _gguf(name: str) -> Quant | None:
    from gyakusan.core.recipe import canonical
    from gyakusan.errors import GyakusanError

    recipe, size, routed = _DYNAMIC.get(name, (name, 1.0, 1.0))
    try:
        recipe = canonical(recipe)
    except GyakusanError:
        return None
    return Quant(name, speed_group(recipe), recipe, size=size, routed=routed)


def speed_group(recipe: str) -> str:
    """Return the group of quantisations whose kernels run alike: f16, bf16, q8, q6, q5, q4k, q4, q3, q2, fp4."""
    for start, found in (("F", "f16"), ("BF", "bf16"), ("MXFP4", "fp4"), ("NVFP4", "fp4"), ("Q8", "q8"), ("Q6", "q6")):
        if recipe.startswith(start):
            return found
    if recipe.startswith(("IQ4_NL", "Q4_0", "Q4_1", "Q5_0", "Q5_1")):
        return "q4"
    if recipe.startswith(("Q4_K", "IQ4")):
        return "q4k"
    if recipe.startswith("Q5"):
        return "q5"
    return "q3" if recipe.startswith(("Q3", "IQ3")) else "q2"
