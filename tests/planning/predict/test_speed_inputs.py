"""One path for one number and for many: an array gives, row by row, what its numbers give alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyakusan.catalog.speed_constants import Labels, Situation
from gyakusan.core.arrays import Number
from gyakusan.core.roofline import ModelDemand
from gyakusan.core.traffic import ModelShape
from gyakusan.machines import parse
from gyakusan.planning.predict.speed_inputs import SpeedInputs, chip_of, situation_of, speed_inputs, take, uncertainty

QUANTS = ("f16", "q8", "q4k", "fp8", "fp4", "w4", "q3")
MODELS = ("", "llama3.1-8b", "gpt-oss-120b", "qwen3-32b", "nobody's")
DEVICES = ("RTX 4090", "H100 SXM5", "M4 Max 128GB", "DGX Spark", "RX 7900 XTX")


@dataclass(frozen=True)
class Row:
    """One variant on some devices."""

    quant: str
    model: str
    shape: tuple[float, ...]
    demand: tuple[float, ...]
    attention: float
    parallel: int


def shapes() -> st.SearchStrategy[tuple[float, ...]]:
    """Dense models and models with experts."""
    size = st.integers(10**8, 10**11)
    layers, share = st.integers(1, 100), st.floats(0, 1)
    dense = st.tuples(
        st.just(1), st.just(1), layers, st.just(0), share, st.integers(512, 16384), size, size, st.just(0)
    )
    routed = st.tuples(st.integers(8, 256), st.integers(1, 8), layers, share, share, st.just(4096), size, size, size)
    return st.one_of(dense, routed)


def rows() -> st.SearchStrategy[Row]:
    """Any variant."""
    demand = st.tuples(*[st.floats(1e6, 1e11)] * 2, *[st.floats(0, 1e9)] * 3)
    return st.builds(
        Row, st.sampled_from(QUANTS), st.sampled_from(MODELS), shapes(), demand, st.floats(0, 1e15), st.integers(1, 8)
    )


def figures(inputs: SpeedInputs) -> list[Number]:
    """Every time that follows from some inputs."""
    prefill, gpu = inputs.prefill_time(), inputs.gpu_step()
    step = inputs.step_time(gpu)
    tokens, first = inputs.token_time(step, prefill), inputs.first_token(step, prefill)
    return [prefill, gpu.weights, step, tokens, first, inputs.throughput(step, prefill)]


def built(s: Situation, device: str, users: int, prompt: int, rows: list[Row], one: Row | None) -> SpeedInputs:
    """The inputs of all rows as arrays, or of one as numbers."""
    chip = chip_of(parse(device, None))
    assert chip is not None
    each = [one] if one else rows

    def column(values: list[float]) -> Number:
        return values[0] if one else np.array(values, float)

    shape = ModelShape(*(column(list(c)) for c in zip(*(r.shape for r in each), strict=True)))
    demand = ModelDemand(shape, *(column(list(c)) for c in zip(*(r.demand for r in each), strict=True)))
    attention, parallel = column([r.attention for r in each]), column([r.parallel for r in each])
    turn = {"users": users, "prompt": prompt, "answer": 200, "chunk": 512}
    return speed_inputs(demand, attention, chip, s, **turn, parallel=parallel, threads=8)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(rows(), min_size=1, max_size=4),
    st.sampled_from(DEVICES),
    st.sampled_from(("llama.cpp", "vLLM", "MLX-LM", "Ollama")),
    st.integers(1, 64),
    st.integers(1, 8000),
)
def test_an_array_gives_what_its_numbers_give(
    each: list[Row], device: str, engine: str, users: int, prompt: int
) -> None:
    machine = parse(device, None)
    chip = chip_of(machine)
    assert chip is not None
    index = np.arange(len(each))
    quants, models = (Labels(tuple(getattr(r, n) for r in each), index) for n in ("quant", "model"))
    many = situation_of(machine, chip, engine, quants, models)
    together = figures(built(many, device, users, prompt, each, None))
    picked = figures(take(built(many, device, users, prompt, each, None), (index[-1:],)))
    factors = [np.broadcast_to(uncertainty(kind, chip, many, users), len(each)) for kind in ("decode", "ttft")]
    for i, row in enumerate(each):
        alone = situation_of(machine, chip, engine, row.quant, row.model)
        expected = figures(built(alone, device, users, prompt, each, row))
        assert [float(np.broadcast_to(x, len(each))[i]) for x in together] == pytest.approx(expected, rel=1e-12)
        assert [f[i] for f in factors] == [uncertainty(kind, chip, alone, users) for kind in ("decode", "ttft")]
    assert [float(np.broadcast_to(x, 1)[0]) for x in picked] == pytest.approx(expected, rel=1e-12)
