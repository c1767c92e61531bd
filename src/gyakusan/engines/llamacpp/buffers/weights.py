"""Which tensors llama.cpp loads, and the bytes that they take.

Source: llama.cpp b11434, src/llama-model-loader.cpp (create_tensor), src/llama-model.cpp (buffer type lists);
padding: backends.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from math import prod

from msgspec import Struct

from gyakusan.core.cache import padded
from gyakusan.core.dtypes import dtype
from gyakusan.core.memo import Memo
from gyakusan.core.model import Memory, Model, Recurrent, Tensor
from gyakusan.engines.llamacpp.backends import PADDING
from gyakusan.engines.llamacpp.settings import Settings

EMBEDDING_TABLE = "token_embd.weight"
PER_LAYER_TABLE = "per_layer_token_embd.weight"
LAZY_ABOVE = 4 * 2**30
"""Tables of per-layer embeddings above this stay on disk: --lazy-mode auto. [B]"""


class Weights(Struct, frozen=True):
    """Bytes of the weights.

    gpu: on the GPU, 0 on the CPU backend [B]
    host: in RAM [B]
    """

    gpu: int
    host: int


_WEIGHTS = Memo[Weights](maxsize=8)


def weights(model: Model, settings: Settings) -> Weights:
    """Return the bytes of the model's weights if one GPU holds every layer, or the CPU. [B] Exact."""
    cpu = settings.backend == "cpu"
    return _WEIGHTS.get(
        model, settings.allocation_rules, lambda: Weights(0, _on_cpu(model)) if cpu else _on_gpu(model, settings.driver)
    )


def _on_gpu(model: Model, driver: str) -> Weights:
    """Return the weights of one GPU and of RAM: tables stay in RAM; a tied table is on the GPU as well, as the output."""
    gpu = host = 0
    stays = stays_in_ram(model)
    for tensor in loaded(model):
        if stays(tensor):
            host += stored(tensor, "cpu")
            if tensor.name == EMBEDDING_TABLE and model.tied and not model.graph.encoder:
                gpu += stored(tensor, driver)
        else:
            gpu += stored(tensor, driver)
    return Weights(gpu, host)


def _on_cpu(model: Model) -> int:
    """Return the bytes of every tensor once. [B] A tied table is the output too, unless the output was made first."""
    twice = model.tied and model.output_first
    return sum(stored(t, "cpu") * (2 if twice and t.name == EMBEDDING_TABLE else 1) for t in loaded(model))


_STAYS = Memo[Callable[[Tensor], bool]](maxsize=1)


def stays_in_ram(model: Model) -> Callable[[Tensor], bool]:
    """Return a test for tensors that stay in RAM although their block is on a GPU.

    These are tables of rows, and decays of state spaces that no GPU kernel takes.
    """
    return _STAYS.get(model, None, lambda: _stays_in_ram(model.memory, model.tables))


def _stays_in_ram(memory: Sequence[Memory], tables: Collection[str]) -> Callable[[Tensor], bool]:
    """Return that test; it must not hold the model, with which it is kept."""
    scan = next((m for m in memory if isinstance(m, Recurrent) and m.kind in ("mamba", "mamba2")), None)

    def stays(tensor: Tensor) -> bool:
        no_kernel = scan is not None and tensor.name.endswith(".ssm_a") and not _gpu_scans(tensor, scan)
        return no_kernel or tensor.name in tables

    return stays


def _gpu_scans(decay: Tensor, layer: Recurrent) -> bool:
    """Return True if CUDA's kernel takes a state space of this form. Else the decay stays in RAM (plamo2: 128 B each).

    Source: ggml-cuda.cu, supports_op of GGML_OP_SSM_SCAN; llama-model-loader.cpp, weight_buft_supported.
    """
    width, count = decay.shape[0], decay.shape[1] if len(decay.shape) > 1 else 1
    head = layer.inner // count
    if width == 1:
        return layer.state_size in (96, 128, 256) and head % 16 == 0
    return width == 16 and head == 1 and count % 128 == 0 and layer.groups <= 1


def loaded(model: Model) -> Iterator[Tensor]:
    """Return the tensors that are loaded. Those of prediction blocks stay in the file, except for a few."""
    last = loaded_blocks(model)
    keep = re.compile(model.extra_loaded) if model.extra_loaded else None
    for tensor in model.tensors:
        if block_number(tensor.name) < last or (keep is not None and keep.search(tensor.name)):
            yield tensor


_BY_NAME = Memo[Mapping[str, Tensor]](maxsize=1)


def loaded_by_name(model: Model) -> Mapping[str, Tensor]:
    """Return the tensors that are loaded by their names."""
    return _BY_NAME.get(model, None, lambda: {t.name: t for t in loaded(model)})


def loaded_blocks(model: Model) -> int:
    """Return the number of blocks that llama.cpp loads [blocks]."""
    return model.loaded if model.loaded >= 0 else model.blocks


def stored(tensor: Tensor, backend: str) -> int:
    """Return the bytes of one tensor in a buffer, padding included. [B] backend: a key of backends.PADDING."""
    return _stored(tensor.type, tensor.shape, backend)


@lru_cache(maxsize=4096)
def _stored(kind: str, shape: tuple[int, ...], backend: str) -> int:
    """Return the bytes of a tensor of this shape; blocks repeat their shapes, so each is computed once [B]."""
    padding, width = PADDING[backend], shape[0] if shape else 1
    return int(padded(dtype(kind), width, prod(shape[1:]), padding.align, padding.columns))


def read_lazily(model: Model, settings: Settings) -> int:
    """Return the bytes of per-layer embedding tables that are read from disk, row by row, instead of being loaded [B].

    Source: src/llama-model-loader.cpp, lazy_read::add: by itself above 4 GiB.
    """
    tables = (t for t in model.tensors if t.name == PER_LAYER_TABLE and settings.lazy != "off")
    return sum(stored(t, "cpu") for t in tables if settings.lazy == "on" or t.bytes > LAZY_ABOVE)


@lru_cache(maxsize=32768)
def block_number(name: str) -> int:
    """Return the number of a tensor's block, -1 for tensors outside blocks."""
    parts = name.split(".", 2)
    return int(parts[1]) if parts[0] == "blk" and len(parts) > 2 and parts[1].isdecimal() else -1
