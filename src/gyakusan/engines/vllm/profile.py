"""Memory that vLLM measures when it starts and that no formula gives: ranges calibrated on public logs (profile_points)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum, minimum, where
from gyakusan.core.machine import Device
from gyakusan.core.model import Experts, Model
from gyakusan.engines.vllm.profile_points import CALIBRATED
from gyakusan.engines.vllm.settings import Settings, release
from gyakusan.units import GIB

Place = Literal["cuda", "rocm", "unified"]


class Range(Struct, frozen=True):
    """A measured size as a range.

    low: low end [B]
    best: best figure [B]
    high: high end [B]
    """

    low: Number
    best: Number
    high: Number

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.best + other.best, self.high + other.high)


NOTHING = Range(0, 0, 0)
SORTED_AT_ONCE = 128
"""Rows from which PyTorch sorts all of them at once. ATen/native/cuda/Sort.cpp, launch_stable_sort_kernel"""


def place(device: Device) -> Place:
    """Return the points that a device is compared with."""
    if device.kind == "unified":
        return "unified"
    return "rocm" if device.backend == "rocm" else "cuda"


def visible(device: Device) -> int:
    """Return the memory that vLLM takes its share of, 0 if unknown [B]. A driver counts more than CUDA does."""
    memory, about = device.memory or 0, CALIBRATED["visible"].get(place(device))
    if about is None:
        return memory
    usable: float = min(memory * (1 - about["share"]), about["most_kept"] * GIB)
    return memory - math.floor(usable)


def token_bytes(model: Model, ranks: int = 1) -> int:
    """Return the activations of one token: the stream four times, the widest feed-forward network three times [B].

    The form is llama.cpp's, whose compute buffers it gives exactly; here it only says how models compare.
    """
    widest = 0
    for group in model.feed_forward:
        if isinstance(group, Experts):
            one = group.used * (3 * group.width // ranks + model.embedding) + 3 * group.shared // ranks
        else:
            one = 3 * group.width // ranks
        widest = max(widest, one)
    return 2 * (4 * model.embedding + widest)


def activation(model: Model, settings: Settings) -> Range:
    """Return the peak of the largest batch, or of sampling for all requests at once [B]."""
    tokens = settings.max_num_batched_tokens * token_bytes(model, settings.tensor_parallel)
    batch, sampled = CALIBRATED["activation"], sampling(model, settings)
    return Range(*(maximum(tokens * batch[k], getattr(sampled, k)) for k in ("low", "best", "high")))


def sampling(model: Model, settings: Settings) -> Range:
    """Return the peak of sampling a token for every request at once: copies of the logits, by the sampler [B].

    Source: v1/worker/gpu_model_runner.py, _dummy_sampler_run; v1/sample/ops/topk_topp_sampler.py.
    """
    requests, known = minimum(settings.max_num_seqs, settings.max_num_batched_tokens), CALIBRATED["sampler"]
    logits = requests * model.vocabulary * 4
    if not settings.sorts:
        return Range(*(logits * known["masked"][k] for k in ("low", "best", "high")))
    many, few = known["sorted"], known["sorted_rows"]
    return Range(*(logits * where(requests >= SORTED_AT_ONCE, many[k], few[k]) for k in ("low", "best", "high")))


def base(device: Device) -> Range:
    """Return context, libraries and communication [B]."""
    return _gib(CALIBRATED["base"][place(device)])


def graphs(settings: Settings) -> Range:
    """Return the CUDA graphs, as far as they are taken off the pool: until 0.20 they came on top [B]."""
    if settings.enforce_eager or release(settings.version) <= (0, 20):
        return NOTHING
    return _gib(CALIBRATED["graphs"])


def _gib(table: Mapping[str, float]) -> Range:
    return Range(*(round(table[k] * GIB) for k in ("low", "best", "high")))
