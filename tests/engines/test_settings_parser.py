""" "name=value" for any engine."""

from __future__ import annotations

from typing import get_type_hints

import pytest

from gyakusan.engines.registry import NAMES, engine
from gyakusan.engines.settings_parser import parse_overrides
from gyakusan.errors import BadSetting, UnknownName

OLLAMA, MLX, LLAMA = engine("ollama"), engine("mlx"), engine("llama.cpp")


def test_values_take_the_fields_type() -> None:
    found = parse_overrides(
        OLLAMA, ["OLLAMA_NUM_PARALLEL=4", "gpu-overhead=1GiB", "sched_spread=true", "keep_alive=10m"]
    )
    assert found == {"num_parallel": 4, "gpu_overhead": 2**30, "sched_spread": True, "keep_alive": "10m"}
    assert parse_overrides(MLX, ["kv_bits=8", "prompt_cache_bytes=none"]) == {"kv_bits": 8, "prompt_cache_bytes": None}
    assert parse_overrides(LLAMA, ["batch=4k"]) == {"batch": 4096}


def test_another_engines_setting_is_left_to_it() -> None:
    pairs = ["ollama.num_parallel=2", "mlx.kv_bits=4"]
    assert parse_overrides(OLLAMA, pairs) == {"num_parallel": 2}
    assert parse_overrides(MLX, pairs) == {"kv_bits": 4}


@pytest.mark.parametrize("pair", ["num_parallel", "num_parallel=x", "flash_attention=maybe", "sched_spread=7"])
def test_what_is_no_value(pair: str) -> None:
    with pytest.raises(BadSetting):
        parse_overrides(OLLAMA, [pair])


@pytest.mark.parametrize("pair", ["nothing=1", "nobody.num_parallel=1"])
def test_what_is_unknown(pair: str) -> None:
    with pytest.raises(UnknownName):
        parse_overrides(OLLAMA, [pair])


def words_of(field: str, name: str) -> list[str]:
    """What a refusal names as the words of a setting."""
    try:
        parse_overrides(engine(name), [f"{field}=no such word"])
    except BadSetting as error:
        named = "" if error.mend is None else str(error.mend.facts.get("choices", ""))
        return named.split(", ") if named else []
    return []


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_of_words_names_them_and_takes_each(name: str) -> None:
    rules, named = engine(name), 0
    for field, kind in get_type_hints(rules.Settings).items():
        choices = words_of(field, name)
        assert choices or kind not in (bool, bool | None), field
        named += bool(choices)
        for word in choices:
            assert field in parse_overrides(rules, [f"{field}={word}"])
    assert named
