"""How llama.cpp's server is started with exactly the planned settings: as a command line, or field by field.

There are two ways to the same parameters: `arguments` for the program `llama-server`, `fields` for the server inside the
xllamacpp wheel. What a plan does not know (sampling, templates, prompt cache) keeps llama-server's default.
Source: llama.cpp b11434, common/arg.cpp (common_params_parser_init), common/common.h (common_params).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os.path import abspath
from pathlib import Path
from typing import TypeAlias

from gyakusan.doors.shell import shell_words
from gyakusan.doors.text import line
from gyakusan.engines.base import Container
from gyakusan.engines.defaults import without_options
from gyakusan.engines.llamacpp import builds
from gyakusan.engines.llamacpp.settings import Settings, check
from gyakusan.errors import BadSetting

PROGRAM = "llama-server"
HEALTH = "/health"
"""Path that answers 200 once the model is loaded. Source: llama.cpp b11434, tools/server/README.md."""
VERBOSITY = 4
"""Trace: the lowest level at which the buffers are printed. At 5 the bodies of requests would be logged too."""

Field: TypeAlias = bool | int | str | list[str] | dict[str, str]

_CPU_FLAGS = ("--device", "none", "--gpu-layers", "0", "--no-op-offload")
_ALL_LAYERS = -2
_FLASH = {"auto": "AUTO", "on": "ENABLED", "off": "DISABLED"}
BOUNDED_SINCE = 11312
"""The first build seen with --kv-unified-per-slot (pull request 24124, built from llama-cpp-python 0.3.36); b10434 refuses it."""
_SPIN = "1000"
"""How long a waiting CPU thread spins before it sleeps. OpenMP's own 300000 stalls a server on a computer that does
other work too: with one of two cores busy, four answers took 10.6 s, with this 2.2 s (idle: 0.74 s and 0.77 s)."""
_FOREIGN_VARIABLES = ("LLAMA_ARG_", "LLAMA_API_KEY", "AIP_", "MTMD_BACKEND_DEVICE")


def arguments(
    path: str | Path,
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    alias: str | None = None,
    threads: int | None = None,
    cors: str | None = None,
) -> tuple[str, ...]:
    """Return what follows `llama-server` on the command line. It never has the key: see `environment`.

    port: 0 lets the server choose one and print it; alias: the model's name in the API;
    threads: CPU threads, None for the server's default; cors: allowed web origins, None for the server's default.
    Raises BadSetting for settings that llama.cpp refuses.
    """
    check(settings)
    flags = ["--model", abspath(path), "--host", host, "--port", str(port), "--no-ui", "--offline"]
    flags += ["--log-verbosity", str(VERBOSITY), "--fit", "off"]
    flags += _CPU_FLAGS if settings.backend == "cpu" else _placement(settings)
    flags += _memory(settings)
    flags += _extras(settings)
    for flag, value in (("--alias", _clean_alias(alias)), ("--threads", threads), ("--cors-origins", cors)):
        flags += [flag, str(value)] if value else []
    return tuple(flags)


def _extras(settings: Settings) -> list[str]:
    """Return the flags of projector, adapters, draft and RPC workers."""
    flags = _projector(settings.projector or "")
    flags += ["--lora", ",".join(abspath(path) for path in settings.lora)] if settings.lora else []
    flags += ["--lazy-mode", settings.lazy] if settings.lazy != "auto" else []
    flags += ["--rpc", ",".join(settings.rpc)] if settings.rpc else []
    if not (settings.draft or settings.mtp):
        return flags
    if settings.draft:
        path = settings.draft if settings.draft.endswith(".gguf") else f"{settings.draft}.gguf"
        flags += ["--model-draft", abspath(path)]
    kind = "draft-mtp" if settings.mtp else "draft-simple"
    for flag, value in (("k", settings.draft_key_type), ("v", settings.draft_value_type)):
        flags += [f"--cache-type-{flag}-draft", value.lower()] if value.upper() != "F16" else []
    return [*flags, "--spec-type", kind, "--spec-draft-n-max", str(settings.draft_tokens)]


def _projector(source: str) -> list[str]:
    if "://" in source:
        return ["--mmproj-url", source]
    return ["--mmproj", abspath(source)] if source else []


def _memory(settings: Settings) -> list[str]:
    """Return the flags that change memory on every backend."""
    flags = ["--ctx-size", str(settings.context), "--parallel", str(settings.slots)]
    flags += _sharing(settings)
    flags += ["--batch-size", str(settings.batch), "--ubatch-size", str(settings.ubatch)]
    flags += ["--flash-attn", settings.flash_attention]
    flags += ["--cache-type-k", settings.key_type.lower(), "--cache-type-v", settings.value_type.lower()]
    flags += ["--swa-full"] if settings.swa_full else []
    flags += ["--cache-ram", str(settings.cache_ram)] if settings.cache_ram != Settings.cache_ram else []
    flags += _checkpoints(settings)
    return [*flags, "--load-mode", _load_mode(settings), "--repack" if settings.repack else "--no-repack"]


def _sharing(settings: Settings) -> list[str]:
    """Return the flags of one cache for all slots, or of one for each."""
    bound = slot_bound(settings)
    flags = ["--kv-unified" if settings.unified else "--no-kv-unified"]
    flags += ["--kv-unified-per-slot", str(bound)] if bound else []
    return flags if settings.cache_idle_slots else [*flags, "--no-cache-idle-slots"]


def slot_bound(settings: Settings) -> int:
    """Return the most that one slot of a unified cache may hold: its share, so that none starves another; 0 = no bound [tokens].

    Source: tools/server/server-context.cpp, n_ctx_slot. Raises BadSetting for builds that cannot bound it.
    """
    if not settings.unified or settings.slots == 1:
        return 0
    build = builds.number(settings.build)
    if build is not None and build < BOUNDED_SINCE:
        raise BadSetting(
            "llama.cpp {build} cannot limit what one person takes of a unified cache.",
            build=settings.build,
            mend="Use b{least} or newer, or leave unified off.",
            least=BOUNDED_SINCE,
        )
    return int(settings.context // settings.slots)


def _checkpoints(settings: Settings) -> list[str]:
    usual = settings.ctx_checkpoints == Settings.ctx_checkpoints
    return [] if usual else ["--ctx-checkpoints", str(settings.ctx_checkpoints)]


def _placement(settings: Settings) -> list[str]:
    """Return the flags that share a model out over GPUs and RAM."""
    flags = ["--split-mode", settings.split_mode]
    flags += ["--gpu-layers", "all" if settings.gpu_layers < 0 else str(settings.gpu_layers)]
    if settings.tensor_split:
        flags += ["--tensor-split", ",".join(f"{share:g}" for share in settings.tensor_split)]
    for flag, number in (
        ("--main-gpu", settings.main_gpu),
        ("--n-cpu-moe", settings.n_cpu_moe),
        ("--n-cpu-ffn", settings.n_cpu_ffn),
    ):
        flags += [flag, str(number)] if number else []
    for pattern, device in settings.overrides:
        flags += ["--override-tensor", f"{pattern}={device}"]
    flags += [] if settings.offload_kv else ["--no-kv-offload"]
    return flags + ([] if settings.op_offload else ["--no-op-offload"])


def _load_mode(settings: Settings) -> str:
    """Return none, mmap, or auto: with a GPU the server may choose not to map, where the device cannot (integrated GPUs)."""
    if not settings.mmap:
        return "none"
    return "mmap" if settings.backend == "cpu" else "auto"


USUAL: Mapping[str, str | None] = {
    "--offline": None,
    "--no-kv-unified": None,
    "--batch-size": "2048",
    "--ubatch-size": "512",
    "--flash-attn": "auto",
    "--cache-type-k": "f16",
    "--cache-type-v": "f16",
    "--load-mode": "auto",
    "--repack": None,
    "--split-mode": "layer",
    "--gpu-layers": "all",
}
"""What llama-server does without being told, once `--parallel` is given (a unified cache is only for an automatic number
of slots) and `--fit off` (then automatic layers are all of them); and what only reads logs or only stays offline.
Source: llama.cpp b11434, common/arg.cpp, common/common.h (common_params), include/llama.h (n_gpu_layers)."""


def short(argv: Sequence[str], *, one_gpu: bool) -> tuple[str, ...]:
    """Return the words of a command without llama-server's defaults. one_gpu: the machine has a single GPU."""
    usual = dict(USUAL)
    if "none" in argv and argv[argv.index("none") - 1] == "--device":
        usual |= {"--gpu-layers": "0", "--no-op-offload": None}  # without a device nothing is offloaded
    elif one_gpu and "--main-gpu" not in argv:
        usual["--split-mode"] = "none"
    return without_options(argv, usual)


