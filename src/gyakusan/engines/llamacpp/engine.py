"""llama.cpp as the rest of the program sees it: the functions of engines/base.py."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from msgspec import structs

from gyakusan.core.broadcast import is_array
from gyakusan.core.dtypes import dtype
from gyakusan.core.load import Load
from gyakusan.core.machine import Device, Machine
from gyakusan.core.model import Experts, Model
from gyakusan.engines.base import CacheType, Command, ComputeSettings, Container, ImageInput, MultiGpu, PartiallyInRam
from gyakusan.engines.container import QueueMetric
from gyakusan.engines.defaults import (
    GGUF_FORMATS,
    WEIGHT_LAYOUTS,
    account_bytes,
    all_at_once,
    check_fields,
    device_usable,
    fixed_chunk,
    gguf_format,
    gguf_layout,
    gguf_variant,
    gguf_variants,
    host_option,
    no_changes,
    no_format_refusal,
    no_machine_refusal,
    no_margin,
    no_replicas,
    no_spanning,
    no_system_refusal,
    one_command,
    one_rank,
    port_option,
    tensors_as_read,
)
from gyakusan.engines.llamacpp import backends
from gyakusan.engines.llamacpp.launch import HEALTH
from gyakusan.engines.llamacpp.ledger import accounts, has_extras, ledger, with_prediction
from gyakusan.engines.llamacpp.load_memory import cache_setting, load_memory, memory_class
from gyakusan.engines.llamacpp.ram_limits import within_ram
from gyakusan.engines.llamacpp.settings import VERSION, Settings, for_load
from gyakusan.engines.published import gguf_artifact, gguf_file, gguf_preparation
from gyakusan.engines.smaller_cache import Q8_0
from gyakusan.message import Message
from gyakusan.units import GIB

if TYPE_CHECKING:
    from gyakusan.catalog.models import ModelRecord
    from gyakusan.engines.llamacpp.log import Reported
    from gyakusan.engines.router import RouterModule
    from gyakusan.engines.server import ServerModule

NAME = "llama.cpp"
KEY = "LLAMA_API_KEY"
CAVEAT: Message | None = None
PREFIXES: tuple[str, ...] = ()
USUAL = True
STORAGE = "gguf"
MULTI_GPU: MultiGpu = "layers"
MIXED_GPUS = True
SPEED_NAME = "llama.cpp"
SMALLER_CACHE = Q8_0
OFFLOADS, REPLICATES = True, False
IMAGES: ImageInput = "optional"
prefill_chunk = fixed_chunk(512)
PORT = 8080
QUEUE = QueueMetric("llamacpp:requests_deferred", ("--metrics",))
"""Source: llama.cpp b11434, tools/server/README.md, "GET /metrics"."""
FORMATS = GGUF_FORMATS

PLACING = frozenset(("gpu_layers", "tensor_split", "n_cpu_moe", "n_cpu_ffn", "overrides", "main_gpu"))
"""Settings by which a person places a model: where one is given, nothing is balanced."""

variants, variant, weight_layout = gguf_variants, gguf_variant, gguf_layout
named_format, as_read = gguf_format, tensors_as_read
artifact, preparation = gguf_artifact, gguf_preparation
system_refusal, machine_refusal, format_refusal = no_system_refusal, no_machine_refusal, no_format_refusal
replica_settings = no_replicas
usable, max_ranks, at_once = device_usable, one_rank, all_at_once
occupied_bytes, coexisting_settings, coexisting_margin = account_bytes, no_changes, no_margin
spanning_settings, spanning_commands = no_spanning, one_command
with_port, with_host = port_option, host_option

__all__ = ["HEALTH", "VERSION", "Settings", "accounts", "cache_setting", "ledger", "load_memory", "memory_class"]


def embedding_settings(load: Load) -> dict[str, object]:
    """Return batch sizes with which a whole input is computed at once, as pooling needs it [tokens]."""
    return {"batch": max(2048, int(load.context)), "ubatch": max(512, int(load.context))}


def embedding_command(command: Command, pooling: str) -> Command:
    """Return the command of llama-server with --embedding and the pooling of the model."""
    return structs.replace(command, argv=(*command.argv, "--embedding", "--pooling", pooling))


def settings(model: Model, load: Load, machine: Machine, **changes: Any) -> Settings:
    """Return settings that give each user the whole context, with everything on the GPUs if there are any.

    fit=True puts as much on the GPUs as they hold, the rest stays in RAM. Over several GPUs the blocks are shared out by
    free memory, or, where that is too much for one of them, balanced by bytes; tensor_split says what was chosen.
    What the server keeps in RAM as it is used has lower limits than its own where the RAM does not hold those.
    Raises UnknownName for an unknown field.
    """
    check_fields(Settings, changes)
    model = with_prediction(model, replace(Settings(1), mtp=bool(changes.get("mtp"))))
    backend = "cuda" if machine.gpus else "cpu"
    layers: dict[str, Any] = {"split_mode": "layer"} if len(machine.gpus) > 1 else {}
    here: dict[str, Any] = {"backend": backend, "simd": machine.simd, "driver": backends.backend_of(machine)}
    chosen = replace(for_load(load), **{**here, **layers, **changes})
    if model.stored and model.stored.extras:
        from gyakusan.engines.llamacpp.extras import projector_lora

        chosen = projector_lora.default_projector(model, chosen)
    placed = chosen if chosen.backend == "cpu" or not machine.gpus else _placed(model, machine, chosen, changes)
    return within_ram(model, load, machine, placed, changes)


def _placed(model: Model, machine: Machine, chosen: Settings, changes: dict[str, Any]) -> Settings:
    """Return `chosen` with the best placement if `fit` is set, and with the split in units."""
    if chosen.split_mode == "none" and not chosen.fit:
        return chosen
    from gyakusan.engines.llamacpp.multi_gpu.fit import balanced, fit
    from gyakusan.engines.llamacpp.placement.layer_assignment import place

    sizes = _free_for_model(model, machine, chosen)
    countable = not is_array(chosen.context, chosen.slots, chosen.batch, chosen.ubatch)
    if chosen.fit and countable and machine.gpus[0].usable is not None:
        chosen = fit(model, chosen, sizes, chosen.fit_target)
    elif chosen.split_mode == "layer" and not PLACING & changes.keys() and countable:
        chosen = balanced(model, chosen, sizes)
    if chosen.split_mode == "none" or chosen.tensor_split:
        return chosen
    counts = place(model.blocks, chosen, sizes).counts()
    return replace(chosen, tensor_split=tuple(float(c) for c in counts)) if any(counts) else chosen


def _free_for_model(model: Model, machine: Machine, chosen: Settings) -> tuple[int, ...]:
    """Return what the model itself may take of each GPU: projector, adapters and draft are deducted first [B]."""
    from gyakusan.engines.llamacpp.multi_gpu.ledger import free_memory

    sizes = free_memory(machine.gpus)
    bare = replace(chosen, projector=None, projector_bytes=0, lora=(), draft="", mtp=False)
    countable = not is_array(chosen.context, chosen.slots, chosen.ubatch)
    if not has_extras(model, chosen) or not countable or machine.gpus[0].usable is None:
        return sizes
    load = Load(int(chosen.slots), int(chosen.context))
    both = (accounts(model, load, machine, replace(s, fit=False)) for s in (chosen, bare))
    return tuple(max(1, f - int(a.high - b.high)) for f, a, b in zip(sizes, *both, strict=False))


def refusals(model: Model, machine: Machine, settings: Settings) -> tuple[Message, ...]:
    """Return nothing: llama.cpp runs everywhere, and what it cannot load is refused when the model is read."""
    return ()


def weight_bytes(model: Model) -> list[int]:
    """Return the weights on one device in each of WEIGHT_LAYOUTS, as the ledger has them [B]."""
    return [_stored_in(model, kind, backend) for kind, backend in WEIGHT_LAYOUTS]


def _stored_in(model: Model, kind: str, backend: str) -> int:
    """Return the weights on a device without limits. [B] backend: of a GPU, or the vector units of a CPU."""
    size = 4096 * GIB
    if kind == "cpu":
        machine = Machine("CPU", (), Device("CPU", "host", size, "cpu"), simd=cast(Any, backend))
    else:
        gpu = Device("GPU", cast(Any, kind), size, cast(Any, backend))
        machine = Machine("GPU", (gpu,), Device("CPU", "host", None, "cpu") if kind == "gpu" else None)
    load = Load(1, 256)
    return int(accounts(model, load, machine, settings(model, load, machine))[0].of("weights"))


def part_in_ram(model: Model, load: Load, machine: Machine, changes: Mapping[str, object]) -> PartiallyInRam | None:
    """Return the fewest blocks of experts, or of a dense model the fewest blocks, that have to be in RAM.

    Blocks count from the first, so that on several GPUs the rest is shared out by bytes (tensor_split).
    """
    gpus = machine.gpus
    if not gpus or any(g.kind != "gpu" or g.usable is None for g in gpus):
        return None
    routed = any(isinstance(f, Experts) for f in model.feed_forward)

    def with_blocks(count: int) -> dict[str, object]:
        moved: dict[str, object] = {"n_cpu_moe": count} if routed else {"gpu_layers": model.blocks + 1 - count}
        chosen = settings(model, load, machine, **{**changes, **moved})
        if len(gpus) == 1 or not routed:
            return moved
        from gyakusan.engines.llamacpp.multi_gpu.fit import balanced

        free = _free_for_model(model, machine, chosen)
        shares = balanced(model, replace(chosen, tensor_split=()), free).tensor_split
        return {**moved, "tensor_split": shares} if shares else moved

    def fits(count: int) -> bool:
        chosen = settings(model, load, machine, **{**changes, **with_blocks(count)})
        charged = accounts(model, load, machine, chosen)
        return all(bool(a.high <= (a.device.usable or 0)) for a in charged[: len(gpus)]) and all(
            bool(a.fits) for a in charged[len(gpus) :]
        )

    count = bisect_left(range(1, model.blocks + 1), True, key=fits) + 1
    if count > model.blocks:
        return None
    return PartiallyInRam("experts" if routed else "layers", count, with_blocks(count))


def cache_types(settings: Settings) -> tuple[str, str]:
    """Return the element types of keys and of values in lower case."""
    keys, values = settings.cache_types
    return keys.lower(), values.lower()


def cache_bytes(kind: CacheType) -> float:
    """Return the bytes as which one cached value is read: of a quantised cache those of f16.

    Nobody measured a quantised cache to be faster: 81.8 tokens/s with f16 and 76.4 with q8_0 at 8k on one GPU, nearly
    identical on a Radeon, twice the time of each cached token for several users (speed_many of 2026-10) [B].
    """
    return max(2.0, dtype(kind.upper()).bits / 8)


def compute_settings(machine: Machine, settings: Settings) -> ComputeSettings:
    """Return the physical batch, the keys' bytes, the GPUs that hold some layers each, and what is left in RAM."""
    return ComputeSettings(
        prefill_chunk=float(settings.ubatch),
        cache_bytes=(cache_bytes(settings.key_type) + cache_bytes(settings.value_type)) / 2,
        stages=len(machine.gpus) if settings.split_mode == "layer" else 1,
        on_cpu=settings.backend == "cpu",
        experts_in_ram=bool(settings.n_cpu_moe),
        part_in_ram=settings.backend != "cpu" and (settings.gpu_layers >= 0 or settings.overridden),
        drafts=settings.draft_tokens if settings.mtp or settings.draft else 0,
        driver=settings.driver,
        slots=int(settings.streams),
        kept=int(settings.kept) if settings.unified else None,
    )


