"""Buffers of llama.cpp, charged to the devices of a machine."""

from __future__ import annotations

from dataclasses import asdict

from msgspec import structs

from gyakusan.core.ledger import Account, Engine, Ledger, Line
from gyakusan.core.load import Load
from gyakusan.core.machine import UNKNOWN_HOST, Machine
from gyakusan.core.model import Model
from gyakusan.engines.llamacpp import builds, ledger_lines
from gyakusan.engines.llamacpp.buffers import cpu_repack, flash_kernels, kv_cache, server_memory
from gyakusan.engines.llamacpp.buffers.weights import read_lazily, weights
from gyakusan.engines.llamacpp.compute_buffer.one_device import ComputeBuffers, compute_buffer
from gyakusan.engines.llamacpp.settings import VERSION, Settings, check
from gyakusan.errors import BadSetting
from gyakusan.message import Message, say
from gyakusan.units import format_bytes


def ledger(model: Model, load: Load, machine: Machine, settings: Settings) -> Ledger:
    """Return the bytes by device and part. Raises BadSetting for what llama.cpp refuses.

    Source: llama.cpp b11434; each line's function names its own.
    """
    model = with_prediction(model, settings)
    charged, notes = accounts(model, load, machine, settings), _notes(model, settings, machine)
    return Ledger(model, Engine("llama.cpp", version_of(settings)), asdict(settings), load, charged, notes)


def accounts(model: Model, load: Load, machine: Machine, settings: Settings) -> tuple[Account, ...]:
    """Return the accounts of the ledger alone. Raises BadSetting for what llama.cpp refuses."""
    model = with_prediction(model, settings)
    of_model = _accounts(model, check(settings), machine)
    return _with_extras(model, settings, machine, of_model) if has_extras(model, settings) else of_model


def with_prediction(model: Model, settings: Settings) -> Model:
    """Return the model of the file that has prediction blocks, where they draft and a record of the catalogue lacks them."""
    if not settings.mtp or not model.catalogue_name:
        return model
    from gyakusan.models.prediction import with_blocks

    return with_blocks(model) or model


def has_extras(model: Model, settings: Settings) -> bool:
    """Return True if something is loaded besides the model. The modules that price it are imported only then."""
    given = settings.projector or settings.projector_bytes or settings.lora or settings.draft or settings.mtp
    return bool(given or (model.stored and model.stored.extras))


def _with_extras(
    model: Model, settings: Settings, machine: Machine, accounts: tuple[Account, ...]
) -> tuple[Account, ...]:
    """Return the accounts with projector, adapters, prediction blocks and draft model."""
    from gyakusan.engines.llamacpp.extras import projector_lora, speculative_decoding

    accounts = projector_lora.with_extras(model, settings, machine, accounts)
    accounts = projector_lora.append_lines(
        accounts,
        (
            *speculative_decoding.prediction_block_lines(model, settings, machine),
            *speculative_decoding.drafted_logits(model, settings),
        ),
    )
    if settings.draft:
        draft, its_settings = speculative_decoding.draft_model(model, settings)
        accounts = speculative_decoding.with_draft(accounts, _accounts(draft, its_settings, machine), draft.name)
    return accounts


def _accounts(model: Model, settings: Settings, machine: Machine) -> tuple[Account, ...]:
    """Return one account for each device, for one model."""
    if settings.backend == "cpu":
        host = machine.host or (machine.gpus[0] if machine.gpus else UNKNOWN_HOST)
        return (Account(host, _cpu_lines(model, settings)),)
    if not machine.gpus:
        raise BadSetting("{name} has no GPU.", name=machine.name, mend="Name one with --device, or use the CPU.")
    if len(settings.rpc) > len(machine.gpus):
        raise BadSetting(
            "There are {n} RPC workers, but {name} has {gpus} GPUs.", n=len(settings.rpc), name=machine.name,
            gpus=len(machine.gpus), mend="Name a machine with a GPU for each worker, the workers' GPUs first.",
        )  # fmt: skip
    if len(machine.gpus) > 1 or not settings.on_one_device:
        from gyakusan.engines.llamacpp.multi_gpu import ledger as multi_gpu_ledger

        return multi_gpu_ledger.accounts(model, settings, machine, machine.host or UNKNOWN_HOST)
    return _one_gpu_accounts(model, settings, machine)


