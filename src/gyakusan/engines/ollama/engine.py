"""The face of Ollama: see engines/base.py. Bytes come from engines/llamacpp under Ollama's settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from msgspec import structs

from gyakusan.core.broadcast import is_array, minimum
from gyakusan.core.ledger import Account, Engine, Ledger, Line
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.model import Model
from gyakusan.engines.base import CacheType, Command, ComputeSettings, Container, ImageInput, LoadMemory, MultiGpu
from gyakusan.engines.defaults import (
    GGUF_FORMATS,
    account_bytes,
    all_at_once,
    check_fields,
    device_class,
    device_usable,
    first_device,
    fixed_chunk,
    gguf_format,
    gguf_layout,
    gguf_variant,
    gguf_variants,
    ledger_memory,
    no_changes,
    no_embedding_settings,
    no_format_refusal,
    no_machine_refusal,
    no_margin,
    no_page,
    no_part_in_ram,
    no_replicas,
    no_router,
    no_spanning,
    no_system_refusal,
    no_worker_command,
    no_workers,
    one_command,
    one_rank,
    same_command,
    tensors_as_read,
    thinking_by_request,
)
from gyakusan.engines.llamacpp import engine as llamacpp
from gyakusan.engines.ollama.settings import (
    ALONE,
    VERSION,
    Settings,
    allowed,
    batch,
    check,
    default_context,
    placed,
)
from gyakusan.engines.published import gguf_artifact, gguf_file, gguf_preparation
from gyakusan.engines.smaller_cache import Q8_0
from gyakusan.errors import BadSetting, GyakusanError
from gyakusan.message import Message, say
from gyakusan.units import MIB, format_bytes

if TYPE_CHECKING:
    from gyakusan.catalog.artifacts import Artifact
    from gyakusan.catalog.models import ModelRecord
    from gyakusan.engines.llamacpp.log import Reported
    from gyakusan.engines.ollama.server import Loaded
    from gyakusan.engines.server import ServerModule

NAME = "Ollama"
KEY = ""
CAVEAT: Message | None = None
PREFIXES = ("ollama_",)
USUAL = False
"""It runs llama.cpp and keeps 1 GiB more free, so that it is planned with only where it is asked for."""
STORAGE = "gguf"
MULTI_GPU: MultiGpu = "layers"
MIXED_GPUS = False
SPEED_NAME = "ollama"
SMALLER_CACHE = Q8_0
OFFLOADS, REPLICATES = False, False
IMAGES: ImageInput = "always"
prefill_chunk = fixed_chunk(512)
PORT = 11434
QUEUE = None
FORMATS = GGUF_FORMATS
HEALTH = "/api/version"
preparation = gguf_preparation
variants, variant, weight_layout, weight_bytes = gguf_variants, gguf_variant, gguf_layout, llamacpp.weight_bytes
named_format, as_read = gguf_format, tensors_as_read
system_refusal, machine_refusal, format_refusal = no_system_refusal, no_machine_refusal, no_format_refusal
part_in_ram, replica_settings, image_settings = no_part_in_ram, no_replicas, llamacpp.image_settings
usable, max_ranks, memory_class, cache_bytes = device_usable, one_rank, device_class, llamacpp.cache_bytes
occupied_bytes, coexisting_settings, coexisting_margin = account_bytes, no_changes, no_margin
embedding_settings, embedding_command = no_embedding_settings, same_command
with_page, with_thinking = no_page, thinking_by_request
router, at_once = no_router, all_at_once
spanning_settings, spanning_commands = no_spanning, one_command
worker_settings, worker_command = no_workers, no_worker_command

__all__ = ["VERSION", "Settings"]


def settings(model: Model, load: Load, machine: Machine, **changes: Any) -> Settings:
    """Ollama's defaults, its context and its parallel requests set to the load. Raises UnknownName for unknown fields."""
    check_fields(Settings, changes)
    trained = model.trained_context
    context = minimum(load.context, trained) if trained else load.context
    backend = "cuda" if machine.gpus else "cpu"
    usual = {"context_length": context, "num_parallel": load.users, "backend": backend}
    chosen = Settings(**{**usual, **changes})
    if alone(model):
        chosen = replace(chosen, num_parallel=1)
    if "num_batch" not in changes:
        chosen = _with_batch(model, machine, chosen)
    return chosen if "split" in changes else replace(chosen, split=_is_split(model, machine, chosen))