def worker_settings(addresses: Sequence[str], machine: Machine) -> dict[str, object]:
    """Return --rpc, and the backend of the first GPU; CPUs alone round tensors up as Vulkan does, or less.

    Source: llama.cpp b11434, src/llama.cpp (llama_prepare_model_devices): devices of workers come first, then the own GPUs.
    """
    driven = next((g.backend for g in machine.gpus if g.backend in backends.GPU_BACKENDS), "vulkan")
    return {"rpc": tuple(addresses), "driver": driven}


def worker_command(machine: Machine, port: int) -> Command:
    """Return ggml-rpc-server, which lends every GPU of its computer, or without one its CPU with every core.

    Source: llama.cpp b11434, tools/rpc/rpc-server.cpp. The protocol is not secure: it listens on loopback.
    """
    from gyakusan.engines.llamacpp.rpc_worker import start_line

    words = start_line(port).split()
    threads = () if machine.gpus or not machine.cores else ("--threads", str(machine.cores))
    return Command((*words, *threads))


def command(model: Model, machine: Machine, settings: Settings) -> Command:
    """Return the command of llama-server with exactly these settings, without the verbosity that only `serve` reads."""
    from gyakusan.engines.llamacpp import launch

    if model.source.startswith("hf:"):
        return _fetching(model, settings)
    words = launch.arguments(model.source or f"{model.name}.gguf", settings, port=8080)
    return Command((launch.PROGRAM, *launch.without_log(words)))


