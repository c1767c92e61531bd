"""The command line and its environment."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gyakusan import machines
from gyakusan.catalog.models import find
from gyakusan.engines.vllm import engine, launch
from gyakusan.engines.vllm.settings import Settings
from gyakusan.errors import BadSetting
from gyakusan.models import load

COUNTED = Settings(8192, vision_bytes=900_000_000)


def test_every_setting_that_changes_memory_is_said() -> None:
    asked = Settings(16384, 8, 4096, 0.8, 32, "fp8", False, 2, 2, True, state_dtype="float32", memory_kept=1 << 30)
    found = launch.command(load("qwen3-8b", "BF16"), asked)
    assert " ".join(found.argv) == (
        "vllm serve Qwen/Qwen3-8B --host 127.0.0.1 --port 8000 --max-model-len 16384 --max-num-seqs 8 "
        "--max-num-batched-tokens 4096 --gpu-memory-utilization 0.8 --kv-cache-dtype fp8 --block-size 32 "
        "--no-enable-prefix-caching --enforce-eager --mamba-ssm-cache-dtype float32 --kv-cache-memory-bytes 1073741824 "
        "--tensor-parallel-size 2 --pipeline-parallel-size 2"
    )
    assert found.environment == {"VLLM_HOST_IP": "127.0.0.1", "VLLM_NO_USAGE_STATS": "1"}


def test_the_usual_line() -> None:
    found = engine.command(load("gpt-oss-20b"), machines.parse("RTX 5090"), Settings(8192))
    assert found.argv[:3] == ("vllm", "serve", "openai/gpt-oss-20b")
    assert "--enable-prefix-caching" in found.argv
    assert not {"--enforce-eager", "--block-size", "--quantization", "--tensor-parallel-size"} & set(found.argv)


def test_quantising_while_loading_is_a_flag_and_other_checkpoints_are_asked_for() -> None:
    model = load("qwen3-8b", "BF16")
    online = launch.command(model, Settings(8192, quantization="fp8")).argv
    assert online[-2:] == ("--quantization", "fp8")
    assert launch.command(model, Settings(8192, quantization="awq")).argv[2] == "./Qwen3-8B-AWQ"


def test_a_longer_context_than_trained_must_be_allowed() -> None:
    found = launch.command(load("qwen3-8b", "BF16"), Settings(1 << 20))
    assert found.environment["VLLM_ALLOW_LONG_MAX_MODEL_LEN"] == "1"


def test_sources() -> None:
    model = load("qwen3-8b", "BF16")
    assert launch.repository(replace(model, source="hf:Qwen/Qwen3-8B")) == "Qwen/Qwen3-8B"
    assert launch.repository(replace(model, source="/data/qwen")) == "/data/qwen"


def test_bad_settings_start_nothing() -> None:
    with pytest.raises(BadSetting):
        launch.command(load("qwen3-8b", "BF16"), Settings(0))


def test_copies_are_a_flag() -> None:
    argv = launch.command(load("qwen3-8b", "BF16"), Settings(8192, data_parallel=2, tensor_parallel=2)).argv
    assert argv[-4:] == ("--tensor-parallel-size", "2", "--data-parallel-size", "2")


def test_a_published_model_of_images_reads_text_only_unless_they_are_counted() -> None:
    record, machine = find("gemma3-4b"), machines.parse("RTX 4090")
    model = load("gemma3-4b", "BF16")
    plain, seeing = (
        engine.published_command(record, model, machine, s, "BF16").argv for s in (Settings(8192), COUNTED)
    )
    assert plain == (*seeing, "--language-model-only")
    text = engine.published_command(find("qwen3-8b"), load("qwen3-8b", "BF16"), machine, Settings(8192), "BF16").argv
    assert "--language-model-only" not in text


def test_thinking_is_a_default_of_every_request() -> None:
    plain = launch.command(load("qwen3-8b", "BF16"), Settings(8192))
    assert launch.with_thinking(plain, "qwen3", "on", {}) == plain
    off = launch.with_thinking(plain, "qwen3", "off", {"enable_thinking": False})
    assert off is not None
    assert off.argv == (*plain.argv, "--default-chat-template-kwargs", '{"enable_thinking": false}')
    assert off.environment == plain.environment


def test_no_option_sets_the_effort_of_prompts_that_vllm_writes_itself() -> None:
    plain = launch.command(load("gpt-oss-20b"), Settings(8192))
    assert launch.with_thinking(plain, "gpt-oss", "high", {"reasoning_effort": "high"}) is None
    assert launch.with_thinking(plain, "gpt-oss", "on", {}) == plain


def test_experts_and_tokens_are_spread_as_planned() -> None:
    spread = Settings(8192, data_parallel=8, expert_parallel=True)
    assert launch.command(load("deepseek-v3.1", "BF16"), spread).argv[-3:] == (
        "--data-parallel-size", "8", "--enable-expert-parallel",
    )  # fmt: skip
    shared = Settings(8192, tensor_parallel=8, decode_context_parallel=8)
    assert launch.command(load("deepseek-v3.1", "BF16"), shared).argv[-2:] == ("--decode-context-parallel-size", "8")
