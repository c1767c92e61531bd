"""What vLLM measures when it starts and no formula gives: calibrated on public start-up logs, looked up on 2026-11-29.

used = ceil(total x utilization) - weights as loaded - "Available KV cache memory", in GiB; total as CUDA or ROCm counts
it.
model of it: base + the larger of (batched tokens x bytes per token x activation) and (requests x vocabulary x 4 B x
copies of the sampler).
bytes per token: see profile.py. low and high hold every point below; best is near their middle.
sources: kyuz0/amd-r9700-vllm-toolboxes (benchmark_results_*, vLLM 0.11 to 0.13), two public GB10 repositories (vLLM
0.19 to 0.20)

A module and not a file of TOML, whose parser would be imported for nothing else in a plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

CALIBRATED: Mapping[str, Any] = MappingProxyType(
    {
        "activation": {
            "low": 0.8,
            "best": 2.0,
            "high": 3.5,
        },
        "sampler": {
            # Copies of the logits (requests x vocabulary x 4 B) that are alive while a token is sampled for every
            # request at once. sorted: until 0.16 top-k and top-p sort the whole logits
            # (v1/sample/ops/topk_topp_sampler.py): ten servers of 0.10 to 0.12 printed 9.6 to 9.9 for 256 to 1,024
            # requests, one 7.2. From 128 rows PyTorch sorts all rows at once, with numbers of rows and columns beside
            # each value; fewer rows are sorted one after another (ATen/native/cuda/Sort.cpp,
            # segmented_sort_large_segments).
            "sorted": {
                "low": 7.0,
                "best": 9.65,
                "high": 10.2,
            },
            "sorted_rows": {
                "low": 2.0,
                "best": 5.5,
                "high": 10.2,
            },
            # masked: logits in 16 and in 32 bits, probabilities, noise or masked logits: a Triton kernel masks in place
            # since 0.17 (PR 33538), FlashInfer's sampler is the default since 0.21 (PR 40376). Read in the source, not
            # measured.
            "masked": {
                "low": 1.0,
                "best": 3.5,
                "high": 5.0,
            },
        },
        "base": {
            # CUDA or ROCm context growth, libraries, communication, everything that is not PyTorch's [GiB]
            "cuda": {
                "low": 0.0,
                "best": 0.1,
                "high": 0.7,
            },
            # three of twelve R9700 servers found 2 to 3 GiB less than the others, and nobody says why [GiB]
            "rocm": {
                "low": 0.1,
                "best": 0.5,
                "high": 3.8,
            },
            # one memory for all: what other programs took since the start counts too [GiB]
            "unified": {
                "low": 0.5,
                "best": 3.5,
                "high": 8.5,
            },
        },
        # CUDA graphs [GiB]: captured after the pool until 0.20, estimated and taken off it since. Seen: -0.24 to 2.67,
        # median 0.76
        "graphs": {
            "low": 0.0,
            "best": 0.7,
            "high": 2.0,
        },
        "visible": {
            # memory that the driver counts -> what CUDA or ROCm counts: 23.69 of 24 GiB, 23.64 of 23.99, 31.36 of
            # 31.84, 39.39 of 40, 79.1 of 79.65
            "cuda": {
                "share": 0.985,
                "most_kept": 0.56,
            },
            "rocm": {
                "share": 0.9957,
                "most_kept": 0.2,
            },
        },
        # Points: GPU, model of our catalogue, tensor parallel, batched tokens, requests, used [GiB]
        "points": {
            "cuda": (
                ("RTX 3090", "qwen3-14b", 1, 2048, 32, 0.4),
                ("RTX 3090", "llama3.1-8b", 1, 2048, 64, 0.57),
                ("RTX 3090", "gpt-oss-20b", 1, 2048, 32, 0.48),
                ("RTX 4090", "qwen3-14b", 1, 2048, 32, 0.56),
                ("RTX 4090", "gpt-oss-20b", 1, 2048, 32, 0.45),
                ("RTX 5090", "qwen3-14b", 1, 2048, 64, 0.57),
                ("RTX 5090", "llama3.1-8b", 1, 2048, 64, 0.49),
                ("RTX 5090", "gpt-oss-20b", 1, 2048, 64, 0.7),
                ("A100 40GB", "qwen3-30b-a3b", 1, 2048, 64, 0.51),
                ("A100 40GB", "llama3.1-8b", 1, 2048, 64, 0.44),
                ("A100 40GB", "gpt-oss-20b", 1, 2048, 64, 0.66),
                ("RTX 5000 Ada", "qwen3-14b", 1, 2048, 64, 0.7),
                ("RTX 5000 Ada", "llama3.1-8b", 1, 2048, 64, 0.48),
                ("RTX 5000 Ada", "gpt-oss-20b", 1, 2048, 64, 0.7),
            ),
            "rocm": (
                ("R9700", "gemma3-27b", 2, 2048, 32, 1.09),
                ("R9700", "qwen3-30b-a3b", 1, 2048, 64, 0.92),
                ("R9700", "qwen3-30b-a3b", 2, 2048, 64, 0.8),
                ("R9700", "llama3.1-8b", 1, 2048, 64, 0.83),
                ("R9700", "llama3.1-8b", 2, 2048, 64, 0.72),
                ("R9700", "gpt-oss-20b", 2, 2048, 64, 1.02),
                ("R9700", "qwen3-14b", 1, 2048, 64, 4.0),
                ("R9700", "gemma3-27b", 2, 2048, 32, 0.96),
                ("R9700", "qwen3-30b-a3b", 1, 2048, 64, 3.19),
                ("R9700", "qwen3-next-80b", 2, 2048, 32, 0.63),
                ("R9700", "gpt-oss-20b", 1, 2048, 64, 3.58),
            ),
            "unified": (
                ("GB10", "gemma4-26b-a4b", 1, 4096, 256, 8.24),
                ("GB10", "gemma4-26b-a4b", 1, 4096, 256, 4.82),
                ("GB10", "gemma4-26b-a4b", 1, 32768, 64, 14.93),
                ("GB10", "qwen3.5-35b-a3b", 1, 65536, 128, 18.01),
            ),
        },
    }
)
"""Ranges by what they are of, and the points behind them."""
