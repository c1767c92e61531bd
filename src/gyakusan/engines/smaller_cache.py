"""The KV cache of 8 bits that plans of an engine try beside its usual one, and what it costs."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from gyakusan.core.machine import Machine
from gyakusan.core.model import Model
from gyakusan.message import Message, say

CacheType = str
"""Type of the KV cache in llama.cpp's words: "F16", "Q8_0"."""


class SmallerCache(Struct, frozen=True):
    """A cache of 8 bits under one engine.

    kind: type that is tried where nobody names one, "" = none
    loss: what a careful quality counts less with 8 bits [points]
    costs: what is published of its quality and its speed, for a model on a machine
    """

    kind: CacheType
    loss: float
    costs: Callable[[Model, Machine], tuple[Message, ...]]


def q8_0_costs(model: Model, machine: Machine) -> tuple[Message, ...]:
    """Return what a q8_0 cache costs."""
    return (say("A q8_0 cache costs about 0.03 points (Llama 3 8B, llama.cpp pull request 7412)."),)


Q8_0_LOSS = 0.5
"""So that the usual cache stays where a smaller one gains little. Assumed: the least difference that the ranking sees.

With Llama 3 8B the loss is about 0.03 points (KL divergence 0.00098, ggml-org/llama.cpp pull request 7412), but of long contexts
and reasoning little is published. [points]
"""
Q8_0 = SmallerCache("Q8_0", Q8_0_LOSS, q8_0_costs)
NO_SMALLER_CACHE = SmallerCache("", 0.0, lambda _model, _machine: ())
"""Of an engine whose plans try no other cache: there is none that could cost anything."""