def _with_batch(model: Model, machine: Machine, chosen: Settings) -> Settings:
    tokens = chosen.context_length * chosen.num_parallel
    return replace(chosen, num_batch=batch(model, machine, tokens, chosen.flash_attention != "off", chosen.kv_heads))


def _is_split(model: Model, machine: Machine, s: Settings) -> bool:
    """Return True if the GPUs are short, so that llama.cpp's --fit leaves a part in RAM. Arrays, unknown memory: False."""
    unknown = any(g.usable is None or g.kind == "unified" for g in machine.gpus)
    if not machine.gpus or s.backend == "cpu" or unknown or is_array(s.context_length, s.num_parallel, s.num_batch):
        return False
    try:
        charged = accounts(model, Load(s.num_parallel, s.context_length), machine, s)
    except GyakusanError:
        return False
    return not all(bool(a.fits) for a in charged if a.device.kind == "gpu")


def alone(model: Model) -> bool:
    """True for an architecture that Ollama serves one request at a time."""
    return model.architecture.replace("-", "_") in ALONE


def refusals(model: Model, machine: Machine, settings: Settings) -> tuple[Message, ...]:
    """Models that it cannot take in, and GPUs that it drops."""
    reasons = []
    if model.source.endswith(".safetensors") or model.quantization.lower().endswith("bit"):
        reasons.append(say("Ollama's llama.cpp runner reads GGUF files; {name} is not one.", name=model.name))
    if settings.backend != "cpu":
        reasons += [_dropped(g.name) for g in machine.gpus if not allowed(g, settings)]
    return tuple(reasons)


def _dropped(name: str) -> Message:
    return say("Ollama uses the integrated GPU {name} only with OLLAMA_IGPU_ENABLE=1.", name=name)


def ledger(model: Model, load: Load, machine: Machine, settings: Settings) -> Ledger:
    """Return llama.cpp's bytes under Ollama's settings, and what --fit keeps free. Raises BadSetting."""
    chosen = check(settings)
    where, inner, its = _server(model, machine, chosen)
    priced = llamacpp.ledger(model, inner, where, its)
    notes = (*_notes(model, load, machine, where, chosen), *priced.notes)
    charged = tuple(_with_margin(a, chosen) for a in priced.accounts)
    return Ledger(model, Engine(NAME, chosen.version), asdict(chosen), load, charged, notes)


def accounts(model: Model, load: Load, machine: Machine, settings: Settings) -> tuple[Account, ...]:
    """Return the accounts of the ledger alone. Raises BadSetting."""
    where, inner, its = _server(model, machine, check(settings))
    return tuple(_with_margin(a, settings) for a in llamacpp.accounts(model, inner, where, its))


def _server(model: Model, machine: Machine, s: Settings) -> tuple[Machine, Load, llamacpp.Settings]:
    """Return the GPUs, the load and the settings of the llama-server that Ollama starts."""
    where, load = placed(model, machine, s), Load(s.num_parallel, s.context_length)
    return where, load, base(model, load, where, s)


def cache_types(settings: Settings) -> tuple[str, str]:
    """Return the one element type of keys and values."""
    kind = settings.kv_cache_type.lower()
    return kind, kind


def cache_setting(kind: CacheType) -> dict[str, object]:
    """Return the change that gives the cache this type."""
    return {} if kind.upper() == "F16" else {"kv_cache_type": kind.lower()}


def compute_settings(machine: Machine, settings: Settings) -> ComputeSettings:
    """Return the settings of the llama-server that Ollama starts, as far as time depends on them."""
    return ComputeSettings(
        prefill_chunk=prefill_chunk(machine),
        cache_bytes=llamacpp.cache_bytes(settings.kv_cache_type),
        together=int(settings.num_parallel),
        stages=1,  # it fills one GPU before it takes the next; a model that is spread is timed as on one
        on_cpu=settings.backend == "cpu",
        part_in_ram=settings.split,
        slots=int(settings.num_parallel),
    )


def load_memory(
    models: Iterable[Model], load: Load, machine: Machine, kind: CacheType, ranks: int
) -> Iterator[LoadMemory | None]:
    """Yield what the ledger has on one GPU or the CPU without the weights; None if refused."""
    one, changes = first_device(machine), cache_setting(kind)
    for model in models:
        try:
            yield ledger_memory(ledger(model, load, one, settings(model, load, one, split=False, **changes)))
        except BadSetting:
            yield None


