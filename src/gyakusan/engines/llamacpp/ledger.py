"""Buffers of llama.cpp, charged to the devices of a machine."""

from __future__ import annotations

from dataclasses import asdict, replace

from gyakusan.core.ledger import Account, Engine, Ledger, Line
from gyakusan.core.load import Load
from gyakusan.core.machine import UNKNOWN_HOST, Machine, Simd
from gyakusan.core.model import Model
from gyakusan.engines.llamacpp import ledger_lines
from gyakusan.engines.llamacpp.buffers import context_checkpoints, cpu_repack, kv_cache, overhead
from gyakusan.engines.llamacpp.buffers.weights import lazily, weights
from gyakusan.engines.llamacpp.compute_buffer.one_device import compute_buffer
from gyakusan.engines.llamacpp.settings import VERSION, Settings, check
from gyakusan.errors import BadSetting
from gyakusan.message import Message, say


def ledger(model: Model, load: Load, machine: Machine, settings: Settings) -> Ledger:
    """Bytes by device and kind. Raises BadSetting for what llama.cpp refuses.

    Source: llama.cpp b11434; each line's function names its own.
    """
    found = accounts(model, load, machine, settings)
    notes = _notes(model, settings, machine)
    return Ledger(model, Engine("llama.cpp", VERSION), asdict(settings), load, found, notes)


def accounts(model: Model, load: Load, machine: Machine, settings: Settings) -> tuple[Account, ...]:
    """Return the accounts of the ledger alone. Raises BadSetting for what llama.cpp refuses."""
    found = _accounts(model, check(settings), machine)
    return found if alone(model, settings) else _beside(model, settings, machine, found)


def alone(model: Model, settings: Settings) -> bool:
    """True if nothing is loaded beside the model. The modules that price the rest are read only where it is not."""
    asked = settings.projector or settings.lora or settings.draft or settings.mtp
    return not asked and not (model.stored and model.stored.extras)


def _beside(model: Model, chosen: Settings, machine: Machine, accounts: tuple[Account, ...]) -> tuple[Account, ...]:
    """Accounts with projector, adapters, prediction blocks and draft model."""
    from gyakusan.engines.llamacpp.extras import projector_lora, speculative_decoding

    accounts = projector_lora.added(model, chosen, machine, accounts)
    accounts = projector_lora.onto(
        accounts,
        (*speculative_decoding.predicting(model, chosen, machine), *speculative_decoding.drafted(model, chosen)),
    )
    if chosen.draft:
        other, its = speculative_decoding.draft(model, chosen)
        accounts = speculative_decoding.merged(accounts, _accounts(other, its, machine), other.name)
    return accounts


def _accounts(model: Model, chosen: Settings, machine: Machine) -> tuple[Account, ...]:
    """One account for each device, for one model."""
    if chosen.backend == "cpu":
        host = machine.host or (machine.gpus[0] if machine.gpus else UNKNOWN_HOST)
        return (Account(host, _cpu_lines(model, chosen)),)
    return _with_gpu(model, chosen, machine)


def _with_gpu(model: Model, settings: Settings, machine: Machine) -> tuple[Account, ...]:
    if not machine.gpus:
        raise BadSetting("{name} has no GPU.", name=machine.name, mend="Name one with --device, or use the CPU.")
    if len(settings.rpc) > len(machine.gpus):
        raise BadSetting(
            "{n} RPC workers, but {name} has {gpus} GPUs.", n=len(settings.rpc), name=machine.name,
            gpus=len(machine.gpus), mend="Name a machine with a GPU for each worker, the workers' first.",
        )  # fmt: skip
    if len(machine.gpus) > 1 or not settings.plain:
        from gyakusan.engines.llamacpp.multi_gpu import ledger as split_accounts

        return split_accounts.accounts(model, settings, machine, machine.host or UNKNOWN_HOST)
    gpu = machine.gpus[0]
    on_gpu, on_host = _gpu_lines(model, settings), _host_lines(model, settings)
    if gpu.kind == "unified" and settings.stores == "metal" and settings.mmap:
        return (Account(gpu, (ledger_lines.file(model, lazily(model, settings)), *on_gpu[1:], *on_host[1:])),)
    if gpu.kind == "unified":
        return (Account(gpu, on_gpu + on_host),)
    return (Account(gpu, on_gpu), Account(machine.host or UNKNOWN_HOST, on_host))


