"""A server that exists in tests only: the whole of what a new engine has to say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace

from gyakusan.catalog.models import ModelRecord
from gyakusan.core.arrays import Number
from gyakusan.core.ledger import Account, Engine, Ledger, Line
from gyakusan.core.load import Load
from gyakusan.core.machine import Device, Machine
from gyakusan.core.model import Model
from gyakusan.engines import defaults as usual
from gyakusan.engines import published, smaller_cache
from gyakusan.engines.base import Command, ComputeSettings, LoadMemory
from gyakusan.message import say

NAME, VERSION, CAVEAT, KEY, PREFIXES = "Toy", "1.0", None, "TOY_KEY", ("toy_",)
USUAL, STORAGE, MULTI_GPU, MIXED_GPUS = True, "gguf", "layers", True
SPEED_NAME, prefill_chunk, HEALTH, PORT, QUEUE = "llama.cpp", usual.fixed_chunk(256), "/ready", 9000, None

variants, variant, weight_layout = usual.gguf_variants, usual.gguf_variant, usual.gguf_layout
cache_setting, cache_bytes, max_ranks = usual.half_cache_setting, usual.half_cache_bytes, usual.one_rank
named_format, as_read, FORMATS = usual.gguf_format, usual.tensors_as_read, usual.GGUF_FORMATS
refusals, system_refusal, machine_refusal = usual.no_refusals, usual.no_system_refusal, usual.no_machine_refusal
usable, memory_class, with_port, read = usual.device_usable, usual.device_class, usual.port_option, usual.no_report
with_host, with_page = usual.host_option, usual.no_page
router, cache_types, at_once = usual.no_router, usual.half_cache_types, usual.all_at_once
container, short_command = usual.no_container, usual.unchanged_command
artifact, preparation = published.gguf_artifact, published.gguf_preparation
with_thinking = usual.thinking_by_request
occupied_bytes, coexisting_settings, coexisting_margin = usual.account_bytes, usual.no_changes, usual.no_margin
spanning_settings, spanning_commands, server = usual.no_spanning, usual.one_command, usual.no_server
worker_settings, worker_command, image_settings = usual.no_workers, usual.no_worker_command, usual.no_image_settings
SMALLER_CACHE, OFFLOADS, REPLICATES, IMAGES = smaller_cache.NO_SMALLER_CACHE, False, False, "never"
format_refusal, part_in_ram, replica_settings = usual.no_format_refusal, usual.no_part_in_ram, usual.no_replicas
embedding_settings, embedding_command = usual.no_embedding_settings, usual.same_command


@dataclass(frozen=True, slots=True)
class Settings:
    """context: of one conversation [tokens]; conversations: at once."""

    context: Number
    conversations: Number = 1


def settings(model: Model, load: Load, machine: Machine, **changes: object) -> Settings:
    usual.check_fields(Settings, changes)
    return replace(Settings(load.context, load.users), **changes)


def accounts(model: Model, load: Load, machine: Machine, settings: Settings) -> tuple[Account, ...]:
    devices = machine.gpus or (machine.host or Device("RAM", "host", None, "cpu"),)
    width = sum(len(m.layers) * (getattr(m, "key", 64) + getattr(m, "value", 64)) for m in model.memory)
    lines = (
        Line("weights", model.bytes // len(devices), "derived", say("tensors")),
        Line("kv", 2 * width * settings.context * settings.conversations // len(devices), "derived", say("cache")),
        Line("compute", 1 << 28, "assumed", say("activations")),
    )
    return tuple(Account(device, lines) for device in devices)


def ledger(model: Model, load: Load, machine: Machine, settings: Settings) -> Ledger:
    return Ledger(model, Engine(NAME, VERSION), asdict(settings), load, accounts(model, load, machine, settings))


def load_memory(
    models: Iterable[Model], load: Load, machine: Machine, kind: str, ranks: int
) -> Iterator[LoadMemory | None]:
    one = usual.first_device(machine)
    for model in models:
        yield usual.ledger_memory(ledger(model, load, one, settings(model, load, one)))


def weight_bytes(model: Model) -> list[int]:
    return [model.bytes] * len(usual.WEIGHT_LAYOUTS)


def compute_settings(machine: Machine, settings: Settings) -> ComputeSettings:
    return ComputeSettings(prefill_chunk(machine), stages=max(1, len(machine.gpus)))


def command(model: Model, machine: Machine, settings: Settings) -> Command:
    return Command(("toy-server", "--model", model.source, "--context", str(settings.context), "--port", "9000"))


def published_command(record: ModelRecord, model: Model, machine: Machine, settings: Settings, name: str) -> Command:
    return command(model, machine, settings)