def base(model: Model, load: Load, machine: Machine, s: Settings) -> llamacpp.Settings:
    """The settings of the llama-server that Ollama starts: separate caches, one batch size. appendBatchArgs.

    A quantised cache without flash attention is refused there too.
    """
    kind = s.kv_cache_type.upper()
    changes: dict[str, Any] = {
        "unified": False,
        "batch": s.num_batch,
        "ubatch": s.num_batch,
        "flash_attention": s.flash_attention,
        "key_type": kind,
        "value_type": kind,
        "projector_bytes": s.projector_bytes,
        "build": s.build,
        "mtp": s.mtp,
        "fit": s.split,
        "fit_target": s.fit_target,
        "cache_ram": llamacpp.Settings.cache_ram,  # nobody can tell Ollama another one
        "ctx_checkpoints": llamacpp.Settings.ctx_checkpoints,
    }
    if s.backend == "cpu":
        changes["backend"] = "cpu"
    return llamacpp.settings(model, load, machine, **changes)


def _with_margin(account: Account, s: Settings) -> Account:
    if account.device.kind == "host" or not s.fit_target:
        return account
    reason = say("kept free by llama.cpp's --fit")
    formula = f"LLAMA_ARG_FIT_TARGET = {s.fit_target // MIB} MiB"
    size = s.fit_target
    if s.split and account.device.usable is not None:
        # the layers were chosen so that this much is left, or what there is where the others take their most: no more is sure
        size = max(0, min(size, account.device.usable - int(account.high) - 1))
    margin = Line("overhead.margin", size, "derived", reason, formula, low=0, high=size)
    return structs.replace(account, lines=(*account.lines, margin))


def _notes(model: Model, load: Load, machine: Machine, used: Machine, s: Settings) -> tuple[Message, ...]:
    """What Ollama does otherwise than asked. Arrays: nothing."""
    if is_array(load.users, load.context):
        return ()
    notes = []
    own = default_context(machine, s.gpu_overhead)
    own = min(own, model.trained_context or own)
    if own != s.context_length:
        notes.append(
            say(
                "Ollama's default context on this machine is {own} tokens; OLLAMA_CONTEXT_LENGTH changes it.",
                own=f"{own:,}",
            )
        )
    if s.context_length < load.context:
        notes.append(say("Ollama cuts the context to the model's trained {n} tokens.", n=f"{s.context_length:,}"))
    if s.num_parallel < load.users:
        notes.append(
            say("{n} of {users} users are served at a time; the others wait.", n=s.num_parallel, users=load.users)
        )
    if used is not machine:
        notes.append(say("Ollama puts the model on one GPU: its estimate fits there."))
    if s.split:
        notes.append(say("The GPU memory is short: Ollama leaves a part in RAM, which is slower."))
    if s.gpu_overhead:
        overhead = format_bytes(s.gpu_overhead)
        notes.append(say("OLLAMA_GPU_OVERHEAD {kept} only lowers the default context.", kept=overhead))
    if not s.mtp and any(".nextn." in t.name for t in model.tensors):
        notes.append(
            say(
                "Ollama uses the file's prediction blocks (MTP) for speculative decoding; mtp=true counts their memory."
            )
        )
    return tuple(notes)


USUAL_VARIABLES = {"OLLAMA_KV_CACHE_TYPE": "f16", "OLLAMA_KEEP_ALIVE": "5m", "OLLAMA_NUM_PARALLEL": "1"}
"""Variables with Ollama's own defaults. Source: Ollama, envconfig/config.go."""


