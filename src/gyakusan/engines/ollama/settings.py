"""Decisions of Ollama before it starts llama-server: context, parallel requests, batch, flash attention, GPUs.

Source: Ollama v0.33.0-rc2 (August 2026): server/sched.go, server/routes.go, llm/llama_server.go, envconfig/config.go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import is_array, minimum, where
from gyakusan.core.machine import Device, Machine
from gyakusan.core.model import Attention, Model, Recurrent
from gyakusan.errors import BadSetting, unknown
from gyakusan.message import quoted, say
from gyakusan.units import GIB, MIB

VERSION = "0.33.0-rc2"
LLAMA_CPP = "b10488"
"""The llama.cpp that this version builds (LLAMA_CPP_VERSION). Its rules are those of engines/llamacpp/builds.py."""

BUILDS = (((0, 33), LLAMA_CPP), ((0, 32), "b10434"))
"""Version -> the llama.cpp that it builds, newest first. Of 0.32 by its date, August 2026: its buffers are those of b10434."""
LIBRARY = ":"
"""What the name of a tag of Ollama's library has, and no name of the catalogue."""

CACHE_TYPES = ("f16", "q8_0", "q4_0", "f32", "bf16", "q4_1", "iq4_nl", "q5_0", "q5_1")
ALONE = frozenset(
    [
        "mllama",
        "qwen3vl",
        "qwen3vlmoe",
        "qwen35",
        "qwen35moe",
        "qwen3next",
        "lfm2",
        "lfm2moe",
        "nemotron_h",
        "nemotron_h_moe",
        "nemotron_h_omni",
    ]
)
"""Architectures that are served one request at a time, whatever OLLAMA_NUM_PARALLEL says. server/sched.go, load."""
FIT_TARGET = 1024 * MIB
"""Ollama gives no -ngl: llama.cpp's --fit keeps this free on each GPU, else layers go to the CPU. LLAMA_ARG_FIT_TARGET."""
SMALL, MEDIUM, LARGE, CONSTRAINED = 512, 1024, 2048, 256
SURCHARGE = {MEDIUM: 768 * MIB, LARGE: 2 * GIB}
"""What Ollama puts aside for a batch above 512. server/sched.go, generationBatchSurcharge."""
HEADROOM = {MEDIUM: 75, LARGE: 60}
"""A batch is taken only while its estimate is below this share of the free memory. [%] generationBatchHasHeadroom."""
FULL = 80
"""Share of the free memory that an estimate may fill [%]."""


@dataclass(frozen=True)
class Settings:
    """Ollama's variables without OLLAMA_, in lower case, and the options of a request that change memory.

    context_length: num_ctx, tokens of one request [tokens]
    num_parallel: requests served together
    num_batch: logical and physical batch [tokens]
    kv_cache_type: element type of keys and values
    flash_attention: "auto" unless the variable is set
    gpu_overhead: lowers the default context, nothing else [B]
    fit_target: memory that llama.cpp leaves free on each GPU [B]
    max_loaded_models: models loaded at once, 0 = 3 for each GPU
    keep_alive: how long an idle model stays loaded
    igpu_enable: use of integrated GPUs, "auto" = NVIDIA's and the Radeon 8060S
    sched_spread: True to use all GPUs even if one is enough
    backend: as in llama.cpp's settings
    kv_heads: fewest KV heads that the file names (attention.head_count_kv), 0 = as its converter writes them
    version: of Ollama; its llama.cpp differs
    split: layers or experts are left in RAM, because the GPUs are short: llama.cpp's --fit
    mtp: the file's prediction blocks draft
    projector_bytes: of the projector that a library model brings, which is loaded with it [B]
    """

    context_length: Number
    num_parallel: Number = 1
    num_batch: Number = SMALL
    kv_cache_type: str = "f16"
    flash_attention: Literal["auto", "on", "off"] = "auto"
    gpu_overhead: int = 0
    fit_target: int = FIT_TARGET
    max_loaded_models: int = 0
    keep_alive: str = "5m"
    igpu_enable: Literal["auto", "on", "off"] = "auto"
    sched_spread: bool = False
    backend: str = "cuda"
    kv_heads: int = 0
    version: str = VERSION
    split: bool = False
    mtp: bool = False
    projector_bytes: int = 0

    @property
    def build(self) -> str:
        """Return the llama.cpp that this version contains, "unknown" for one that nobody looked up."""
        found = release(self.version)
        return next((build for since, build in BUILDS if found is not None and found >= since), "unknown")


def default_context(machine: Machine, overhead: int = 0) -> int:
    """Return num_ctx where nobody sets it, by the memory of all GPUs [tokens]. server/routes.go, Serve."""
    total = sum(max(0, (_capacity(g) or 0) - overhead) for g in machine.gpus)
    return 262144 if total >= 47 * GIB else 32768 if total >= 23 * GIB else 4096


