"""How the compute buffers of a model are computed: by simulation, by a closed form, or as a range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gyakusan.core.model import Model
from gyakusan.engines.llamacpp.compute_buffer.one_device import range_factors, simulates
from gyakusan.engines.llamacpp.ggml_simulation.model_graph import can_simulate, splits_are_recorded
from gyakusan.engines.llamacpp.settings import Settings

Method = Literal["simulated", "closed form", "range"]
"""simulated and closed form are exact; a range holds the real size between its ends."""


@dataclass(frozen=True, slots=True)
class ComputeMethods:
    """The method for each way to run one architecture, with an f16 cache and flash attention.

    one_device: llama-server on a CPU, or on one GPU that holds everything
    split: llama-server over several GPUs, or partly in RAM
    bench: llama-bench on a CPU
    """

    one_device: Method
    split: Method
    bench: Method


def compute_methods(model: Model) -> ComputeMethods:
    """Return the methods for a model. The recorded rows of tests/truth decide which of them is exact."""
    server, bench = Settings(context=8192), Settings(context=8192, backend="cpu", outputs="bench")
    exact = range_factors(model, server) == (1.0, 1.0)
    split = can_simulate(model, server) and splits_are_recorded(model)
    return ComputeMethods(
        one_device="simulated" if simulates(model, server) else "closed form" if exact else "range",
        split="simulated" if split else "range",
        bench="simulated" if simulates(model, bench) else "range",
    )
