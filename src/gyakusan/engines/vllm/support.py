"""Why vLLM would not run a model on a machine: platform, device, architecture, quantisation, heads.

Source: vLLM 0.32.0, platforms/*.py, docs of its wheels (CUDA, ROCm, XPU, CPU), model_executor/layers/quantization/*.py
(get_min_capability), v1/attention/backends/mla (supports_compute_capability).
"""

from __future__ import annotations

from collections.abc import Iterator

from gyakusan.core.broadcast import is_array
from gyakusan.core.machine import Device, Machine
from gyakusan.core.model import Compressed, Experts, Indexer, Model
from gyakusan.engines.base import System
from gyakusan.engines.vllm.capability import capability
from gyakusan.engines.vllm.pages import cache_bytes, pages
from gyakusan.engines.vllm.settings import VERSION, Settings, check
from gyakusan.engines.vllm.small_cache import AMD_FP8, cache_refusal
from gyakusan.engines.vllm.weights import stored
from gyakusan.errors import BadSetting, GyakusanError
from gyakusan.message import Message, say

LEAST = 7.5
"""Compute capability below which there are no kernels."""
BLACKWELL = 10.0
"""Compute capability from which on there are kernels that compute in NVFP4."""
NEEDS = {
    "fp8": 7.5,
    "mxfp4": 8.0,
    "nvfp4": 7.5,
    "awq": 7.5,
    "gptq": 7.5,
    "compressed-tensors": 7.5,
    "bitsandbytes": 7.5,
}
"""quant_method -> least compute capability, with kernels that unpack to 16 bits where the card has none of its own."""
NOT_ON_AMD = frozenset(("awq", "gptq", "int4", "int8", "nvfp4", "bitsandbytes"))
"""Formats that the documentation lists without AMD GPUs: docs.vllm.ai, features/quantization, "Supported Hardware", the same in
every release read, v0.5.3 to v0.15.1 and latest (2026-11-28): AWQ, GPTQ, Marlin (GPTQ/AWQ/FP8/FP4), INT8 (W8A8),
bitsandbytes; llm_compressor/int4: NVIDIA only. The code of 0.32.0 tries more (platforms/rocm.py, supported_quantization: awq
and gptq by Triton), and people report slow or patched runs (vllm-project/vllm#11249, ROCm/aiter#900): nothing to promise."""


def refusals(model: Model, machine: Machine, settings: Settings) -> tuple[Message, ...]:
    """Return every reason why the server would not start. Empty: it would."""
    return (*_platform(machine), *_model(model, machine), *_settings(model, machine, settings))


def machine_refusal(machine: Machine, system: System) -> Message | None:
    """Return why vLLM runs no model at all on a machine, None if it does."""
    if system == "windows":
        return say("vLLM does not run on Windows directly.")
    return next(_platform(machine), None)


def system_refusal(system: System, alone: bool) -> BadSetting | None:
    """Return why vLLM cannot be asked for under an operating system. Windows: see `machine_refusal`."""
    if system != "macos":
        return None
    return BadSetting(
        "vLLM does not run on macOS: it has no kernels for Apple's GPUs.", mend="Use MLX-LM or llama.cpp on it."
    )


def _platform(machine: Machine) -> Iterator[Message]:
    if not machine.gpus:
        yield say("vLLM's usual build needs a CUDA or ROCm GPU; {name} has none.", name=machine.name)
        return
    gpu = machine.gpus[0]
    if gpu.backend == "metal":
        yield say("vLLM does not run on macOS: it has no kernels for Apple's GPUs.")
    elif gpu.kind == "unified" and gpu.backend != "cuda":
        yield say("vLLM's ROCm wheels have no kernels for the integrated GPU of {name}.", name=gpu.name)
    elif gpu.backend not in ("cuda", "rocm"):
        yield say("vLLM {version} is built for CUDA and ROCm, not for {name}.", version=VERSION, name=gpu.name)
    level = capability(gpu) if gpu.backend == "cuda" else None
    if level is not None and level < LEAST:
        yield say("{name} has compute capability {found}; vLLM needs {least}.", name=gpu.name, found=level, least=LEAST)


