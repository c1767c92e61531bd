"""The face of MLX-LM: what it refuses, what it charges, how it is started, what it prints."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.engines.mlx.test_cache import model

from gyakusan import machines, models
from gyakusan.catalog.models import find
from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.engines.mlx import engine as mlx
from gyakusan.engines.registry import engine
from gyakusan.errors import BadSetting, UnknownName

MAC = machines.parse("M4 Max 128GB")
OSS = models.load("gpt-oss-20b")


def priced(load: Load, **changes: object) -> Ledger:
    return mlx.ledger(OSS, load, MAC, mlx.settings(OSS, load, MAC, **changes))


def test_it_is_found() -> None:
    assert engine("mlx-lm") is engine("MLX") is mlx


def test_only_apple_silicon() -> None:
    for name, refused in (("M4 Max 128GB", False), ("RTX 5090", True), ("DGX Spark", True)):
        machine = machines.parse(name)
        told = mlx.refusals(OSS, machine, mlx.settings(OSS, Load(1, 8192), machine))
        assert bool(told) is refused
        assert all("Apple silicon" in str(t) for t in told)


def test_a_gguf_file_is_refused() -> None:
    told = mlx.refusals(replace(OSS, source="./x.gguf"), MAC, mlx.settings(OSS, Load(1, 8192), MAC))
    assert ["GGUF" in str(t) for t in told] == [True]


@pytest.mark.parametrize(
    ("family", "word"), [("gemma3", "sliding-window layers"), ("deepseek_v3", "latent"), ("qwen2", "32")]
)
def test_caches_that_cannot_be_quantised(family: str, word: str) -> None:
    m = model(family)
    (told,) = mlx.refusals(m, MAC, mlx.settings(m, Load(1, 8192), MAC, kv_bits=8))
    assert word in str(told)


def test_production_is_warned_of() -> None:
    assert "do not recommend" in str(priced(Load(1, 8192)).notes[0])


def test_the_prompt_cache_is_running_and_ten() -> None:
    """12 full layers of 1024 values, 12 window layers of 128 tokens, all bf16."""
    one = 12 * 131072 * 1024 * 2 + 12 * 128 * 1024 * 2
    (kept,) = [line for line in priced(Load(2, 131072)).accounts[0].lines if line.part == "kv.finished"]
    assert (kept.bytes, kept.least) == (10 * one, 0)


def test_a_bound_on_the_prompt_cache_counts_running_ones() -> None:
    one = 12 * 131072 * 1024 * 2 + 12 * 128 * 1024 * 2
    bounded = priced(Load(2, 131072), prompt_cache_bytes=5 * one)
    assert priced(Load(2, 131072)).of("kv_cache") - bounded.of("kv_cache") == 7 * one


def test_quantised_keys_end_batches() -> None:
    m, load = model("qwen3"), Load(4, 8192)
    found = mlx.ledger(m, load, MAC, mlx.settings(m, load, MAC, kv_bits=8))
    assert any("one at a time" in str(n) for n in found.notes)
    kept = next(x for x in found.accounts[0].lines if x.kind == "kv_cache")
    assert kept.bytes == int(8192 * 4 * 256 * 2 * 0.53125)


def test_more_users_than_are_decoded_wait() -> None:
    assert any("32 of 40" in str(n) for n in priced(Load(40, 1024)).notes)


def test_nothing_of_memory_is_invented_as_exact() -> None:
    for line in priced(Load(2, 8192)).accounts[0].lines:
        assert line.least <= line.bytes <= line.greatest
        if line.basis == "assumed":
            assert line.least < line.greatest


def test_command_names_what_differs() -> None:
    chosen = mlx.settings(OSS, Load(2, 8192), MAC, prompt_cache_bytes=2**30, prefill_step_size=512)
    argv = mlx.command(replace(OSS, source="/models/oss"), MAC, chosen).argv
    assert argv[:3] == ("mlx_lm.server", "--model", "/models/oss")
    assert argv[3:] == ("--prefill-step-size", "512", "--prompt-cache-bytes", "1073741824")


def test_preparation_makes_the_format() -> None:
    record = find("mamba-2.8b")
    start = "mlx_lm.convert --hf-path state-spaces/mamba-2.8b-hf --mlx-path ./mamba-2.8b-"
    assert mlx.preparation(record, "4bit") == (f"{start}4bit -q --q-bits 4 --q-group-size 64",)
    assert mlx.preparation(record, "bf16") == (f"{start}bf16",)
    assert mlx.preparation(record, "mxfp4") == (f"{start}mxfp4 -q --q-bits 4 --q-group-size 32 --q-mode mxfp4",)
    assert mlx.preparation(record, "mxfp4-q8") == (f"{start}mxfp4-q8 -q --q-bits 8 --q-group-size 64",)


def test_the_command_names_the_conversion_or_the_folder_of_its_preparation() -> None:
    for name, weights, source in (
        ("qwen3-8b", "4bit", "Qwen/Qwen3-8B-MLX-4bit"),
        ("qwen3-8b", "bf16", "Qwen/Qwen3-8B"),
        ("mamba-2.8b", "4bit", "./mamba-2.8b-4bit"),
    ):
        found = models.load(name, "Q4_K_M")
        settings = mlx.settings(found, Load(1, 1024), MAC, weights=weights)
        argv = mlx.published_command(find(name), found, MAC, settings, weights).argv
        assert argv[2] == source


def test_bad_settings() -> None:
    with pytest.raises(UnknownName):
        mlx.settings(OSS, Load(1, 8192), MAC, kv_bit=8)
    with pytest.raises(UnknownName):
        priced(Load(1, 8192), weights="Q4_K_M")
    for bad in ({"kv_bits": 7}, {"kv_group_size": 10}, {"prefill_step_size": 0}):
        with pytest.raises(BadSetting):
            priced(Load(1, 8192), **bad)


def test_log() -> None:
    lines = [
        "2026-11-01 10:00:00,000 - INFO - Starting httpd at 127.0.0.1 on port 8080...",
        "2026-11-01 10:00:01,000 - INFO - Prompt Cache: 3 sequences, 1.50 GB",
        "2026-11-01 10:00:01,000 - INFO - - assistant: 3 sequences, 1.50 GB",
        "2026-11-01 10:00:02,000 - INFO - Prompt Cache: 2 sequences, 0.70 GB",
        "\x00 rubbish",
    ]
    told = mlx.read(lines)
    assert (told.sequences, told.bytes, told.largest, told.port) == (2, 0.7e9, 1.5e9, 8080)
    assert mlx.read([]).sequences is None


def test_thinking_is_an_argument_of_the_template() -> None:
    plain = mlx.command(OSS, MAC, mlx.settings(OSS, Load(1, 8192), MAC))
    assert mlx.with_thinking(plain, "gpt-oss", "on", {}) == plain
    words = mlx.with_thinking(plain, "gpt-oss", "low", {"reasoning_effort": "low"}).argv
    assert words == (*plain.argv, "--chat-template-args", '{"reasoning_effort": "low"}')
