"""What most engines have in common: an engine's module takes from here what it does not do in its own way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, TypeVar

from msgspec import structs

from gyakusan.core.arrays import Ints
from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.model import Model
from gyakusan.engines.base import CacheType, Command, EngineSettings, Format, LoadMemory, MemoryClass, System, Variant
from gyakusan.engines.published import gguf_formats
from gyakusan.errors import BadSetting, UnknownName, unknown
from gyakusan.message import Message, say

if TYPE_CHECKING:
    from gyakusan.catalog.models import ModelRecord

S = TypeVar("S", bound=EngineSettings)
GGUF_FORMATS = ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0")
"""GGUF quantisations that a message names."""
WEIGHT_LAYOUTS = (
    *(("gpu", backend) for backend in ("cuda", "rocm", "vulkan", "sycl")),
    *(("unified", backend) for backend in ("metal", "cuda", "vulkan", "sycl")),
    *(("cpu", simd) for simd in ("none", "avx2", "avx512", "neon")),
)
"""Where llama.cpp stores the weights of a GGUF file differently: kind of device and backend, or the CPU's vector units."""


def check_fields(settings: type[EngineSettings], changes: Mapping[str, object]) -> None:
    """Raise UnknownName if a name in `changes` is no field of `settings`."""
    known = [f.name for f in fields(settings)]
    for name in changes:
        if name not in known:
            raise unknown(say("setting"), name, known, choices=True)


# Model files


def gguf_variants(model: Model, record: ModelRecord) -> Iterator[Variant]:
    """Yield the GGUF files of a model that are planned with."""
    for form in gguf_formats(record):
        yield structs.replace(
            gguf_variant(form.name, model), published=form.artifact is not None or bool(record.weights)
        )


def gguf_variant(name: str, model: Model) -> Variant:
    """Return the model as a GGUF file of a quantisation or a publisher's mix, in the bytes of the file if they are known."""
    from gyakusan.models.published import at_tag

    return Variant(name, at_tag(model, name))


def gguf_format(name: str) -> Format | None:
    """Return the GGUF quantisation or the publisher's mix that people call `name`, None if there is none."""
    from gyakusan.core import recipe

    mix = recipe.find_mix(name)
    if mix is not None:
        return Format(mix.name, mix.name)
    try:
        known = recipe.canonical(name.strip().replace(" ", ""))
    except UnknownName:
        return None
    return Format(known, known, experts_only=known == "MXFP4_MOE")


def tensors_as_read(model: Model, settings: object) -> Model:
    """Return the model as its tensors say: what a Hugging Face checkpoint of it says does not count."""
    return model if model.checkpoint is None else replace(model, checkpoint=None)


def gguf_layout(machine: Machine, ranks: Ints) -> Ints:
    """Return the place in WEIGHT_LAYOUTS of a machine."""
    if not machine.gpus:
        return WEIGHT_LAYOUTS.index(("cpu", machine.simd))
    key = (machine.gpus[0].kind, machine.gpus[0].backend)
    return WEIGHT_LAYOUTS.index(key) if key in WEIGHT_LAYOUTS else 0


def one_layout(machine: Machine, ranks: Ints) -> Ints:
    """Return 0: weights take the same bytes on every machine."""
    return 0


# Cache


def half_cache_setting(kind: CacheType) -> Mapping[str, object] | None:
    """Return no changes for an f16 cache, None for every other type."""
    return {} if kind.upper() == "F16" else None


def all_at_once(architecture: str) -> int:
    """Return 0: as many requests are answered together as people are served."""
    return 0


def half_cache_types(settings: EngineSettings) -> tuple[str, str]:
    """Return f16 for keys and values: nothing else can be set."""
    return "f16", "f16"


def half_cache_bytes(kind: CacheType) -> float:
    """Return 2: a cached value has 16 bits [B]."""
    return 2.0


# Limits


def no_refusals(model: Model, machine: Machine, settings: object) -> tuple[Message, ...]:
    """Return nothing: it runs every model on every machine."""
    return ()


def no_system_refusal(system: System, alone: bool) -> BadSetting | None:
    """Return None: it runs on every operating system."""
    return None


def no_machine_refusal(machine: Machine, system: System) -> Message | None:
    """Return None: it runs on every machine."""
    return None


def device_usable(machine: Machine) -> float:
    """Return the usable bytes of the smallest device, infinite if its capacity is unknown [B]."""
    device = min(machine.gpus, key=lambda g: g.usable or 0) if machine.gpus else machine.host
    return float("inf") if device is None or device.usable is None else float(device.usable)


def fixed_chunk(tokens: int) -> Callable[[Machine], int]:
    """Return that on every machine so many prompt tokens are computed at once."""
    return lambda machine: tokens


