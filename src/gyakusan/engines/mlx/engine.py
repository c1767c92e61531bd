"""The face of MLX-LM: see engines/base.py."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from msgspec import structs

from gyakusan.catalog.artifacts import published
from gyakusan.core.load import Load
from gyakusan.core.machine import Device, Machine
from gyakusan.core.model import Attention, Checkpoint, Memory, Model
from gyakusan.doors.shell import shell_words
from gyakusan.engines.base import Command, ComputeSettings, Format, ImageInput, MultiGpu, System, Variant
from gyakusan.engines.defaults import (
    account_bytes,
    check_fields,
    device_usable,
    fixed_chunk,
    gguf_format,
    half_cache_bytes,
    half_cache_setting,
    host_option,
    no_changes,
    no_container,
    no_embedding_settings,
    no_format_refusal,
    no_image_settings,
    no_margin,
    no_page,
    no_part_in_ram,
    no_replicas,
    no_router,
    no_spanning,
    no_worker_command,
    no_workers,
    one_command,
    one_layout,
    one_rank,
    port_option,
    same_command,
    unchanged_command,
)
from gyakusan.engines.mlx import cache, families, launch
from gyakusan.engines.mlx.ledger import accounts, ledger
from gyakusan.engines.mlx.load_memory import load_memory, memory_class
from gyakusan.engines.mlx.settings import CAVEAT, VERSION, Settings, format_of
from gyakusan.engines.mlx.settings import FORMATS as STORED
from gyakusan.engines.mlx.weights import parts
from gyakusan.engines.published import mlx_formats, named, original
from gyakusan.engines.smaller_cache import NO_SMALLER_CACHE
from gyakusan.errors import BadSetting, GyakusanError
from gyakusan.message import Message, say
from gyakusan.units import GIB

if TYPE_CHECKING:
    from gyakusan.catalog.artifacts import Artifact
    from gyakusan.catalog.models import ModelRecord
    from gyakusan.engines.mlx.log import Reported
    from gyakusan.engines.server import ServerModule

NAME = "MLX-LM"
KEY = ""
PREFIXES = ("mlx_",)
USUAL = True
STORAGE = "mlx"
MULTI_GPU: MultiGpu = "none"
MIXED_GPUS = False
SPEED_NAME = "mlx"
SMALLER_CACHE = NO_SMALLER_CACHE
OFFLOADS, REPLICATES = False, False
IMAGES: ImageInput = "never"
prefill_chunk = fixed_chunk(2048)
PORT = 8080
QUEUE = None
HEALTH = "/health"
cache_setting, cache_bytes = half_cache_setting, half_cache_bytes
weight_layout, usable, max_ranks = one_layout, device_usable, one_rank
occupied_bytes, coexisting_settings, coexisting_margin = account_bytes, no_changes, no_margin
embedding_settings, embedding_command = no_embedding_settings, same_command
spanning_settings, spanning_commands = no_spanning, one_command
worker_settings, worker_command = no_workers, no_worker_command
format_refusal, part_in_ram, replica_settings = no_format_refusal, no_part_in_ram, no_replicas
image_settings = no_image_settings
with_port, with_host, with_page = port_option, host_option, no_page
router = no_router
short_command, container = unchanged_command, no_container

__all__ = ["CAVEAT", "VERSION", "Settings", "accounts", "ledger", "load_memory", "memory_class"]

FORMATS = ("4bit", "5bit", "6bit", "8bit", "mxfp4", "nvfp4", "bf16")
BASES = {2: "Q2_K", 3: "Q3_K_M", 4: "Q4_K_M", 5: "Q5_K_M", 6: "Q6_K", 8: "Q8_0", 16: "F16"}
"""Bits of an MLX format -> the GGUF quantisation of as many bits."""
UNLIMITED = Machine("Mac", (Device("Mac", "unified", 4096 * GIB, "metal"),), None)
"""A Mac without limits."""


def settings(model: Model, load: Load, machine: Machine, **changes: Any) -> Settings:
    """The server's defaults for this load, weights as MLX's nearest format. Raises UnknownName for unknown fields."""
    check_fields(Settings, changes)
    here = {"weights": format_of(model.quantization), "nax": has_neural_accelerators(machine)}
    chosen = {"context": load.context, "users": load.users, **here, **changes}
    return Settings(**chosen)


def has_neural_accelerators(machine: Machine) -> bool:
    """Return True for a Mac of the M5 or a later generation. Source: mlx, is_nax_available."""
    found = re.search(r"\bM(\d+)\b", machine.gpus[0].name if machine.gpus else "")
    return found is not None and int(found[1]) >= 5


def refusals(model: Model, machine: Machine, settings: Settings) -> tuple[Message, ...]:
    """No Apple silicon, a GGUF file, an architecture without a file, a cache that cannot be quantised."""
    reasons = []
    if not any(g.backend == "metal" for g in machine.gpus):
        reasons.append(say("MLX-LM runs on Apple silicon only; {name} was given.", name=machine.name))
    if model.source.endswith(".gguf"):
        reasons.append(say("MLX-LM does not read GGUF files: take the model from Hugging Face, or an MLX conversion."))
    if model.graph.encoder:
        reasons.append(say("Encoder models are supported under llama.cpp only."))
    if model.architecture in families.LACKING or model.inferred:
        reasons.append(
            say(
                "MLX-LM {version} does not run {name}, or its memory cannot be computed.",
                version=VERSION,
                name=model.architecture,
            )
        )
    uneven = cache.uneven(model, settings) if settings.kv_bits is not None else None
    if uneven is not None:
        reasons.append(_no_bits(uneven, settings))
    return tuple(reasons)


def _no_bits(memory: Memory, s: Settings) -> Message:
    if isinstance(memory, Attention) and memory.window is None:
        return say(
            "MLX-LM cannot quantise this cache: the head width {width} is not a multiple of {group}.",
            width=memory.key_head,
            group=s.kv_group_size,
        )
    what = say("sliding-window layers") if getattr(memory, "window", None) is not None else say("latent attention")
    return say("MLX-LM cannot quantise the cache of {what}: leave out kv_bits.", what=what)


def compute_settings(machine: Machine, settings: Settings) -> ComputeSettings:
    """Return the step of the prefill; the cache is bf16 unless kv_bits says otherwise."""
    bits = 16 if settings.kv_bits is None else settings.kv_bits + 32 / settings.kv_group_size
    alone = settings.kv_bits is not None or bool(settings.draft_model)
    together = 1 if alone else settings.decode_concurrency
    return ComputeSettings(float(settings.prefill_step_size), cache_bytes=bits / 8, together=together)


def at_once(architecture: str) -> int:
    """Return the default of `decode_concurrency`; 1 where the caches of requests cannot be merged."""
    return 1 if architecture in families.CHUNKED else Settings.decode_concurrency


def cache_types(settings: Settings) -> tuple[str, str]:
    """Return the bits of keys and values where they are quantised."""
    kind = "f16" if settings.kv_bits is None else f"{settings.kv_bits}bit"
    return kind, kind


def machine_refusal(machine: Machine, system: System) -> Message | None:
    """Return why MLX-LM runs no model at all on a machine: it is no Mac with Apple silicon."""
    if machine.gpus and machine.gpus[0].backend == "metal":
        return None
    return say("MLX-LM runs on Apple silicon only; {name} was given.", name=machine.name)


def system_refusal(system: System, alone: bool) -> BadSetting | None:
    """Return why MLX-LM alone cannot be asked for under another system than macOS."""
    if not alone or system not in ("linux", "windows"):
        return None
    return BadSetting("MLX-LM runs on macOS only, and --os is {os}.", os=system, mend="Leave one of them out.")


def variants(model: Model, record: ModelRecord) -> Iterator[Variant]:
    """Return the formats of MLX that are planned with."""
    for form in mlx_formats(record):
        candidate = variant(form.name, model)
        if candidate is not None:
            yield structs.replace(candidate, published=form.artifact is not None or bool(record.weights))


def variant(name: str, model: Model) -> Variant | None:
    """Return the model in an MLX format, None if MLX-LM refuses it."""
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
    """Return the format of MLX that people call `name`; a GGUF quantisation stands for the nearest one."""
    plain = name.strip().casefold().replace("_", "-").removeprefix("mlx-").removesuffix("-dwq")
    plain = plain if plain in STORED else plain.replace("-", "").replace("fp16", "bf16").replace("bits", "bit")
    if plain in STORED:
        return Format(plain, BASES[STORED[plain].bits], {"weights": plain})
    return gguf_format(name)


def as_read(model: Model, settings: Settings) -> Model:
    """Return the model with its weights in the format of the settings, as a conversion holds them."""
    if model.stored is not None and model.stored.format == "mlx" and model.checkpoint is not None:
        return model
    form = settings.format
    if form.bits == 16:
        return replace(model, checkpoint=Checkpoint())
    return replace(model, checkpoint=Checkpoint(method="mlx", bits=form.bits, group=form.group, scale=form.scale))


def weight_bytes(model: Model) -> list[int]:
    """Return the weights of a variant; there is one layout [B]."""
    return [sum(p.bytes for p in parts(model, Settings(1024, weights=format_of(model.quantization))))]


def command(model: Model, machine: Machine, settings: Settings) -> Command:
    """`mlx_lm.server` with what differs from its defaults. The model: a directory or a repository that is an MLX conversion."""
    source = model.catalogue_name or model.source or model.name
    return Command(("mlx_lm.server", "--model", source, *launch.arguments(settings)))


def artifact(record: ModelRecord, name: str) -> Artifact | None:
    """Return the published conversion of a model in a format; the original stands for bf16."""
    found = next((a for a in published(record) if a.format == "mlx" and a.quantization == name), None)
    return found or named(mlx_formats(record), name)


def with_thinking(command: Command, architecture: str, mode: str, arguments: Mapping[str, object]) -> Command:
    """Return the command whose chat template gets the arguments. Source: MLX-LM 0.32.2, server.py, "--chat-template-args"."""
    if not arguments:
        return command
    return structs.replace(command, argv=(*command.argv, "--chat-template-args", json.dumps(arguments)))


def preparation(record: ModelRecord, name: str) -> tuple[str, ...]:
    """Return the command that converts the original. Experts that are MXFP4 stay so: then the rest is quantised."""
    form = STORED[format_of(name)]
    form = form if form.rest is None else STORED[form.rest]
    mode = () if form.scale == 4 else ("--q-mode", name.split("-")[0])
    bits = ("-q", "--q-bits", str(form.bits), "--q-group-size", str(form.group), *mode) if form.bits < 16 else ()
    argv = ("mlx_lm.convert", "--hf-path", original(record), "--mlx-path", _folder(record, name), *bits)
    return (shell_words(argv),)


def published_command(record: ModelRecord, model: Model, machine: Machine, settings: Settings, name: str) -> Command:
    """`mlx_lm.server` with a repository that holds this format, or with the folder that `preparation` makes."""
    found = artifact(record, settings.weights)
    source = found.repository if found is not None else _folder(record, settings.weights)
    return command(replace(model, source=source), machine, settings)


def _folder(record: ModelRecord, name: str) -> str:
    return f"./{record.name}-{name}"


def server() -> ServerModule[Settings, Reported]:
    """The module that starts mlx_lm.server."""
    from gyakusan.engines.mlx import server

    return cast("ServerModule[Settings, Reported]", server)


def read(lines: Iterable[str]) -> Reported:
    """What the server printed of its prompt cache."""
    from gyakusan.engines.mlx import log  # its patterns cost 10 ms

    return log.read(lines)
