"""Settings of vLLM that change memory, with the server's own defaults.

Source: vLLM 0.32.0, engine/arg_utils.py (EngineArgs.get_batch_defaults), config/cache.py, config/vllm.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import Struct

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import is_array
from gyakusan.core.machine import Machine
from gyakusan.errors import BadSetting, unknown
from gyakusan.message import say
from gyakusan.units import GIB

VERSION = "0.32.0"
"""The version whose source these rules come from."""
UTILIZATION = 0.92
"""Share of a GPU's whole memory that the server takes (config/cache.py)."""
CACHE_BYTES: Mapping[str, float] = {
    "auto": 2,
    "bfloat16": 2,
    "float16": 2,
    "fp8": 1,
    "fp8_e4m3": 1,
    "fp8_e5m2": 1,
    "fp8_ds_mla": 1,
    "nvfp4": 0.5625,
}
"""--kv-cache-dtype -> bytes of a value [B]. "auto" is the model's type unless the checkpoint declares another.

nvfp4: 4 bits and a scale of 8 bits for 16 values."""
QUANTIZATIONS = ("auto", "none", "fp8", "int8", "awq", "gptq", "nvfp4", "mxfp4", "bitsandbytes")
"""Kinds of checkpoint that are priced by name; `weights.METHODS` says how each is stored."""
DRAFTING = ("auto", "mtp", "other")
"""Who drafts: prediction layers where there are some, those alone, or another model."""
SAMPLERS = ("auto", "sorted", "masked")
"""How top-k and top-p are sampled: by the version, by sorting the logits (PyTorch), by a mask (Triton, FlashInfer)."""
LAST_SORTING = (0, 16)
"""The last release that sorts by default."""
PARALLEL = ("tensor_parallel", "pipeline_parallel", "data_parallel")
"""Settings that divide or multiply the model over GPUs."""
STATE_BYTES = {"auto": 0, "float32": 4, "bfloat16": 2, "float16": 2}
"""--mamba-ssm-cache-dtype -> bytes of a value [B]; 0: the model decides."""


@dataclass(frozen=True)
class Settings:
    """How the server is started. Lengths, sequences and batched tokens may be arrays.

    max_model_len: tokens of one request, prompt and output [tokens]
    max_num_seqs: requests in one batch
    max_num_batched_tokens: tokens of one batch [tokens]
    gpu_memory_utilization: share of the whole memory that the server takes
    block_size: tokens of a block, 0 = the attention backend's own [tokens]
    kv_cache_dtype: element type of keys and values, a key of CACHE_BYTES
    enable_prefix_caching: True to reuse the blocks of equal prefixes
    tensor_parallel: GPUs that share each layer
    pipeline_parallel: groups of GPUs, each with a part of the layers
    enforce_eager: True to use no CUDA graphs
    version: of vLLM; rules differ
    speculative_tokens: tokens drafted for each step
    speculative_method: who drafts, one of DRAFTING; "auto" = the model's own prediction layers (MTP) if it has them
    state_dtype: element type of recurrent states, a key of STATE_BYTES
    memory_kept: --kv-cache-memory-bytes, 0 = what is left after profiling [B]
    quantization: of the checkpoint, "auto" = as it says itself, else a key of QUANTIZATIONS
    vision_bytes: of the part of a published model that reads images, 0 = none: --language-model-only [B]
    data_parallel: --data-parallel-size, copies of the model, each on its own GPUs and for its share of the requests
    cpu_offload: --cpu-offload-gb, weights of each GPU that stay in RAM [B]
    sampler: how a token is chosen, one of SAMPLERS; "auto" = as the version does
    expert_parallel: --enable-expert-parallel, whole experts on each GPU instead of a part of every expert
    decode_context_parallel: --decode-context-parallel-size, GPUs of a tensor-parallel group that share the tokens of a cache
        which each of them would keep whole
    """

    max_model_len: Number
    max_num_seqs: Number = 256
    max_num_batched_tokens: Number = 2048
    gpu_memory_utilization: float = UTILIZATION
    block_size: int = 0
    kv_cache_dtype: str = "auto"
    enable_prefix_caching: bool = True
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    enforce_eager: bool = False
    version: str = VERSION
    speculative_tokens: int = 0
    speculative_method: str = "auto"
    state_dtype: str = "auto"
    memory_kept: int = 0
    quantization: str = "auto"
    vision_bytes: int = 0
    data_parallel: int = 1
    cpu_offload: int = 0
    sampler: str = "auto"
    expert_parallel: bool = False
    decode_context_parallel: int = 1

    @property
    def world(self) -> int:
        """Return the number of GPUs that one copy of the model uses."""
        return self.tensor_parallel * self.pipeline_parallel

    @property
    def gpus(self) -> int:
        """Return the number of GPUs that the server uses."""
        return self.world * self.data_parallel

    @property
    def expert_ranks(self) -> int:
        """Return the GPUs that share the experts of a layer: those of all copies. flatten_tp_across_dp_and_pcp."""
        return self.tensor_parallel * self.data_parallel

    @property
    def sorts(self) -> bool:
        """Return True if the sampler sorts the logits of all requests."""
        return self.sampler == "sorted" or (self.sampler == "auto" and release(self.version) <= LAST_SORTING)

    @property
    def batches(self) -> int:
        """Return the batches that may be scheduled and not yet settled.

        Source: config/vllm.py, VllmConfig.max_concurrent_batches: asynchronous scheduling overlaps one more. Logs of
        0.20 and before fit one batch.
        """
        return self.pipeline_parallel + 1 if release(self.version) > (0, 20) else 1

    @property
    def in_flight(self) -> Number:
        """Return the tokens that keep their blocks although they left the window [tokens].

        Source: VllmConfig.max_in_flight_tokens.
        """
        return self.batches * self.max_num_batched_tokens