def _fetching(model: Model, settings: Settings) -> Command:
    """Return the command that fetches a model and, where images are read, the projector beside it."""
    from gyakusan.engines.llamacpp import launch

    words = launch.arguments("model.gguf", replace(settings, projector=""), port=8080)
    words = tuple(w for w in launch.without_log(words) if w != "--offline")
    at = words.index("--model")
    offered = model.stored is not None and any(e.kind == "projector" for e in model.stored.extras)
    more = ("--no-mmproj",) if offered and not settings.projector else ()
    return Command((launch.PROGRAM, *words[:at], "-hf", model.source.removeprefix("hf:"), *words[at + 2 :], *more))


def published_command(record: ModelRecord, model: Model, machine: Machine, settings: Settings, name: str) -> Command:
    """Return the command with `-hf REPOSITORY:TAG`, or with the file that `preparation` makes."""
    from gyakusan.catalog.projectors import reads_images

    argv, found = command(model, machine, settings).argv, artifact(record, name)
    source = ("-hf", found.reference) if found is not None else ("--model", gguf_file(record, name))
    if found is not None:
        argv = tuple(a for a in argv if a != "--offline")
    at = argv.index("--model")
    plain = not settings.projector and not settings.projector_bytes and reads_images(record)
    return Command((*argv[:at], *source, *argv[at + 2 :], *(("--no-mmproj",) if plain else ())))