def _model(model: Model, machine: Machine) -> Iterator[Message]:
    if model.source.endswith(".gguf"):
        yield say("vLLM does not read GGUF files: take the model from Hugging Face.")
    if model.stored is not None and model.stored.format == "mlx":
        yield say("vLLM does not read MLX conversions: take the original model.")
    if model.inferred:
        yield say("vLLM {version} does not support the architecture {name}.", version=VERSION, name=model.architecture)
    if model.graph.encoder:
        yield say("Encoder models are supported under llama.cpp only.")
    sparse = any(isinstance(g, (Indexer, Compressed)) for g in model.memory)
    gpu = machine.gpus[0] if machine.gpus else None
    if sparse and gpu is not None and gpu.backend == "cuda" and (capability(gpu) or 9.0) < 9.0:
        yield say("The sparse attention of {name} has kernels for Hopper and Blackwell only.", name=model.architecture)


def _settings(model: Model, machine: Machine, settings: Settings) -> Iterator[Message]:
    for attempt in (lambda: check(settings), lambda: pages(model, settings)):
        try:
            attempt()
        except GyakusanError as error:
            yield say("{reason}", reason=error.message)
            return
    yield from _method(model, machine, settings)
    yield from _experts(model, settings)
    if cache_bytes(model, settings) == 1 and (refusal := cache_refusal(model, machine)) is not None:
        yield refusal
    if settings.gpus > max(1, len(machine.gpus)):
        yield say(
            "{asked} GPUs were requested; {name} has {has}.",
            asked=settings.gpus,
            name=machine.name,
            has=len(machine.gpus),
        )
    trained, context = model.trained_context, settings.max_model_len
    if trained and not is_array(context) and context > trained:
        yield say(
            "The model was trained for {trained} tokens; {asked} need VLLM_ALLOW_LONG_MAX_MODEL_LEN=1.",
            trained=trained,
            asked=context,
        )


def _experts(model: Model, settings: Settings) -> Iterator[Message]:
    """Yield why the GPUs cannot share the experts. config/model.py; fused_moe/config.py, FusedMoEConfig.__post_init__."""
    widths = [f.width for f in model.feed_forward if isinstance(f, Experts)]
    if settings.expert_parallel and not widths:
        yield say("{name} has no experts to spread over GPUs (expert_parallel).", name=model.name)
    if settings.data_parallel > 1 and not settings.expert_parallel and any(w % settings.expert_ranks for w in widths):
        yield say(
            "Experts of width {width} cannot be divided over {ranks} GPUs; expert_parallel keeps them whole.",
            width=widths[0],
            ranks=settings.expert_ranks,
        )


def _method(model: Model, machine: Machine, settings: Settings) -> Iterator[Message]:
    try:
        method = stored(model, settings).method
    except GyakusanError as error:
        yield say("{reason}", reason=error.message)
        return
    refusal = _method_refusal(settings.quantization if settings.quantization in NOT_ON_AMD else method, machine)
    if refusal is not None:
        yield refusal


def format_refusal(name: str, machine: Machine) -> Message | None:
    """Return why planning leaves out checkpoints of one kind on a machine, None if it takes them. name: of a Variant.

    NVFP4 loads on older cards, too, but its values are unpacked there: AWQ and GPTQ have faster kernels.
    """
    gpu = machine.gpus[0] if machine.gpus else None
    level = capability(gpu) if gpu is not None and gpu.backend == "cuda" else None
    if name == "NVFP4" and level is not None and level < BLACKWELL:
        return say("{name} has no kernels of its own for NVFP4: those are Blackwell's.", name=gpu.name if gpu else "")
    return _method_refusal(name.casefold(), machine)


def _method_refusal(method: str, machine: Machine) -> Message | None:
    """Return why the machine's GPUs have no kernels for a method of quantisation. method: see NEEDS, NOT_ON_AMD."""
    gpu = machine.gpus[0] if machine.gpus else None
    if gpu is None:
        return None
    if gpu.backend == "rocm":
        return _amd_refusal(method, gpu)
    level, least = capability(gpu) if gpu.backend == "cuda" else None, NEEDS.get(method)
    if level is None or least is None or not LEAST <= level < least:
        return None
    return say(
        "{method} needs compute capability {least}; {name} has {found}.",
        method=method,
        least=least,
        name=gpu.name,
        found=level,
    )


def _amd_refusal(method: str, gpu: Device) -> Message | None:
    if method in NOT_ON_AMD:
        return say("vLLM's table of supported hardware lists no AMD GPU for {method}.", method=method.upper())
    if method == "fp8" and not AMD_FP8.search(gpu.name):
        return say("vLLM runs FP8 on AMD's Instinct and RDNA 4; {name} is neither.", name=gpu.name)
    return None