def predicted(model: Model, tokens: Number, kv_heads: int = 0) -> Number:
    """Return Ollama's own estimate: the file and an f16 cache of all layers, without windows [B].

    tokens: context of all requests together; kv_heads: 0 = as the file says. Source: llm.PredictServerVRAM.
    """
    attention = [m for m in model.memory if isinstance(m, Attention)]
    width = model.embedding // max((m.heads for m in attention), default=1)
    return model.bytes + 2 * model.blocks * (kv_heads or kv_heads_of(model)) * width * tokens * 2


def kv_heads_of(model: Model) -> int:
    """Return the fewest KV heads that the file names, at least one. ggml.KV.HeadCountKVMin.

    Files that llama.cpp's converter made of Qwen's hybrids name one number for all blocks (hf.co pulls); Ollama's own converter
    lists the heads of each block, with 0 for recurrent ones (convert_qwen3next.go), and so its library has the least: 1.
    """
    named = model.metadata.get(f"{model.architecture}.attention.head_count_kv")
    recurrent = any(isinstance(m, Recurrent) for m in model.memory)
    if recurrent and LIBRARY in model.name:
        return 1
    if isinstance(named, list | tuple) and named:
        return max(1, min(int(n) for n in named))
    if isinstance(named, int):
        return max(1, named)
    attention = [m for m in model.memory if isinstance(m, Attention)]
    return min((m.key // m.key_head for m in attention), default=1) if not recurrent else 1


def batch(model: Model, machine: Machine, tokens: Number, flash: bool, kv_heads: int = 0) -> Number:
    """Return num_batch where nobody sets it [tokens].

    tokens: context of all requests together. Source: server/sched.go, automaticGenerationBatch.
    """
    if not flash and any(g.backend == "cuda" for g in machine.gpus):
        small = any(free <= 8 * GIB for g in machine.gpus if (free := g.usable))
        return where((tokens > 4096) & small, CONSTRAINED, SMALL)
    free = sum(g.usable or 0 for g in machine.gpus)
    wanted, size = where(tokens > 32768, LARGE, where(tokens > 4096, MEDIUM, SMALL)), predicted(model, tokens, kv_heads)
    medium = where(_room(size, free, MEDIUM), MEDIUM, SMALL)
    return minimum(wanted, where(_room(size, free, LARGE), LARGE, medium))


def _room(size: Number, free: int, wanted: int) -> Number:
    """Return True if the estimate leaves room for a batch of `wanted`, or nothing is known. generationBatchFits."""
    if not free:
        return True
    full = free * FULL // 100
    return (size <= free * HEADROOM[wanted] // 100) & (SURCHARGE[wanted] + size <= full)


def placed(model: Model, machine: Machine, settings: Settings) -> Machine:
    """Return the GPUs that Ollama gives the model: one if its estimate fills less than 80 % of it, else all.

    Source: server/sched.go, selectLlamaServerPlacement, bestSingleGPUFit. Arrays: all.
    """
    tokens = settings.context_length * settings.num_parallel
    if len(machine.gpus) < 2 or settings.sched_spread or is_array(tokens):
        return machine
    size = predicted(model, tokens, settings.kv_heads)
    enough = [g for g in machine.gpus if (g.usable or 0) * FULL // 100 >= size]
    if not enough:
        return machine
    best = max(enough, key=lambda g: g.usable or 0)
    return Machine(best.name, (best,), machine.host, machine.processor, machine.cores)


def allowed(gpu: Device, settings: Settings) -> bool:
    """Return False for an integrated GPU that Ollama drops. discover/runner.go, filterIntegratedGPUs."""
    if gpu.kind != "unified" or gpu.backend == "metal":
        return True
    if settings.igpu_enable != "auto":
        return settings.igpu_enable == "on"
    return gpu.backend == "cuda" or any(name in gpu.name for name in ("8060S", "395"))


def release(version: str) -> tuple[int, int] | None:
    """Return (0, 32) for "0.32.14", None for what is no version."""
    match = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else None


def check(settings: Settings) -> Settings:
    """Return `settings`. Raises UnknownName, BadSetting for what Ollama refuses. Only scalars are checked."""
    if settings.kv_cache_type.lower() not in CACHE_TYPES:
        raise unknown(say("cache type"), settings.kv_cache_type, CACHE_TYPES, choices=True)
    if release(settings.version) is None:
        raise BadSetting(
            "{key} cannot be {value}.",
            key="version",
            value=quoted(settings.version, 40),
            mend="Give a version such as 0.32.14.",
        )
    if settings.kv_heads < 0:
        raise BadSetting("{key} cannot be {value}.", key="kv_heads", value=settings.kv_heads, mend="Give 0 or more.")
    for name in ("context_length", "num_parallel", "num_batch"):
        value = getattr(settings, name)
        if not is_array(value) and value < 1:
            raise BadSetting("{key} cannot be {value}.", key=name, value=value, mend="Give 1 or more.")
    return settings


def _capacity(gpu: Device) -> int | None:
    """Return the memory that the driver reports as total: of a Mac, only what Metal grants [B]."""
    return gpu.usable if gpu.backend == "metal" else gpu.memory
