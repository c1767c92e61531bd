"""The command line, the fields and the environment say the same, all of it, and no secret."""

import os
import shlex
from dataclasses import replace

import pytest

from gyakusan.engines.llamacpp import launch
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.errors import BadSetting, UnknownName

CPU = Settings(context=8192, slots=4, backend="cpu")
CUDA = Settings(context=131072, slots=2, unified=True, key_type="Q8_0", value_type="q8_0", swa_full=True, mmap=False)


def flags(settings: Settings, **options: object) -> dict[str, str | bool]:
    """Flags and their values; True for a flag without one."""
    words = launch.arguments("/models/m.gguf", settings, **options)  # type: ignore[arg-type]
    found: dict[str, str | bool] = {}
    for word, after in zip(words, (*words[1:], "--"), strict=True):
        if word.startswith("--"):
            assert word not in found
            found[word] = True if after.startswith("--") else after
    return found


def test_every_memory_setting_is_said_explicitly() -> None:
    assert flags(CPU) == {
        "--model": "/models/m.gguf",
        "--host": "127.0.0.1",
        "--port": "0",
        "--no-ui": True,
        "--offline": True,
        "--log-verbosity": "4",
        "--fit": "off",
        "--device": "none",
        "--gpu-layers": "0",
        "--no-op-offload": True,
        "--ctx-size": "8192",
        "--parallel": "4",
        "--no-kv-unified": True,
        "--batch-size": "2048",
        "--ubatch-size": "512",
        "--flash-attn": "auto",
        "--cache-type-k": "f16",
        "--cache-type-v": "f16",
        "--load-mode": "mmap",
        "--repack": True,
    }


def test_everything_on_one_gpu() -> None:
    found = flags(CUDA, threads=8, alias="me")
    assert (found["--gpu-layers"], found["--split-mode"], found["--load-mode"]) == ("all", "none", "none")
    assert "--device" not in found
    assert "--no-op-offload" not in found
    assert found["--kv-unified"] is True
    assert found["--swa-full"] is True
    assert (found["--cache-type-k"], found["--cache-type-v"]) == ("q8_0", "q8_0")
    assert (found["--threads"], found["--alias"]) == ("8", "me")


def test_nobody_takes_more_of_a_unified_cache_than_his_share() -> None:
    """Without a bound each slot may fill the whole cache: server-context.cpp, n_ctx_slot."""
    assert flags(CUDA)["--kv-unified-per-slot"] == "65536"
    assert "--kv-unified-per-slot" not in flags(replace(CUDA, slots=1))
    assert "--kv-unified-per-slot" not in flags(CPU)
    assert flags(replace(CUDA, build="unknown"))["--kv-unified-per-slot"] == "65536"


def test_a_build_that_cannot_bound_a_slot_is_refused() -> None:
    with pytest.raises(BadSetting, match="b10434 cannot limit") as refused:
        flags(replace(CUDA, build="b10434"))
    assert "b11312" in str(refused.value.mend)
    assert "--kv-unified" in flags(replace(CUDA, build="b10434", slots=1))


def test_idle_conversations_and_the_prompt_cache_are_said_both_ways() -> None:
    changed = replace(CPU, cache_idle_slots=False, cache_ram=0, ctx_checkpoints=4)
    found = flags(changed)
    assert found["--no-cache-idle-slots"] is True
    assert (found["--cache-ram"], found["--ctx-checkpoints"]) == ("0", "4")
    fields = launch.fields("/models/m.gguf", changed)
    told = {name: fields[name] for name in ("cache_idle_slots", "cache_ram_mib", "n_ctx_checkpoints")}
    assert told == {"cache_idle_slots": False, "cache_ram_mib": 0, "n_ctx_checkpoints": 4}


def test_a_gpu_may_refuse_to_map() -> None:
    assert flags(replace(CUDA, mmap=True))["--load-mode"] == "auto"


