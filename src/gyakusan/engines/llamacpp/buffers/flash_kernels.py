"""Which heads flash attention has a kernel for on a GPU, and what llama.cpp does where there is none.

--flash-attn auto is then off, and every head's scores are written. A quantised value cache keeps it on, and the CPU computes
attention, with the cache copied there for each layer.
Source: llama.cpp b11434 and llama-cpp-python 0.3.36: ggml-cuda/fattn.cu (ggml_cuda_get_best_fattn_kernel), ggml-metal-device.m
and ggml-vulkan.cpp (GGML_OP_FLASH_ATTN_EXT), src/llama-context.cpp (resolve_fused_ops, llama_init_from_model).
"""

from __future__ import annotations

from dataclasses import fields
from types import MappingProxyType

from gyakusan.core.dtypes import dtype
from gyakusan.core.model import Attention, Latent, Model
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.message import Message, say

CUDA_WIDTHS = (40, 64, 72, 80, 96, 112, 128, 256)
"""Widths of a head whose keys and values are equally wide that CUDA has a kernel for, whatever the heads [values]."""
CUDA_GROUPED = MappingProxyType({(192, 128): 8, (320, 256): 32, (512, 512): 1, (576, 512): 1})
"""Widths of key and value that CUDA has a kernel for where several query heads share a key: their number is a multiple."""
CUDA_TYPES = ("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")
"""Types of a cache that CUDA's and Metal's kernels read. Vulkan's read IQ4_NL, too."""
METAL_WIDTHS = (32, 40, 48, 64, 72, 80, 96, 112, 128, 192, 256, 320, 512, 576)
"""Widths of a head's key that Metal has a kernel for [values]."""
VULKAN_STEP = 8
"""Vulkan has a kernel for heads whose width is a multiple of this [values]."""


class Unfused(Settings):
    """Settings under which auto found no kernel: scores are written, and values are not stored transposed.

    It has no fields of its own, so that it is frozen, equal and hashed as Settings are: a second dataclass() would compile
    the same functions anew, which takes longer than a simulation.
    """

    @property
    def flash(self) -> bool:
        """Return False: no kernel."""
        return False

    @property
    def transposed(self) -> bool:
        """Return False: the cache was laid out before the kernel was looked for."""
        return False


class Fused(Settings):
    """Settings under which the CPU computes all attention, with flash: no block is on a GPU that has no kernel."""


def resolved(model: Model, settings: Settings) -> Settings:
    """Return the settings as llama.cpp resolves auto: Unfused where no kernel computes this model's attention."""
    if settings.flash_attention == "off" or isinstance(settings, (Unfused, Fused)) or has_kernel(model, settings):
        return settings
    given = {f.name: getattr(settings, f.name) for f in fields(Settings)}
    if settings.gpu_layers == 0:
        return Fused(**given)
    return settings if _keeps_flash(settings) else Unfused(**given)


def _keeps_flash(settings: Settings) -> bool:
    """Return True if flash attention stays on where the GPU has no kernel for it."""
    return settings.flash_attention == "on" or dtype(settings.value_type).quantized


def is_on_host(model: Model, settings: Settings) -> bool:
    """Return True if the CPU computes attention, since flash attention is on and the GPU has no kernel."""
    if not settings.flash or has_kernel(model, settings):
        return False
    return settings.gpu_layers != 0 and _keeps_flash(settings)  # as `resolved` decides


def has_kernel(model: Model, settings: Settings) -> bool:
    """Return True if all attention has a kernel where it is computed. A CPU has one for every width; SYCL is taken to."""
    if settings.backend == "cpu" or isinstance(settings, Fused):
        return True
    return all(_has_kernel(m, settings) for m in model.memory if isinstance(m, (Attention, Latent)))


def widths(layer: Attention | Latent) -> tuple[int, int, int]:
    """Return the width of a head's key and value [values], and the query heads that share a key."""
    if isinstance(layer, Latent):
        return layer.key, layer.rank, layer.heads
    return layer.key_head, layer.value_head, layer.heads * layer.key_head // layer.key


def _has_kernel(layer: Attention | Latent, s: Settings) -> bool:
    key, value, shared = widths(layer)
    types = s.cache_types
    match s.allocation_rules:
        case "cuda" | "rocm":
            grouped = CUDA_GROUPED.get((key, value), 0)
            fits = (key == value and key in CUDA_WIDTHS) or bool(grouped and shared > 1 and shared % grouped == 0)
            return fits and all(t in CUDA_TYPES for t in types)
        case "metal":
            same = types[0] == types[1] and types[0] in CUDA_TYPES
            return same and key in METAL_WIDTHS and key >= value and (key != 72 or value == 72)
        case "vulkan":
            return not (key % VULKAN_STEP or value % VULKAN_STEP) and types.count("BF16") != 1
    return True


def note(model: Model, settings: Settings) -> Message | None:
    """Return what is said where attention has no kernel."""
    decided = resolved(model, settings)
    if has_kernel(model, decided):
        return None
    layers = (m for m in model.memory if isinstance(m, (Attention, Latent)))
    key, value, _ = next(widths(m) for m in layers if not _has_kernel(m, settings))
    facts = {"backend": settings.allocation_rules, "width": str(key) if key == value else f"{key}/{value}"}
    types = {t.lower(): None for t in settings.cache_types}
    facts["type"] = "/".join(types)
    if decided.flash:
        return say(
            "The {backend} backend has no flash-attention kernel for heads of width {width} with a {type} cache: the CPU "
            "computes attention. Speeds do not count this.",
            **facts,
        )
    return say(
        "The {backend} backend has no flash-attention kernel for heads of width {width} with a {type} cache: "
        "--flash-attn auto turns it off, and the scores of all heads are written. Speeds do not count this.",
        **facts,
    )
