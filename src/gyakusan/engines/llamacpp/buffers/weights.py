"""Where llama.cpp puts a model's tensors, and what they take there.

Source: llama.cpp b11434, src/llama-model-loader.cpp (create_tensor), src/llama-model.cpp (buffer type lists),
drivers.py (padding).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import prod

from gyakusan.core.cache import padded
from gyakusan.core.dtypes import dtype
from gyakusan.core.memo import Memo
from gyakusan.core.model import Model, Recurrent, Tensor
from gyakusan.engines.llamacpp.backends import PADDING
from gyakusan.engines.llamacpp.settings import Settings

TABLE = "token_embd.weight"
PER_LAYER = "per_layer_token_embd.weight"
LARGE = 4 * 2**30
"""Tables above this stay on disk: --lazy-mode auto. [B]"""


@dataclass(frozen=True, slots=True)
class Weights:
    """Bytes on the GPU and in the host's memory. [B] On the CPU backend all are on the host."""

    gpu: int
    host: int


_WEIGHTS = Memo[Weights](maxsize=8)


def weights(model: Model, settings: Settings) -> Weights:
    """Bytes of the model's weights, one GPU holding every layer or none. [B] Exact."""
    cpu = settings.backend == "cpu"
    return _WEIGHTS.get(
        model, settings.stores, lambda: Weights(0, _cpu(model)) if cpu else _beside(model, settings.driver)
    )


def _beside(model: Model, driver: str) -> Weights:
    """Tables of rows stay on the host; a tied model has its output on the GPU besides."""
    gpu = host = 0
    stays = on_host(model)
    for tensor in resident(model):
        if stays(tensor):
            host += stored(tensor, "cpu")
            if tensor.name == TABLE and model.tied and not model.graph.encoder:
                gpu += stored(tensor, driver)
        else:
            gpu += stored(tensor, driver)
    return Weights(gpu, host)


def on_host(model: Model) -> Callable[[Tensor], bool]:
    """Tells tensors that stay in RAM although their block is on a GPU: tables of rows, and decays that no kernel takes."""
    scans = next((m for m in model.memory if isinstance(m, Recurrent) and m.kind in ("mamba", "mamba2")), None)

    def stays(tensor: Tensor) -> bool:
        odd = scans is not None and tensor.name.endswith(".ssm_a") and not _scanned(tensor, scans)
        return odd or tensor.name in model.tables

    return stays


def _scanned(decay: Tensor, layer: Recurrent) -> bool:
    """True if the GPU's kernel takes a state space of this form: else the decay stays on the host (plamo2: 128 B each).

    Source: ggml-cuda.cu, supports_op of GGML_OP_SSM_SCAN; llama-model-loader.cpp, weight_buft_supported.
    """
    width, count = decay.shape[0], decay.shape[1] if len(decay.shape) > 1 else 1
    head = layer.inner // count
    if width == 1:
        return layer.state_size in (96, 128, 256) and head % 16 == 0
    return width == 16 and head == 1 and count % 128 == 0 and layer.groups <= 1


def _cpu(model: Model) -> int:
    """Every tensor once. A tied table is shared with the output, unless the output was made first."""
    twice = model.tied and model.output_first
    return sum(stored(t, "cpu") * (2 if twice and t.name == TABLE else 1) for t in resident(model))


def resident(model: Model) -> Iterator[Tensor]:
    """The tensors that are loaded: those of prediction blocks stay in the file, but for a few."""
    last = model.loaded if model.loaded >= 0 else model.blocks
    keep = re.compile(model.extra_loaded) if model.extra_loaded else None
    for tensor in model.tensors:
        if block(tensor.name) < last or (keep is not None and keep.search(tensor.name)):
            yield tensor


def stored(tensor: Tensor, backend: str) -> int:
    """Bytes of one tensor in a buffer, padding included. [B] backend: a key of drivers.PADDING."""
    return _stored(tensor.type, tensor.shape, backend)


@lru_cache(maxsize=4096)
def _stored(kind: str, shape: tuple[int, ...], backend: str) -> int:
    """Blocks repeat their shapes: each is reckoned once."""
    padding, width = PADDING[backend], shape[0] if shape else 1
    return int(padded(dtype(kind), width, prod(shape[1:]), padding.align, padding.columns))


def lazily(model: Model, settings: Settings) -> int:
    """Tables of per-layer embeddings that are read from disk, row by row, instead of being loaded. [B]

    Source: src/llama-model-loader.cpp, lazy_read::add: by itself above 4 GiB.
    """
    tables = (t for t in model.tensors if t.name == PER_LAYER and settings.lazy != "off")
    return sum(stored(t, "cpu") for t in tables if settings.lazy == "on" or t.bytes > LARGE)


@lru_cache(maxsize=32768)
def block(name: str) -> int:
    """Number of the block, -1 for tensors of none."""
    parts = name.split(".", 2)
    return int(parts[1]) if parts[0] == "blk" and len(parts) > 2 and parts[1].isdecimal() else -1
