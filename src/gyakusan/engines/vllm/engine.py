"""The face of vLLM: see engines/base.py."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from msgspec import structs

from gyakusan.catalog.artifacts import published
from gyakusan.core.arrays import Ints
from gyakusan.core.broadcast import is_array
from gyakusan.core.load import Load
from gyakusan.core.machine import Device, Machine
from gyakusan.core.model import Model
from gyakusan.engines.base import CacheType, Command, ComputeSettings, Container, Format, ImageInput, MultiGpu, Variant
from gyakusan.engines.container import QueueMetric
from gyakusan.engines.defaults import (
    all_at_once,
    check_fields,
    gguf_format,
    host_option,
    no_embedding_settings,
    no_page,
    no_part_in_ram,
    no_router,
    no_worker_command,
    no_workers,
    port_option,
    same_command,
)
from gyakusan.engines.published import NATIVE_TAGS, checkpoint_formats, original
from gyakusan.engines.vllm import launch, profile
from gyakusan.engines.vllm.coexisting import coexisting_margin, coexisting_settings, occupied_bytes
from gyakusan.engines.vllm.ledger import accounts, ledger
from gyakusan.engines.vllm.load_memory import cache_setting, load_memory, max_ranks, memory_class
from gyakusan.engines.vllm.pages import pages
from gyakusan.engines.vllm.pool import requested
from gyakusan.engines.vllm.settings import CACHE_BYTES, VERSION, Settings, batch_defaults
from gyakusan.engines.vllm.small_cache import FP8
from gyakusan.engines.vllm.support import format_refusal, machine_refusal, refusals, system_refusal
from gyakusan.engines.vllm.weights import stored, weights
from gyakusan.errors import BadSetting, GyakusanError
from gyakusan.message import Message
from gyakusan.units import GIB

if TYPE_CHECKING:
    from gyakusan.catalog.artifacts import Artifact
    from gyakusan.catalog.models import ModelRecord
    from gyakusan.engines.server import ServerModule
    from gyakusan.engines.vllm.log import Reported

NAME = "vLLM"
KEY = "VLLM_API_KEY"
CAVEAT: Message | None = None
PREFIXES = ("vllm_",)
USUAL = True
STORAGE = "checkpoint"
MULTI_GPU: MultiGpu = "tensor"
MIXED_GPUS = False
SPEED_NAME = "vllm"
SMALLER_CACHE = FP8
OFFLOADS, REPLICATES = False, True
IMAGES: ImageInput = "usual"
PORT = 8000
QUEUE = QueueMetric("vllm:num_requests_waiting")
"""Source: vLLM 0.32.0, docs/usage/metrics.md."""
HEALTH = "/health"
with_port, with_host, with_page = port_option, host_option, no_page
router, at_once = no_router, all_at_once
spanning_commands = launch.over_nodes
worker_settings, worker_command = no_workers, no_worker_command
part_in_ram = no_part_in_ram
embedding_settings, embedding_command = no_embedding_settings, same_command

__all__ = [
    "VERSION",
    "Settings",
    "accounts",
    "cache_setting",
    "coexisting_margin",
    "coexisting_settings",
    "format_refusal",
    "ledger",
    "load_memory",
    "machine_refusal",
    "max_ranks",
    "memory_class",
    "occupied_bytes",
    "refusals",
    "system_refusal",
]

FORMATS = ("BF16", "FP8", "INT8", "AWQ", "GPTQ", "INT4", "NVFP4", "MXFP4")
NAMED = (
    ("BF16", "F16", "", ("bf16", "f16", "fp16", "bfloat16", "float16", "none")),
    ("FP8", "Q8_0", "fp8", ("fp8", "float8", "fp8dynamic", "fp8block", "w8a8fp8")),
    ("INT8", "Q8_0", "int8", ("int8", "w8a8", "w8a16", "gptqint8", "gptq8bit", "awq8bit", "awqint8")),
    ("AWQ", "Q4_K_M", "awq", ("awq", "awqint4", "awq4bit", "int4awq")),
    ("GPTQ", "Q4_K_M", "gptq", ("gptq", "gptqint4", "gptq4bit", "gptqmarlin")),
    ("INT4", "Q4_K_M", "gptq", ("int4", "w4a16", "autoround", "int4autoround")),
    ("NVFP4", "Q4_K_M", "nvfp4", ("nvfp4", "fp4", "w4a4")),
    ("MXFP4", "Q4_K_M", "mxfp4", ("mxfp4",)),
    ("BNB", "Q4_K_M", "bitsandbytes", ("bnb", "bnb4bit", "nf4", "bitsandbytes")),
)
"""As people write a format, the GGUF quantisation of as many bits, its method in weights.METHODS, and its other names.