def image_settings(projector_bytes: int) -> dict[str, object]:
    """Return the size of the projector that -hf fetches with a file."""
    return {"projector_bytes": projector_bytes}


def short_command(command: Command, machine: Machine) -> Command:
    """Return the command without llama-server's own defaults. `--fit off` and what places a model stay."""
    from gyakusan.engines.llamacpp import launch

    return structs.replace(command, argv=launch.short(command.argv, one_gpu=len(machine.gpus) == 1))


def with_thinking(command: Command, architecture: str, mode: str, arguments: Mapping[str, object]) -> Command:
    """Return the command with thinking off, or with an effort; a template that can think does so unless told otherwise.

    Source: llama.cpp b11434, common/arg.cpp, "--reasoning" (auto: as the template can) and "--chat-template-kwargs".
    """
    from gyakusan.engines.llamacpp import launch

    return structs.replace(command, argv=launch.thinking(command.argv, mode, arguments))


def with_page(command: Command, shown: bool) -> Command:
    """Return the command with llama-server's chat page, which is its default, or without it."""
    argv = tuple(a for a in command.argv if a != "--no-ui")
    return structs.replace(command, argv=argv if shown else (*argv, "--no-ui"))


def container(machine: Machine) -> Container | None:
    """Return llama.cpp's image for the machine's backend; none reaches the GPU of a Mac."""
    from gyakusan.engines.llamacpp import launch

    return launch.container(backends.backend_of(machine), bool(machine.gpus))


def server() -> ServerModule[Settings, Reported]:
    """The module that starts llama-server, or the server in the xllamacpp wheel."""
    from gyakusan.engines.llamacpp import server

    return cast("ServerModule[Settings, Reported]", server)


def router() -> RouterModule:
    """The module that starts llama-server's router."""
    from gyakusan.engines.llamacpp import router

    return cast("RouterModule", router)


def read(lines: Iterable[str]) -> Reported:
    """Return the buffers that the server printed."""
    from gyakusan.engines.llamacpp import log

    return log.read(lines)
