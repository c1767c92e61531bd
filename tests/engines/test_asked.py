""" "name=value" for any engine."""

from __future__ import annotations

import pytest

from gyakusan.engines.asked import changes
from gyakusan.engines.base import engine
from gyakusan.errors import BadSetting, UnknownName

OLLAMA, MLX, LLAMA = engine("ollama"), engine("mlx"), engine("llama.cpp")


def test_values_take_the_fields_type() -> None:
    found = changes(OLLAMA, ["OLLAMA_NUM_PARALLEL=4", "gpu-overhead=1GiB", "sched_spread=true", "keep_alive=10m"])
    assert found == {"num_parallel": 4, "gpu_overhead": 2**30, "sched_spread": True, "keep_alive": "10m"}
    assert changes(MLX, ["kv_bits=8", "prompt_cache_bytes=none"]) == {"kv_bits": 8, "prompt_cache_bytes": None}
    assert changes(LLAMA, ["batch=4k"]) == {"batch": 4096}


def test_another_engines_setting_is_left_to_it() -> None:
    pairs = ["ollama.num_parallel=2", "mlx.kv_bits=4"]
    assert changes(OLLAMA, pairs) == {"num_parallel": 2}
    assert changes(MLX, pairs) == {"kv_bits": 4}


@pytest.mark.parametrize("pair", ["num_parallel", "num_parallel=x", "flash_attention=maybe", "sched_spread=7"])
def test_what_is_no_value(pair: str) -> None:
    with pytest.raises(BadSetting):
        changes(OLLAMA, [pair])


@pytest.mark.parametrize("pair", ["nothing=1", "nobody.num_parallel=1"])
def test_what_is_unknown(pair: str) -> None:
    with pytest.raises(UnknownName):
        changes(OLLAMA, [pair])