def _one_gpu_accounts(model: Model, settings: Settings, machine: Machine) -> tuple[Account, ...]:
    """Return the accounts of one GPU that holds every layer, and of the host."""
    gpu, buffers = machine.gpus[0], compute_buffer(model, settings)
    on_gpu, on_host = _gpu_lines(model, settings, buffers), _host_lines(model, settings, buffers)
    if gpu.kind == "unified" and settings.allocation_rules == "metal" and settings.mmap:
        file = ledger_lines.mapped_file(model, read_lazily(model, settings))
        return (Account(gpu, (file, *on_gpu[1:], *on_host[1:])),)
    if gpu.kind == "unified":
        return (Account(gpu, on_gpu + on_host),)
    return (Account(gpu, on_gpu), Account(machine.host or UNKNOWN_HOST, on_host))


def _gpu_lines(model: Model, settings: Settings, buffers: ComputeBuffers) -> tuple[Line, ...]:
    """Return what one GPU that holds every layer takes."""
    return (
        ledger_lines.gpu_weights(weights(model, settings).gpu, model),
        *ledger_lines.context(kv_cache.groups(model, settings), settings),
        ledger_lines.compute(buffers.gpu, model, settings),
        *ledger_lines.pooled_copies(model, settings),
        server_memory.driver(settings.driver),
    )


def _host_lines(model: Model, settings: Settings, buffers: ComputeBuffers) -> tuple[Line, ...]:
    """Return what stays in RAM although a GPU computes: the embedding table, inputs, logits, the process."""
    return (
        *ledger_lines.embedding_tables(weights(model, settings).host, read_lazily(model, settings)),
        ledger_lines.host_inputs(buffers.host, model, settings),
        *server_memory.lines(model, settings),
    )


def _cpu_lines(model: Model, settings: Settings) -> tuple[Line, ...]:
    """Return everything in RAM."""
    return (
        *_cpu_weights(model, settings),
        *ledger_lines.context(kv_cache.groups(model, settings), settings),
        ledger_lines.compute(compute_buffer(model, settings).host, model, settings),
        *server_memory.lines(model, settings),
    )


def _cpu_weights(model: Model, settings: Settings) -> tuple[Line, ...]:
    """Return the file as mapped and the copies repacked for this CPU, or everything read once."""
    lazy = read_lazily(model, settings)
    if not settings.mmap:
        return (
            ledger_lines.weights(weights(model, settings).host - lazy, model),
            *ledger_lines.per_layer_embeddings(lazy),
        )
    simd = cpu_repack.repacks_for(settings)
    in_file, copies = cpu_repack.mapped(model, simd), cpu_repack.repacked(model, simd)
    # Pages of the file that were only read to be repacked are cache: the system may drop them.
    first = structs.replace(ledger_lines.weights(in_file, model), low=in_file - copies - lazy)
    return (first, ledger_lines.repacked(copies, simd)) if copies else (first,)