def thinking(argv: Sequence[str], mode: str, arguments: Mapping[str, object]) -> tuple[str, ...]:
    """Return the words of a command with thinking off or with an effort.

    arguments: of the chat template; whether it thinks at all is an option of its own ("--reasoning", auto)
    """
    if mode == "off":
        return *argv, "--reasoning", "off"
    effort = {k: v for k, v in arguments.items() if k == "reasoning_effort"}
    return (*argv, "--chat-template-kwargs", json.dumps(effort)) if effort else tuple(argv)


def with_thinking_fields(fields: Mapping[str, Field], words: Sequence[str]) -> dict[str, Field]:
    """Return fields of `common_params` with what the words of `thinking` set.

    Source: llama.cpp b11434, common/arg.cpp, "--reasoning" and "--chat-template-kwargs" (each value as JSON).
    """
    options = dict(zip(words[::2], words[1::2], strict=True))
    found, arguments = dict(fields), {}
    if options.get("--reasoning") == "off":
        found["enable_reasoning"], arguments = 0, {"enable_thinking": "false"}
    told = json.loads(options.get("--chat-template-kwargs", "{}"))
    arguments |= {name: json.dumps(value) for name, value in told.items()}
    usual = found.get("default_template_kwargs", {})
    assert isinstance(usual, dict)
    return found | ({"default_template_kwargs": usual | arguments} if arguments else {})


