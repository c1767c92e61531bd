"""How `vllm serve` is started with exactly the planned settings. Source: vLLM 0.32.0, engine/arg_utils.py, envs.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

from gyakusan.core.model import Model
from gyakusan.engines.base import Command, Container
from gyakusan.engines.defaults import without_options
from gyakusan.engines.vllm.settings import VERSION, Settings, check
from gyakusan.units import GIB

PROGRAM = ("vllm", "serve")
TEXT_ONLY = ("--language-model-only",)
"""A model that reads images is loaded without what reads them: docs.vllm.ai, models/supported_models ("text-only mode", all
modalities set to 0), used with vLLM 0.31 for Qwen3.8-27B-FP8."""
ONLINE = ("fp8", "bitsandbytes")
"""Methods that quantise a 16-bit checkpoint while it is loaded; the others must be published so."""


def command(
    model: Model,
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    source: str = "",
    online: str | None = None,
) -> Command:
    """Program, arguments and environment. Never a key: vLLM reads VLLM_API_KEY. Raises BadSetting, UnknownName.

    source: directory or repository, "" = the model's own, or a folder here for a checkpoint that has to be made of it
    online: method with which it is quantised while it is loaded, "" = none; None = the settings', if the model is plain
    """
    check(settings)
    plain = model.checkpoint is None or not model.checkpoint.method
    needed = settings.quantization not in ("auto", "none", *ONLINE) and plain
    name = source or (_made(model, settings.quantization) if needed else repository(model))
    if online is None:
        online = settings.quantization if settings.quantization in ONLINE and plain else ""
    return Command((*PROGRAM, *words(name, settings, host, port, online)), variables(model.trained_context, settings))


def words(source: str, settings: Settings, host: str, port: int, online: str) -> tuple[str, ...]:
    """Return what follows `vllm serve`.

    online: method with which the checkpoint is quantised while it is loaded, "" = none
    """
    flags = [source, "--host", host, "--port", str(port), *_memory(settings)]
    if settings.tensor_parallel > 1:
        flags += ["--tensor-parallel-size", str(settings.tensor_parallel)]
    if settings.pipeline_parallel > 1:
        flags += ["--pipeline-parallel-size", str(settings.pipeline_parallel)]
    if settings.data_parallel > 1:
        flags += ["--data-parallel-size", str(settings.data_parallel)]
    if settings.expert_parallel:
        flags += ["--enable-expert-parallel"]
    if settings.decode_context_parallel > 1:
        flags += ["--decode-context-parallel-size", str(settings.decode_context_parallel)]
    return (*flags, *(("--quantization", online) if online else ()))


def _made(model: Model, method: str) -> str:
    """Return a folder here for a checkpoint that has to be made."""
    return f"./{repository(model).rstrip('/').rpartition('/')[2]}-{method.upper()}"


def _memory(settings: Settings) -> list[str]:
    """The flags that change memory. What every server would choose anyway is said too: a default may move."""
    flags = ["--max-model-len", str(settings.max_model_len), "--max-num-seqs", str(settings.max_num_seqs)]
    flags += ["--max-num-batched-tokens", str(settings.max_num_batched_tokens)]
    flags += ["--gpu-memory-utilization", f"{settings.gpu_memory_utilization:g}"]
    flags += ["--kv-cache-dtype", settings.kv_cache_dtype]
    flags += ["--block-size", str(settings.block_size)] if settings.block_size else []
    flags += ["--enable-prefix-caching" if settings.enable_prefix_caching else "--no-enable-prefix-caching"]
    flags += ["--enforce-eager"] if settings.enforce_eager else []
    flags += ["--mamba-ssm-cache-dtype", settings.state_dtype] if settings.state_dtype != "auto" else []
    flags += ["--cpu-offload-gb", f"{settings.cpu_offload / GIB:g}"] if settings.cpu_offload else []
    flags += ["--kv-cache-memory-bytes", str(settings.memory_kept)] if settings.memory_kept else []
    return flags


def variables(trained: int, settings: Settings) -> Mapping[str, str]:
    """Internal sockets on the loopback, no usage statistics; a longer context than trained must be allowed.

    trained: context that the model was trained for, 0 = not known [tokens]
    """
    needed = {"VLLM_HOST_IP": "127.0.0.1", "VLLM_NO_USAGE_STATS": "1"}
    if trained and settings.max_model_len > trained:
        needed["VLLM_ALLOW_LONG_MAX_MODEL_LEN"] = "1"
    return MappingProxyType(needed)


def repository(model: Model) -> str:
    """What follows `vllm serve`: a directory or the repository that our catalogue knows a model by."""
    if not model.catalogue_name:
        return model.source.removeprefix("hf:") or model.name
    from gyakusan.catalog.models import find

    names = find(model.catalogue_name).aliases
    return next((n for n in names if "/" in n), model.name)


USUAL: Mapping[str, str | None] = {"--kv-cache-dtype": "auto", "--enable-prefix-caching": None}
"""What `vllm serve` does without being told. The share of the memory stays: other releases have another default."""
QUIET = ("VLLM_HOST_IP", "VLLM_NO_USAGE_STATS")
"""Variables that change neither memory nor answers."""


HARMONY = ("gpt-oss",)
"""Architectures whose prompts vLLM writes itself, without the chat template: each request says its own `reasoning_effort`,
and no option of the server does (entrypoints/openai, _make_request_with_harmony)."""


def with_thinking(command: Command, architecture: str, mode: str, arguments: Mapping[str, object]) -> Command | None:
    """Return the command with these arguments in every request that does not say otherwise, None if they have no effect."""
    if architecture in HARMONY:
        return command if mode == "on" else None
    if not arguments:
        return command
    words = (*command.argv, "--default-chat-template-kwargs", json.dumps(arguments))
    return Command(words, command.environment)


def short(command: Command) -> Command:
    """Return the command without vLLM's defaults."""
    environment = {k: v for k, v in command.environment.items() if k not in QUIET}
    return Command(without_options(command.argv, USUAL), MappingProxyType(environment))


def container(backend: str) -> Container | None:
    """Return the image for a backend. Source: vLLM 0.32.0, docs/deployment/docker.md."""
    cache = "/root/.cache/huggingface"
    if backend == "cuda":
        return Container(f"vllm/vllm-openai:v{VERSION}", PROGRAM, cache, nvidia=True, shared_memory=True)
    if backend == "rocm":
        devices = ("/dev/kfd", "/dev/dri")
        return Container(f"vllm/vllm-openai-rocm:v{VERSION}", PROGRAM, cache, devices, shared_memory=True)
    return None


def over_nodes(command: Command, machines: int, first: str) -> tuple[Command, ...]:
    """Return the command of each of several machines that serve as one. first: address of the first.

    Without VLLM_HOST_IP each one finds the address that the others reach.
    Source: docs/serving/parallelism_scaling.md, "Running vLLM with MultiProcessing" (vllm-project/vllm#23691).
    """
    environment = MappingProxyType({k: v for k, v in command.environment.items() if k != "VLLM_HOST_IP"})
    ranks = (("--nnodes", str(machines), "--node-rank", str(n), "--master-addr", first) for n in range(machines))
    words = ((*flags, "--headless") if n else flags for n, flags in enumerate(ranks))
    return tuple(Command((*command.argv, *flags), environment, command.then) for flags in words)
