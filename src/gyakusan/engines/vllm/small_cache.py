"""Where vLLM keeps the KV cache in 8 bits (fp8), and what that costs.

Source: vLLM 0.32.0, v1/attention/backends: triton_attn.py and mla/triton_mla.py (fp8 from compute capability 8.9 on, whatever the
heads), flashinfer.py (from 8.0 on; get_supported_head_sizes, supports_sink), the table docs/design/attention_backends;
platforms/rocm.py (supports_fp8). Costs: "The State of FP8 KV-Cache and Attention Quantization in vLLM", the project's blog,
2026-04-22.
"""

from __future__ import annotations

import re

from gyakusan.core.machine import Device, Machine
from gyakusan.core.model import Attention, Latent, Model
from gyakusan.engines.smaller_cache import SmallerCache
from gyakusan.engines.vllm.capability import capability
from gyakusan.message import Message, say

ANY_HEADS = 8.9
"""Compute capability from which on every backend that may be chosen takes an fp8 cache."""
SOME_HEADS = 8.0
"""Compute capability from which on FlashInfer alone takes it."""
FLASHINFER_HEADS = frozenset((64, 128, 256, 512))
"""Widths of a head that FlashInfer has kernels for [values]."""
SINKS = frozenset(("gpt-oss", "mimo2"))
"""Architectures with attention sinks, which FlashInfer serves on Hopper and Blackwell only."""
AMD_FP8 = re.compile(r"\b(Instinct|RX 9\d{3}\w?|R9700S?|9600D)\b", re.IGNORECASE)
"""CDNA and RDNA 4: platforms/rocm.py, supports_fp8, is on_cdna() or on_rdna4() (vllm-project/vllm@83f591d7f694)."""
SPOILT = frozenset(("qwen2", "qwen2moe", "qwen2vl"))
"""Architectures whose keys have outliers that one scale for a tensor cannot hold, so that nobody should plan with fp8.

With Qwen2.5-Math-7B the accuracy in MATH falls to about 0 (verl-project/verl, pull request 4435, 2026-03-29), Qwen2.5-VL returns
garbage (vllm-project/vllm, issue 41343). Qwen3 norms its keys and loses little.
"""
LOSS = 1.5
"""What a careful quality counts less with an fp8 cache whose scales are 1, as without calibration [points].

The blog: Qwen3-30B-A3B-Thinking loses 1 to 2 points of accuracy over AIME25, GPQA, MATH500 and LiveCodeBench, Qwen3.5-27B at most
0.7; MRCR keeps 93 to 98 % of its area. A point of ours is about 0.8 points of MMLU-Pro near 75 %.
"""
BREAK_EVEN = 7000
"""Tokens of a conversation below which fp8 is no faster: Llama 3.1 8B on an H100, vLLM 0.19.1, the blog's table 3 [tokens]."""
HOPPER = 9
"""Its major compute capability."""
WIDE_HEAD = 256
"""Width of a head at which Hopper's prompts are slower with fp8: the blog's figure 4, gemma-4-E2B [values]."""


def costs(model: Model, machine: Machine) -> tuple[Message, ...]:
    """Return what an fp8 cache costs a model on a machine: quality, and where it is slower than 16 bits."""
    found = [
        say(
            "An fp8 cache costs up to 2 points of accuracy, and is faster from about {n} tokens on (vLLM's blog, 2026-04-22).",
            n=f"{BREAK_EVEN:,}",
        )
    ]
    gpu = machine.gpus[0] if machine.gpus else None
    wide = any(isinstance(g, Attention) and g.key_head >= WIDE_HEAD for g in model.memory)
    if wide and gpu is not None and gpu.backend == "cuda" and int(capability(gpu) or 0) == HOPPER:
        found.append(
            say("On Hopper it makes attention over long prompts up to 1.6 times as slow with heads of this width.")
        )
    if model.architecture in SPOILT:
        found.append(
            say("An fp8 cache spoils the answers of this architecture (verl-project/verl, pull request 4435).")
        )
    return tuple(found)


def cache_refusal(model: Model, machine: Machine) -> Message | None:
    """Return why no attention backend would keep an fp8 cache of a model on a machine, None if one does."""
    gpu = machine.gpus[0] if machine.gpus else None
    kind = cache_support(gpu)
    if gpu is None or kind == "any":
        return None
    latent = any(isinstance(g, Latent) for g in model.memory)
    heads = {g.key_head for g in model.memory if isinstance(g, Attention)}
    if kind == "some" and not latent and model.architecture not in SINKS and heads <= FLASHINFER_HEADS:
        return None
    return say("vLLM has no attention kernel for {name} that keeps this model's KV cache in 8 bits.", name=gpu.name)


def cache_support(gpu: Device | None) -> str:
    """Return for the heads of which models a GPU keeps an fp8 cache: "any", "some" or "none". An unknown name counts as new."""
    if gpu is None or gpu.backend not in ("cuda", "rocm"):
        return "any"
    if gpu.backend == "rocm":
        return "any" if AMD_FP8.search(gpu.name) else "none"
    level = capability(gpu)
    return "any" if level is None or level >= ANY_HEADS else "some" if level >= SOME_HEADS else "none"


FP8 = SmallerCache("Q8_0", LOSS, costs)
"""`cache_setting` writes fp8 for it."""