def command(model: Model, machine: Machine, settings: Settings) -> Command:
    """`ollama serve` with its variables. The model is made or pulled besides: see `client`."""
    env = {
        "OLLAMA_CONTEXT_LENGTH": str(settings.context_length),
        "OLLAMA_NUM_PARALLEL": str(settings.num_parallel),
        "OLLAMA_KV_CACHE_TYPE": settings.kv_cache_type,
        "OLLAMA_KEEP_ALIVE": settings.keep_alive,
        "OLLAMA_MAX_LOADED_MODELS": str(settings.max_loaded_models or 1),
    }
    if settings.flash_attention != "auto":
        env["OLLAMA_FLASH_ATTENTION"] = "1" if settings.flash_attention == "on" else "0"
    if settings.igpu_enable != "auto":
        env["OLLAMA_IGPU_ENABLE"] = "1" if settings.igpu_enable == "on" else "0"
    if settings.gpu_overhead:
        env["OLLAMA_GPU_OVERHEAD"] = str(settings.gpu_overhead)
    if settings.sched_spread:
        env["OLLAMA_SCHED_SPREAD"] = "1"
    if settings.backend == "cpu":
        env |= {"CUDA_VISIBLE_DEVICES": "-1", "ROCR_VISIBLE_DEVICES": "-1", "GGML_VK_VISIBLE_DEVICES": "-1"}
    tag = f"hf.co/{model.source.removeprefix('hf:')}" if model.source.startswith("hf:") else ""
    then = (("ollama", "pull", tag), ("ollama", "run", tag)) if tag else ()
    return Command(("ollama", "serve"), MappingProxyType(env), then)


def artifact(record: ModelRecord, name: str) -> Artifact | None:
    """Return the tag of Ollama's library that holds a format of a model, else a GGUF file of the hub, which it pulls, too.

    Source: huggingface.co/docs/hub/ollama: `ollama run hf.co/OWNER/NAME:TAG`, files in one part only.
    """
    from gyakusan.catalog.artifacts import artifacts

    for tag in (a for a in artifacts(record.name) if a.format == "ollama"):
        if (tag.quantization or _library_quantization(tag.repository)) == name:
            return tag
    found = gguf_artifact(record, name)
    return None if found is None or len(found.files) > 1 or any("-of-" in f for f in found.files) else found


def _library_quantization(tag: str) -> str:
    """Return the quantisation of a tag of the library, "" if it is not known."""
    from gyakusan.catalog import tags
    from gyakusan.errors import UnknownName

    try:
        found = tags.find(tag)
    except UnknownName:
        return ""
    return "" if found is None else found.quantization


def published_command(record: ModelRecord, model: Model, machine: Machine, settings: Settings, name: str) -> Command:
    """`ollama serve`, then the client fetches the model, or makes it of the file that `preparation` makes."""
    found, made = artifact(record, name), command(model, machine, settings)
    if found is None:
        make = ("sh", "-c", f"echo FROM ./{gguf_file(record, name)} | ollama create {record.name} -f -")
        return structs.replace(made, then=(make, ("ollama", "run", record.name)))
    tag = found.repository if found.format == "ollama" else f"hf.co/{found.reference}"
    return structs.replace(made, then=(("ollama", "pull", tag), ("ollama", "run", tag)))


def with_port(command: Command, port: int) -> Command:
    """Return the command with another port, which Ollama reads from OLLAMA_HOST."""
    return structs.replace(command, environment={**command.environment, "OLLAMA_HOST": f"127.0.0.1:{port}"})


def with_host(command: Command, host: str) -> Command:
    """Return the command with another address, which Ollama reads from OLLAMA_HOST."""
    port = command.environment.get("OLLAMA_HOST", ":11434").rpartition(":")[2]
    return structs.replace(command, environment={**command.environment, "OLLAMA_HOST": f"{host}:{port}"})


def short_command(command: Command, machine: Machine) -> Command:
    """Return the command without variables that have Ollama's own defaults."""
    kept = {k: v for k, v in command.environment.items() if USUAL_VARIABLES.get(k) != v}
    return structs.replace(command, environment=MappingProxyType(kept))


def container(machine: Machine) -> Container | None:
    """Return Ollama's image; none reaches the GPU of a Mac. Source: Ollama, docs/docker.md."""
    backend = machine.gpus[0].backend if machine.gpus else "cpu"
    program, folder = ("ollama",), "/root/.ollama"
    if backend == "rocm":
        return Container("ollama/ollama:rocm", program, folder, ("/dev/kfd", "/dev/dri"))
    return Container("ollama/ollama", program, folder, nvidia=backend == "cuda") if backend in ("cuda", "cpu") else None


def server() -> ServerModule[Settings, Loaded]:
    """The module that loads a model into a running Ollama."""
    from gyakusan.engines.ollama import server

    return cast("ServerModule[Settings, Loaded]", server)


def read(lines: Iterable[str]) -> Reported:
    """What `ollama serve` printed: llama-server's lines pass through it [B]."""
    from gyakusan.engines.llamacpp import log  # its patterns cost 10 ms

    return log.read(lines)