W4A16 and AutoRound take the bytes of GPTQ: 4 bits, one 16-bit scale for 128 values.
"""
SHOWN = {method: shown for shown, _, method, _ in reversed(NAMED)}
"""Method of weights.METHODS -> the usual name of such checkpoints."""
OF_METHOD = {
    "none": ("bf16",),
    "fp8": ("fp8", "bf16"),
    "int8": ("int8",),
    "awq": ("awq", "int4", "gptq"),
    "gptq": ("gptq", "int4", "awq"),
    "nvfp4": ("nvfp4",),
    "mxfp4": ("mxfp4",),
    "bitsandbytes": ("bf16",),
}
"""Method -> formats of published checkpoints that take about its bytes, the nearest first."""
CHECKPOINT_TAGS = ("BF16", "FP8", "W8A8", "INT8", "AWQ", "GPTQ-Int4", "INT4", "NVFP4", "MXFP4")
RANKS = (1, 2, 3, 4, 5, 6, 7, 8)
"""Layouts of weights: GPUs that share each layer."""
UNLIMITED = Machine("H200", (Device("H200", "gpu", 4096 * GIB, "cuda"),), Device("CPU", "host", None, "cpu"))
"""A machine without limits on which every method runs."""

HALF = 8
"""GGUF quantisations of at least so many bits are compared with FP8, smaller ones with AWQ."""


def settings(model: Model, load: Load, machine: Machine, **changes: Any) -> Settings:
    """The server's defaults for this machine, the whole context for each request, and as many GPUs as can share the heads.

    A catalogue model at a GGUF quantisation is taken at the nearest that vLLM loads. Where less is free than vLLM would
    take, gpu_memory_utilization is lowered to it. Raises UnknownName for an unknown field.
    """
    check_fields(Settings, changes)
    usual = batch_defaults(machine)
    seqs = usual.seqs if is_array(load.users) else max(usual.seqs, load.users)
    usual_settings = Settings(max_model_len=load.context, max_num_seqs=seqs, max_num_batched_tokens=usual.tokens)
    usual_settings = replace(usual_settings, **{"quantization": _nearest(model), **changes})
    if model.blocks < usual_settings.pipeline_parallel:
        raise BadSetting(
            "{name} has {blocks} layers, and {stages} stages were asked for.", name=model.name, blocks=model.blocks,
            stages=usual_settings.pipeline_parallel, mend="Lower pipeline_parallel, or --nodes.",
        )  # fmt: skip
    if "gpu_memory_utilization" not in changes:
        usual_settings = replace(usual_settings, gpu_memory_utilization=_free(machine, usual_settings))
    if "tensor_parallel" not in changes:
        usual_settings = replace(usual_settings, tensor_parallel=_ranks(model, machine, usual_settings))
    return usual_settings


def _free(machine: Machine, settings: Settings) -> float:
    """The default share, or as much of it as is free, in whole percents."""
    share = settings.gpu_memory_utilization
    for gpu in machine.gpus:
        total = profile.visible(gpu)
        if total and gpu.usable is not None and requested(total, settings) > gpu.usable:
            share = min(share, max(1, gpu.usable * 100 // total) / 100)
    return share


def _ranks(model: Model, machine: Machine, settings: Settings) -> int:
    """The most GPUs that can share each layer: equal shares of the heads."""
    count = max(1, len(machine.gpus) // max(1, settings.pipeline_parallel * settings.data_parallel))
    for ranks in range(count, 1, -1):
        try:
            pages(model, replace(settings, tensor_parallel=ranks))
        except BadSetting:
            continue
        return ranks
    return 1


def _nearest(model: Model) -> str:
    """Return "auto", or the method that stands for a GGUF quantisation of a catalogue model."""
    if not model.catalogue_name:
        return "auto"
    try:
        stored(model, Settings(1))
    except BadSetting:
        bits = model.bytes * 8 / max(1, model.parameters)
        return "fp8" if bits >= HALF else "awq"
    return "auto"


def variants(model: Model, record: ModelRecord) -> Iterator[Variant]:
    """Return the checkpoints of a model that are planned with."""
    for form in checkpoint_formats(record):
        candidate = variant(form.name, model)
        if candidate is not None:
            yield structs.replace(candidate, published=form.artifact is not None or bool(record.weights))


def variant(name: str, model: Model) -> Variant | None:
    """Return the model as a kind of checkpoint, None if vLLM refuses it."""
    from gyakusan.core import recipe

    form = named_format(name)
    if form is None:
        return None
    quantized = recipe.apply(form.base, model)
    try:
        chosen = settings(quantized, Load(1, 1024), UNLIMITED, **form.changes)
        if refusals(quantized, UNLIMITED, chosen):
            return None
    except GyakusanError:
        return None
    return Variant(name, as_read(quantized, chosen))


def named_format(name: str) -> Format | None:
    """Return the kind of checkpoint that people call `name`; a GGUF quantisation stands for the nearest kind."""
    plain = "".join(c for c in name.casefold() if c.isalnum())
    for shown, base, method, names in NAMED:
        if plain in names:
            return Format(shown, base, {"quantization": method} if method else {}, experts_only=method == "mxfp4")
    return gguf_format(name)


def as_read(model: Model, settings: Settings) -> Model:
    """Return the model with the checkpoint that the server loads."""
    try:
        return replace(model, checkpoint=stored(model, settings))
    except BadSetting:
        return model


def weight_bytes(model: Model) -> list[int]:
    """Return the weights on one GPU where 1 to 8 of them share each layer [B]."""
    return [weights(model, Settings(1024, tensor_parallel=n)).best for n in RANKS]


def weight_layout(machine: Machine, ranks: Ints) -> Ints:
    """Return the place in RANKS."""
    return ranks - 1


def cache_types(settings: Settings) -> tuple[str, str]:
    """Return the one element type of keys and values; 16 bits of either kind are the usual ones."""
    kind = "f16" if CACHE_BYTES[settings.kv_cache_dtype] == 2 else settings.kv_cache_dtype
    return kind, kind


def cache_bytes(kind: CacheType) -> float:
    """Return the bytes of one cached value: 2, of fp8 one, which has no scales of blocks [B]."""
    return float(CACHE_BYTES[str(cache_setting(kind).get("kv_cache_dtype", "auto"))])


def prefill_chunk(machine: Machine) -> int:
    """Return the default of `max_num_batched_tokens`, which follows from the GPU [tokens]."""
    return batch_defaults(machine).tokens


def compute_settings(machine: Machine, settings: Settings) -> ComputeSettings:
    """Return the batch of tokens, the bytes of a cached value, and the GPUs that share each layer."""
    return ComputeSettings(
        prefill_chunk=float(settings.max_num_batched_tokens),
        cache_bytes=float(CACHE_BYTES[settings.kv_cache_dtype]),
        ranks=settings.tensor_parallel,
        replicas=settings.data_parallel,
        drafts=settings.speculative_tokens,
        together=int(settings.max_num_seqs),
    )


def usable(machine: Machine) -> float:
    """Return what the server takes of its smallest GPU: its share, or as much of it as is free [B]."""
    device = min(machine.gpus, key=lambda g: g.usable or 0) if machine.gpus else machine.host
    if device is None or device.usable is None:
        return float("inf")
    total = profile.visible(device)
    taken = requested(total, Settings(1))
    if taken > device.usable:
        share = max(1, device.usable * 100 // total) / 100
        taken = min(taken, requested(total, Settings(1, gpu_memory_utilization=share)))
    return float(min(taken, device.usable))


def spanning_settings(gpus: int, machines: int) -> dict[str, object]:
    """Return tensor parallel inside each machine, pipeline parallel between them."""
    return {"tensor_parallel": gpus, "pipeline_parallel": machines}


def replica_settings(replicas: int) -> dict[str, object]:
    """Return data parallel copies, each tensor parallel on its GPUs."""
    return {"data_parallel": replicas}


def command(model: Model, machine: Machine, settings: Settings) -> Command:
    """`vllm serve` with exactly these settings, and its environment."""
    return launch.command(model, settings)


def image_settings(projector_bytes: int) -> dict[str, object]:
    """Return the size of what reads images, as the published projector has it."""
    return {"vision_bytes": projector_bytes}


def artifact(record: ModelRecord, name: str) -> Artifact | None:
    """Return the published checkpoint of a model in a format; the 16-bit one stands for FP8, which is made while it loads."""
    name = _checkpoint(name)
    form = named_format(name)
    kinds = OF_METHOD.get(str(form.changes.get("quantization", "none")), ()) if form is not None else ()
    every = published(record)
    for kind in (name.casefold(), *kinds):
        found = next((a for a in every if a.format == kind and a.quantization in CHECKPOINT_TAGS), None)
        if found is not None:
            return found
    return None


def preparation(record: ModelRecord, name: str) -> tuple[str, ...]:
    """Return the commands that make a 4-bit checkpoint. Source: llm-compressor, examples/awq and docs of oneshot."""
    if record.own_folder and name.casefold() in ("bf16", "fp8"):
        return ()
    made = _folder(record, name)
    script = (
        "from llmcompressor import oneshot; from llmcompressor.modifiers.awq import AWQModifier; "
        f"oneshot(model={original(record)!r}, dataset='open_platypus', num_calibration_samples=256, output_dir={made!r}, "
        "recipe=[AWQModifier(ignore=['lm_head'], scheme='W4A16_ASYM', targets=['Linear'])])"
    )
    return ("pip install llmcompressor", f"python -c {shlex.quote(script)}")


def published_command(record: ModelRecord, model: Model, machine: Machine, settings: Settings, name: str) -> Command:
    """`vllm serve` with the repository that holds this format, or with the folder that `preparation` makes; text only."""
    from gyakusan.catalog.projectors import reads_images

    method = settings.quantization
    found = artifact(record, _checkpoint(name, method))
    whole = record.own_folder if found is None and not preparation(record, name) else ""
    source = whole or (_folder(record, name) if found is None else found.repository)
    sixteen = bool(whole) or (found is not None and found.format == "bf16")
    online = method if sixteen and method in launch.ONLINE else ""
    made = launch.command(model, settings, source=source, online=online)
    plain = not settings.vision_bytes and reads_images(record)
    return structs.replace(made, argv=(*made.argv, *launch.TEXT_ONLY)) if plain else made


def named_as_checkpoint(name: str) -> bool:
    """Return True if this names a kind of checkpoint, and no GGUF quantisation that stands for one."""
    return name in FORMATS


def _checkpoint(name: str, method: str = "") -> str:
    """Return the kind of checkpoint that stands for a GGUF quantisation, other names as they are.

    method: of the settings, where they are known; "" and "auto" say nothing
    """
    if named_as_checkpoint(name):
        return name
    if name.upper() in NATIVE_TAGS:
        return "MXFP4"
    if method and method in SHOWN:
        return SHOWN[method]
    if (known := gguf_format(name)) is None:
        return name
    return {"BF16": "BF16", "F16": "BF16", "F32": "BF16", "Q8_0": "FP8"}.get(known.base, "AWQ")


def _folder(record: ModelRecord, name: str) -> str:
    return f"./{record.name}-{name}"


def with_thinking(command: Command, architecture: str, mode: str, arguments: Mapping[str, object]) -> Command | None:
    """Return the command whose chat template gets the arguments. Source: vLLM 0.32.0, entrypoints/openai/cli_args.py."""
    return launch.with_thinking(command, architecture, mode, arguments)


def short_command(command: Command, machine: Machine) -> Command:
    """Return the command without vLLM's own defaults and without variables that change neither memory nor answers."""
    return launch.short(command)


def container(machine: Machine) -> Container | None:
    """Return vLLM's image for NVIDIA or AMD, None for other machines."""
    backend = machine.gpus[0].backend if machine.gpus else "cpu"
    return launch.container(backend)


def server() -> ServerModule[Settings, Reported]:
    """The module that starts `vllm serve`."""
    from gyakusan.engines.vllm import server

    return cast("ServerModule[Settings, Reported]", server)


def read(lines: Iterable[str]) -> Reported:
    """The weights, the pool and the requests that the server printed."""
    from gyakusan.engines.vllm import log  # its patterns cost 10 ms

    return log.read(lines)