def one_rank(model: Model, count: int) -> int:
    """Return 1: devices do not share layers."""
    return 1


def no_format_refusal(name: str, machine: Machine) -> Message | None:
    """Return None: it runs every one of its formats on every machine that it runs on."""
    return None


def no_part_in_ram(model: Model, load: Load, machine: Machine, changes: Mapping[str, object]) -> None:
    """Return None: planning does not split a model between a GPU and RAM for it."""


def no_image_settings(projector_bytes: int) -> Mapping[str, object]:
    """Return no changes: it reads text only."""
    return {}


def no_replicas(replicas: int) -> None:
    """Return None: one server runs one copy of a model."""


# Memory of a load


def first_device(machine: Machine) -> Machine:
    """Return the machine with its first GPU only."""
    return structs.replace(machine, gpus=machine.gpus[:1])


def device_class(machine: Machine, kind: CacheType) -> MemoryClass:
    """Return a class for each kind, backend and usable memory of a GPU, or the vector units of a CPU."""
    if not machine.gpus:
        return MemoryClass(("cpu", machine.simd))
    gpu = machine.gpus[0]
    return MemoryClass((gpu.kind, gpu.backend, gpu.usable))


def ledger_memory(ledger: Ledger) -> LoadMemory:
    """Return what the first device of a ledger holds, without the weights."""
    account = ledger.accounts[0]
    conversations = account.of("kv_cache") + account.of("recurrent_state")
    return LoadMemory(conversations, account.of("scratch") + account.of("overhead"))


# Several servers, several machines


def account_bytes(ledger: Ledger) -> tuple[int, ...]:
    """Return the total of each account [B]."""
    return tuple(int(a.total) for a in ledger.accounts)


def no_changes(ledger: Ledger) -> Mapping[str, object]:
    """Return nothing: it takes what it needs."""
    return {}


def no_margin(machine: Machine) -> float:
    """Return 0: it takes no more than its ledger says [B]."""
    return 0.0


def no_embedding_settings(load: Load) -> Mapping[str, object]:
    """Return no changes: its usual settings compute a whole input at once."""
    return {}


def same_command(command: Command, pooling: str) -> Command:
    """Return the command: the server reads from the model that it makes embeddings."""
    return command


def no_spanning(gpus: int, machines: int) -> None:
    """Return None: one server is on one machine."""


def one_command(command: Command, machines: int, first: str) -> tuple[Command, ...]:
    """Return the command alone: one server is on one machine."""
    return (command,)


def no_workers(addresses: Sequence[str], machine: Machine) -> None:
    """Return None: it uses the devices of its own computer only."""


def no_worker_command(machine: Machine, port: int) -> None:
    """Return None: it has no workers."""


# Servers


def no_server() -> None:
    """Return no module: gyakusan prints the command of this engine and leaves the start to its user."""


# Commands


def port_option(command: Command, port: int) -> Command:
    """Return the command with `--port`."""
    argv = list(command.argv)
    if "--port" in argv:
        argv[argv.index("--port") + 1] = str(port)
        return structs.replace(command, argv=tuple(argv))
    return structs.replace(command, argv=(*argv, "--port", str(port)))


def host_option(command: Command, host: str) -> Command:
    """Return the command with `--host`."""
    argv = list(command.argv)
    if "--host" in argv:
        argv[argv.index("--host") + 1] = host
        return structs.replace(command, argv=tuple(argv))
    return structs.replace(command, argv=(*argv, "--host", host))


def unchanged_command(command: Command, machine: Machine) -> Command:
    """Return the command: each of its options changes what the server does."""
    return command


def thinking_by_request(
    command: Command, architecture: str, mode: str, arguments: Mapping[str, object]
) -> Command | None:
    """Return the command where each request can switch thinking: the server has no option. None for an effort."""
    return command if mode in ("off", "on") else None


def no_page(command: Command, shown: bool) -> Command:
    """Return the command: the server has no chat page."""
    return command


def no_container(machine: Machine) -> None:
    """Return None: it is not run in a container."""


def without_options(argv: Sequence[str], usual: Mapping[str, str | None]) -> tuple[str, ...]:
    """Return the words of a command without options that have their usual value.

    usual: option -> its usual value, None for a switch
    """
    kept: list[str] = []
    place = 0
    while place < len(argv):
        word = argv[place]
        if word in usual and usual[word] is None:
            place += 1
        elif word in usual and place + 1 < len(argv) and argv[place + 1] == usual[word]:
            place += 2
        else:
            kept.append(word)
            place += 1
    return tuple(kept)


def no_router() -> None:
    """Return None: its server has one model."""


def no_report(lines: Iterable[str]) -> None:
    """Read nothing: no log of this engine is known."""