def _gpu_lines(model: Model, settings: Settings) -> tuple[Line, ...]:
    """What one GPU that holds every layer takes."""
    held, made = weights(model, settings), compute_buffer(model, settings)
    return (
        ledger_lines.off_tables(held.gpu, model),
        *ledger_lines.context(kv_cache.groups(model, settings), settings),
        ledger_lines.scratch(made.gpu, model, settings),
        overhead.driver(settings.driver),
    )


def _host_lines(model: Model, settings: Settings) -> tuple[Line, ...]:
    """What stays in RAM beside a GPU: the embedding table, pinned inputs, logits, the process."""
    return (
        *ledger_lines.tables(weights(model, settings).host, lazily(model, settings)),
        ledger_lines.pinned(compute_buffer(model, settings).host),
        ledger_lines.logits(model, settings),
        overhead.process(),
        overhead.prompt_cache(),
        *context_checkpoints.lines(model, settings),
    )


def _cpu_lines(model: Model, settings: Settings) -> tuple[Line, ...]:
    """Everything in RAM."""
    return (
        *_cpu_weights(model, settings),
        *ledger_lines.context(kv_cache.groups(model, settings), settings),
        ledger_lines.scratch(compute_buffer(model, settings).host, model, settings),
        ledger_lines.logits(model, settings),
        overhead.process(),
        overhead.prompt_cache(),
        *context_checkpoints.lines(model, settings),
    )


def _cpu_weights(model: Model, settings: Settings) -> tuple[Line, ...]:
    """The file as mapped and the copies repacked for this CPU, or everything read once."""
    if not settings.mmap:
        held, lazy = weights(model, settings).host, lazily(model, settings)
        return (ledger_lines.weights(held - lazy, model), *ledger_lines.tables(lazy, lazy)[1:])
    simd: Simd = settings.simd if settings.repack else "none"
    held, copies = cpu_repack.mapped(model, simd), cpu_repack.repacked(model, simd)
    # Pages of the file that were only read to be repacked are cache: the system may drop them.
    first = replace(ledger_lines.weights(held, model), low=held - copies - lazily(model, settings))
    return (first, ledger_lines.repacked(copies, simd)) if copies else (first,)


def _notes(model: Model, settings: Settings, machine: Machine) -> tuple[Message, ...]:
    notes = []
    if model.inferred:
        notes.append(
            say("The architecture {name} is not known: it was inferred from the tensors.", name=model.architecture)
        )
    idle = _idle(settings)
    if idle:
        notes.append(say("{names}: given, but without effect here.", names=", ".join(idle)))
    if settings.rpc:
        notes.append(say("The first GPUs of the machine stand for {n} RPC workers.", n=len(settings.rpc)))
    if settings.backend != "cpu" and (len(machine.gpus) > 1 or not settings.plain):
        from gyakusan.engines.llamacpp.multi_gpu import ledger as split_accounts

        notes += split_accounts.notes(model, settings, machine)
    if any(d.kind == "host" and d.memory is None for d in machine.devices):
        notes.append(say("The computer's RAM is not known: it is listed, not checked."))
    return tuple(notes)


_PLACING = ("gpu_layers", "tensor_split", "main_gpu", "n_cpu_moe", "n_cpu_ffn", "overrides", "offload_kv", "rpc", "fit")


def _idle(settings: Settings) -> list[str]:
    """Settings that were changed and change nothing: where a CPU holds everything, or nothing drafts."""
    names = _PLACING if settings.backend == "cpu" else ()
    found = [n for n in names if getattr(settings, n) != getattr(Settings, n)]
    drafts = settings.draft or settings.mtp or settings.draft_tokens == Settings.draft_tokens
    return found if drafts else [*found, "draft_tokens"]