def without_log(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the words of a command as a person starts it: usual log, and the server's own page."""
    return without_options(argv, {"--log-verbosity": str(VERBOSITY), "--no-ui": None})


IMAGES = {"cuda": "server-cuda", "rocm": "server-rocm", "vulkan": "server-vulkan", "sycl": "server-intel"}
"""Backend -> tag of ghcr.io/ggml-org/llama.cpp. Source: llama.cpp b11434, docs/docker.md."""
DEVICES = {"rocm": ("/dev/kfd", "/dev/dri"), "vulkan": ("/dev/dri",), "sycl": ("/dev/dri",)}
"""Backend -> files of the GPUs that a container is given."""


def container(backend: str, gpu: bool) -> Container | None:
    """Return the image of a backend, the one for CPUs without a GPU, None where no container reaches the GPU."""
    if gpu and backend not in IMAGES:
        return None
    tag = IMAGES[backend] if gpu else "server"
    devices = DEVICES.get(backend, ()) if gpu else ()
    nvidia = gpu and backend == "cuda"
    return Container(f"ghcr.io/ggml-org/llama.cpp:{tag}", (PROGRAM,), "/root/.cache", devices, nvidia)


def fields(
    path: str | Path,
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    alias: str | None = None,
    threads: int | None = None,
    cors: str | None = None,
) -> dict[str, Field]:
    """Return the same as `arguments`, as fields of `common_params`. A value `enum.NAME` is a member of that enumeration.

    Raises BadSetting for settings that llama.cpp refuses.
    """
    _embeddable(check(settings))
    cpu = settings.backend == "cpu"
    values: dict[str, Field] = {
        "model.path": abspath(path),
        **({"mmproj.path": abspath(settings.projector)} if settings.projector else {}),
        "hostnames": [host],
        "port": port,
        "ui": False,
        "offline": True,
        "verbosity": VERBOSITY,
        "fit_params": False,
        "default_template_kwargs": {"preserve_reasoning": "true"},
        "n_gpu_layers": 0 if cpu else _ALL_LAYERS,
        "no_op_offload": cpu or not settings.op_offload,
        "split_mode": "llama_split_mode.LLAMA_SPLIT_MODE_" + ("LAYER" if cpu else "NONE"),
        **({"main_gpu": settings.main_gpu} if settings.main_gpu > 0 else {}),
        **_memory_fields(settings),
    }
    if name := _clean_alias(alias):
        values["model_alias"] = [name]
    if threads:
        values |= {"cpuparams.n_threads": threads, "cpuparams_batch.n_threads": threads}
    if cors:
        values |= {"cors_origins": cors, "cors_origins_explicit": True}
    return values


def _embeddable(settings: Settings) -> None:
    """Raise BadSetting for what the server inside the wheel is not started with."""
    if flags := _extras(replace(settings, projector=None)):
        raise BadSetting(
            "The server inside the xllamacpp wheel does not support {flags}.",
            flags=" ".join(f for f in flags if f.startswith("--")),
            mend="Put llama-server on PATH.",
        )
    if not settings.on_one_device:
        raise BadSetting(
            "The server inside the xllamacpp wheel supports one GPU or none.",
            mend="Put llama-server on PATH to split a model or to offload part of it.",
        )


def _memory_fields(settings: Settings) -> dict[str, Field]:
    """Return the fields that change memory on every backend."""
    return {
        "n_ctx": int(settings.context),
        "n_parallel": int(settings.slots),
        "kv_unified": settings.unified,
        **({"kv_unified_per_slot": bound} if (bound := slot_bound(settings)) else {}),
        **({} if settings.cache_idle_slots else {"cache_idle_slots": False}),
        **({"cache_ram_mib": settings.cache_ram} if settings.cache_ram != Settings.cache_ram else {}),
        **_checkpoint_fields(settings),
        "n_batch": int(settings.batch),
        "n_ubatch": int(settings.ubatch),
        "flash_attn_type": f"llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_{_FLASH[settings.flash_attention]}",
        "cache_type_k": f"ggml_type.GGML_TYPE_{settings.key_type.upper()}",
        "cache_type_v": f"ggml_type.GGML_TYPE_{settings.value_type.upper()}",
        "swa_full": settings.swa_full,
        "load_mode": f"llama_load_mode.LLAMA_LOAD_MODE_{_load_mode(settings).upper()}",
        "no_extra_bufts": not settings.repack,
    }


def _checkpoint_fields(settings: Settings) -> dict[str, Field]:
    usual = settings.ctx_checkpoints == Settings.ctx_checkpoints
    return {} if usual else {"n_ctx_checkpoints": settings.ctx_checkpoints}


def environment(key: str | None, base: Mapping[str, str] | None = None, *, gpu: bool = True) -> dict[str, str]:
    """Return the server's environment: `base` without what would change our settings, and the key.

    llama-server reads every unset flag from LLAMA_ARG_*, the key from LLAMA_API_KEY (common/arg.cpp), and the port
    from AIP_HTTP_PORT (tools/server/server-http.cpp, gcp_params).
    What the user set for OpenMP stays. gpu: False hides the GPUs from the server.
    """
    clean = {name: value for name, value in (base or {}).items() if not name.startswith(_FOREIGN_VARIABLES)}
    if "OMP_WAIT_POLICY" not in clean:
        clean.setdefault("GOMP_SPINCOUNT", _SPIN)
    if not gpu:
        clean |= {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "", "GGML_VK_VISIBLE_DEVICES": ""}
    return clean | ({"LLAMA_API_KEY": key} if key else {})


def command(
    path: str | Path,
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    alias: str | None = None,
    threads: int | None = None,
    keyed: bool = False,
) -> str:
    """Return the line that a person would type. keyed: the server wants a key, shown as a variable and never as its value."""
    line = shell_words((PROGRAM, *arguments(path, settings, host=host, port=port, alias=alias, threads=threads)))
    return f'LLAMA_API_KEY="$GYAKUSAN_API_KEY" {line}' if keyed else line


def _clean_alias(alias: str | None) -> str | None:
    """Return a name without commas, which separate names in --alias, and without control characters; None if empty."""
    clean = line(alias).replace(",", "").replace("?", "").strip() if alias else ""
    return clean[:200] or None