def release(version: str) -> tuple[int, int]:
    """Return (0, 20) for "0.20.1rc2". What is no release of vLLM (a build without tags calls itself 0.1.dev1) is new."""
    match = re.match(r"v?(\d+)\.(\d+)", version)
    parts = (int(match[1]), int(match[2])) if match else (0, 0)
    return parts if parts >= (0, 2) else (1 << 30, 0)


class Batch(Struct, frozen=True):
    """The limits of one batch.

    tokens: tokens of one batch [tokens]
    seqs: requests in one batch
    """

    tokens: int
    seqs: int


BATCHES = (Batch(2048, 256), Batch(8192, 1024), Batch(16384, 1024))
"""For small, large and very large GPUs. Source: engine/arg_utils.py, EngineArgs.get_batch_defaults."""


def batch_defaults(machine: Machine) -> Batch:
    """Return the defaults of `vllm serve` for this GPU. An A100 counts as small."""
    memory = min((g.memory or 0 for g in machine.gpus), default=0)
    if memory >= 160 * GIB:
        return BATCHES[2]
    slow = any("a100" in g.name.casefold() for g in machine.gpus)
    return BATCHES[1] if memory >= 70 * GIB and not slow else BATCHES[0]


def check(settings: Settings) -> Settings:
    """Return `settings`. Raises BadSetting (UnknownName for a type) for what vLLM refuses. Only scalars are checked."""
    for name in ("max_model_len", "max_num_seqs", "max_num_batched_tokens", *PARALLEL, "decode_context_parallel"):
        value = getattr(settings, name)
        if not is_array(value) and value < 1:
            raise BadSetting("{key} cannot be {value}.", key=name, value=value, mend="Give 1 or more.")
    if not 0 < settings.gpu_memory_utilization <= 1:
        raise BadSetting(
            "gpu_memory_utilization cannot be {value}.",
            value=settings.gpu_memory_utilization,
            mend="Give a share of the GPU's memory: more than 0, at most 1.",
        )
    if settings.cpu_offload < 0:
        raise BadSetting(
            "{key} cannot be {value}.", key="cpu_offload", value=settings.cpu_offload, mend="Give 0 or more."
        )
    if settings.block_size < 0 or settings.block_size % 16:
        raise BadSetting("block_size cannot be {value}.", value=settings.block_size, mend="Give a multiple of 16.")
    for kind, value, known in (
        (say("cache type"), settings.kv_cache_dtype, CACHE_BYTES),
        (say("state type"), settings.state_dtype, STATE_BYTES),
        (say("quantisation"), settings.quantization, QUANTIZATIONS),
        (say("sampler"), settings.sampler, SAMPLERS),
        (say("speculative method"), settings.speculative_method, DRAFTING),
    ):
        if value not in known:
            raise unknown(kind, value, known)
    return settings