def _notes(model: Model, settings: Settings, machine: Machine) -> tuple[Message, ...]:
    notes: list[Message] = []
    if model.inferred:
        notes.append(
            say(
                "The architecture {name} is unknown; its layers were inferred from the tensors.",
                name=model.architecture,
            )
        )
    notes += _of_build(settings)
    unfused = flash_kernels.note(model, settings)
    if unfused is not None:
        notes.append(unfused)
    without_effect = _settings_without_effect(settings)
    if without_effect:
        notes.append(say("{names}: set, but without effect here.", names=", ".join(without_effect)))
    if settings.rpc:
        notes.append(_workers(len(settings.rpc)))
    if settings.backend != "cpu" and (len(machine.gpus) > 1 or not settings.on_one_device):
        from gyakusan.engines.llamacpp.multi_gpu import ledger as multi_gpu_ledger

        notes += multi_gpu_ledger.notes(model, settings, machine)
    if has_extras(model, settings):
        from gyakusan.engines.llamacpp.extras import projector_lora

        notes += projector_lora.notes(model, settings)
    notes += _less_kept(settings)
    unread = _images_left_out(model, settings)
    if unread:
        notes.append(
            say("Without what reads images, {size} (--no-mmproj): --images counts it.", size=format_bytes(unread))
        )
    if any(d.kind == "host" and d.memory is None for d in machine.devices):
        notes.append(say("The computer's RAM is unknown, so it is not checked."))
    return tuple(notes)


def _less_kept(settings: Settings) -> list[Message]:
    """Return what is kept in RAM of idle conversations, where that is not llama-server's own limit."""
    size, count, notes = settings.cache_ram, settings.ctx_checkpoints, []
    if size not in (-1, Settings.cache_ram):
        own = f"{Settings.cache_ram:,}"
        notes.append(
            say("At most {n} MiB of idle conversations are kept (--cache-ram; usual: {own}).", n=f"{size:,}", own=own)
        )
    if count != Settings.ctx_checkpoints:
        own = f"{Settings.ctx_checkpoints}"
        notes.append(
            say("No checkpoint is kept (--ctx-checkpoints; usual: {own}).", own=own)
            if count == 0
            else say("At most 1 checkpoint is kept for each user (--ctx-checkpoints; usual: {own}).", own=own)
            if count == 1
            else say(
                "At most {n} checkpoints are kept for each user (--ctx-checkpoints; usual: {own}).", n=count, own=own
            )
        )
    return notes


def _workers(count: int) -> Message:
    """Return which devices of the machine are workers elsewhere."""
    if count == 1:
        return say("The first GPU of the machine stands for the RPC worker.")
    return say("The first {n} GPUs of the machine stand for the RPC workers.", n=count)


def _of_build(settings: Settings) -> list[Message]:
    """Return what is said of a build whose rules are not known."""
    if builds.is_outside(settings.build):
        build = f"b{builds.number(settings.build)}"
        return [say("The rules of llama.cpp {build} are not known; the nearest are used.", build=build)]
    if settings.build == builds.UNKNOWN:
        return [say("The build of llama.cpp is not known: ranges hold those of the last year (--set build=b10434).")]
    return []


def _images_left_out(model: Model, settings: Settings) -> int:
    """Return the projector that -hf would fetch with a model of the catalogue and that is not counted, 0 = none [B]."""
    given = settings.projector or settings.projector_bytes or (model.stored and model.stored.extras)
    if not model.catalogue_name or given:
        return 0
    from gyakusan.catalog.models import find
    from gyakusan.catalog.projectors import projector_of

    found = projector_of(find(model.catalogue_name), model.quantization)
    return found.bytes if found is not None else 0


def version_of(settings: Settings) -> str:
    """Return the build as answers name it."""
    found = builds.number(settings.build)
    return VERSION if found is None else f"b{found}"


_PLACING = ("gpu_layers", "tensor_split", "main_gpu", "n_cpu_moe", "n_cpu_ffn", "overrides", "offload_kv", "rpc", "fit")


def _settings_without_effect(settings: Settings) -> list[str]:
    """Return the settings that were changed and change nothing: where a CPU holds everything, or nothing drafts."""
    names = _PLACING if settings.backend == "cpu" else ()
    changed = [n for n in names if getattr(settings, n) != getattr(Settings, n)]
    drafts = settings.draft or settings.mtp or settings.draft_tokens == Settings.draft_tokens
    return changed if drafts else [*changed, "draft_tokens"]