def test_fields_say_the_same_as_arguments() -> None:
    fields = launch.fields("/models/m.gguf", CUDA, port=1234, alias="a,b\n", threads=3, cors="localhost")
    assert fields == {
        "model.path": "/models/m.gguf",
        "hostnames": ["127.0.0.1"],
        "port": 1234,
        "ui": False,
        "offline": True,
        "verbosity": 4,
        "fit_params": False,
        "default_template_kwargs": {"preserve_reasoning": "true"},
        "n_gpu_layers": -2,
        "no_op_offload": False,
        "split_mode": "llama_split_mode.LLAMA_SPLIT_MODE_NONE",
        "n_ctx": 131072,
        "n_parallel": 2,
        "kv_unified": True,
        "kv_unified_per_slot": 65536,
        "n_batch": 2048,
        "n_ubatch": 512,
        "flash_attn_type": "llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_AUTO",
        "cache_type_k": "ggml_type.GGML_TYPE_Q8_0",
        "cache_type_v": "ggml_type.GGML_TYPE_Q8_0",
        "swa_full": True,
        "load_mode": "llama_load_mode.LLAMA_LOAD_MODE_NONE",
        "no_extra_bufts": False,
        "model_alias": ["ab"],
        "cpuparams.n_threads": 3,
        "cpuparams_batch.n_threads": 3,
        "cors_origins": "localhost",
        "cors_origins_explicit": True,
    }


def test_a_path_is_never_taken_for_a_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert launch.arguments("--fit", CPU)[1] == "/--fit"
    assert launch.fields("llama_split_mode.gguf", CPU)["model.path"] == "/llama_split_mode.gguf"


def test_what_llama_cpp_refuses_is_refused_before() -> None:
    with pytest.raises(BadSetting, match="flash attention"):
        launch.arguments("m", replace(CPU, flash_attention="off", value_type="Q8_0"))
    with pytest.raises(UnknownName):
        launch.fields("m", replace(CPU, key_type="Q6_K"))
    with pytest.raises(BadSetting):
        launch.arguments("m", replace(CPU, context=0))


def test_the_environment_carries_the_key_and_nothing_that_changes_settings() -> None:
    base = {"PATH": "/bin", "LLAMA_ARG_N_PARALLEL": "9", "LLAMA_API_KEY": "old", "AIP_MODE": "PREDICTION"}
    assert launch.environment("new", base) == {"PATH": "/bin", "LLAMA_API_KEY": "new", "GOMP_SPINCOUNT": "1000"}
    assert launch.environment(None, base) == {"PATH": "/bin", "GOMP_SPINCOUNT": "1000"}


@pytest.mark.parametrize("chosen", [{"GOMP_SPINCOUNT": "5"}, {"OMP_WAIT_POLICY": "active"}])
def test_what_the_user_chose_for_openmp_stays(chosen: dict[str, str]) -> None:
    assert launch.environment(None, chosen) == chosen


def test_a_cpu_server_sees_no_gpu() -> None:
    base = {"CUDA_VISIBLE_DEVICES": "0"}
    assert launch.environment(None, base, gpu=False)["CUDA_VISIBLE_DEVICES"] == ""
    assert launch.environment(None, base)["CUDA_VISIBLE_DEVICES"] == "0"


def test_the_shown_command_is_shell_safe_and_names_no_key() -> None:
    line = launch.command("/my models/it's.gguf", CPU, keyed=True)
    assert line.startswith('LLAMA_API_KEY="$GYAKUSAN_API_KEY" llama-server --model ')
    words = shlex.split(line)
    assert words[3] == "/my models/it's.gguf"
    assert tuple(words[2:]) == launch.arguments("/my models/it's.gguf", CPU, port=8080)
    assert os.linesep not in line


@pytest.mark.parametrize(
    ("mode", "arguments", "words"),
    [
        ("on", {}, ()),
        ("on", {"enable_thinking": True}, ()),  # the server thinks where a template can
        ("off", {"enable_thinking": False}, ("--reasoning", "off")),
        ("high", {"reasoning_effort": "high"}, ("--chat-template-kwargs", '{"reasoning_effort": "high"}')),
        (
            "low",
            {"thinking": True, "reasoning_effort": "low"},
            ("--chat-template-kwargs", '{"reasoning_effort": "low"}'),
        ),
    ],
)
def test_thinking_is_switched_and_its_effort_set(
    mode: str, arguments: dict[str, object], words: tuple[str, ...]
) -> None:
    assert launch.thinking(("llama-server",), mode, arguments) == ("llama-server", *words)
