"""What a model takes on one device, as arrays over contexts: by the engines' own functions, weights left out.

Weights are a column (see `measure`), everything else depends on the load. A test compares the sum with the engine's ledger.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gyakusan.core.broadcast import ceil_div, is_array
from gyakusan.core.ledger import Account
from gyakusan.core.load import Load
from gyakusan.core.machine import Device, Machine
from gyakusan.core.memo import Memo
from gyakusan.core.model import Latent, Model
from gyakusan.engines.registry import engine
from gyakusan.errors import BadSetting
from gyakusan.planning.candidates.model_table import CatalogModel, VariantTable
from gyakusan.planning.candidates.model_variants import WEIGHT_LAYOUTS
from gyakusan.planning.request.request import MAX_DEVICES

Array = Any


@dataclass(frozen=True, slots=True)
class Rest:
    """kept: what conversations keep; fixed: scratch and overhead, on each device. [B] Arrays over contexts.

    ranks: devices that share each layer; split: devices that hold some layers each.
    """

    kept: Array
    fixed: Array
    ranks: int = 1
    split: int = 1


def rest(name: str, known: CatalogModel, machine: Machine, load: Load, kv: str, ranks: int = 0) -> Rest | None:
    """Everything but the weights, on the first device of a machine; None if the engine refuses. load: arrays.

    kv: type of the cache in llama.cpp's words (F16, Q8_0); ranks: devices that share each layer, 0 = as many as can.
    """
    count, model = max(1, len(machine.gpus)), known.model
    settings = asked(name, known, machine, load, kv, ranks)
    if settings is None:
        return None
    try:
        if name == "llama.cpp" and machine.gpus:
            held = buffers(model, settings)
            return Rest(held.kept, fixed(model, settings, held, machine.gpus[0]), 1, count)
        if name == "vLLM":
            return served(model, load, settings, aside(machine))
        if name == "MLX-LM":
            return _mlx(_whole(known) if any(isinstance(m, Latent) for m in model.memory) else model, settings)
        account = engine(name).ledger(model, load, _alone(name, machine), settings).accounts[0]
    except BadSetting:
        return None
    kept = account.of("kv_cache") + account.of("recurrent_state")
    return Rest(kept, _fixed(account), 1, count if name in ("llama.cpp", "Ollama") else 1)


def asked(name: str, known: CatalogModel, machine: Machine, load: Load, kv: str, ranks: int = 0) -> Any:
    """The engine's settings for one device of a machine, None if it refuses. The same for every model under llama.cpp,

    and under vLLM where `ranks` is given.
    """
    changes = cache_setting(name, kv)
    if changes is None:
        return None
    if name == "vLLM":
        changes = {"quantization": "none", **changes, **({"tensor_parallel": ranks} if ranks else {})}
    try:
        return engine(name).settings(known.model, load, machine if name == "vLLM" else _alone(name, machine), **changes)
    except BadSetting:
        return None


def cache_setting(name: str, kv: str) -> dict[str, Any] | None:
    """How an engine is told the type of its cache; None if it has nothing of the kind."""
    small = kv.upper() != "F16"
    match name:
        case "llama.cpp":
            return {"key_type": kv.upper(), "value_type": kv.upper()} if small else {}
        case "Ollama":
            return {"kv_cache_type": kv.lower()} if small else {}
        case "vLLM":
            return {"kv_cache_dtype": "fp8"} if small else {}
        case _:
            return None if small else {}


def _alone(name: str, machine: Machine) -> Machine:
    """One device of the machine; for llama.cpp without its capacity, on which nothing depends here."""
    if name == "vLLM" or not machine.gpus:
        return machine
    gpu = machine.gpus[0]
    return replace(machine, gpus=(replace(gpu, memory=None) if name == "llama.cpp" else gpu,))


def _fixed(account: Account) -> Array:
    return account.of("scratch") + account.of("overhead")


@dataclass(frozen=True, slots=True)
class Buffers:
    """What llama.cpp allocates on one device whatever its kind: kept by conversations; gpu, host: compute buffers. [B]"""

    kept: Array
    gpu: Array
    host: Array


def buffers(model: Model, settings: Any) -> Buffers:
    """By the same functions as llama.cpp's ledger calls, without the sentences."""
    from gyakusan.engines.llamacpp.buffers.kv_cache import groups
    from gyakusan.engines.llamacpp.compute_buffer.one_device import compute_buffer

    made = compute_buffer(model, settings)
    return Buffers(sum(g.bytes for g in groups(model, settings)), made.gpu, made.host)


def fixed(model: Model, settings: Any, held: Buffers, gpu: Device) -> Array:
    """Scratch and overhead of llama.cpp on a device: with everything of the host where RAM is the same. [B]"""
    from gyakusan.engines.llamacpp.buffers import server_memory

    here = held.gpu + server_memory.driver(settings.driver).bytes
    if gpu.kind != "unified":
        return here
    return here + held.host + sum(line.bytes for line in server_memory.lines(model, settings))


def _whole(known: CatalogModel) -> Model:
    """The model with its tensors: MLX-LM's file for latent attention is told by one of them."""
    from gyakusan.catalog.models import find
    from gyakusan.models.assemble import plain

    return plain(find(known.name))


def _mlx(model: Model, settings: Any) -> Rest:
    """MLX-LM: its ledger's lines without the weights."""
    from gyakusan.engines.mlx.ledger import rest as lines
    from gyakusan.engines.mlx.settings import check

    found = lines(model, check(settings))
    kept = sum(line.bytes for line in found if line.kind in ("kv_cache", "recurrent_state"))
    return Rest(kept, sum(line.bytes for line in found) - kept)


_RANKS = Memo[tuple[int, ...]](maxsize=1)


def ranks(model: Model, count: int) -> int:
    """The most of `count` devices that can share each layer under vLLM: as its engine chooses."""
    known = _RANKS.get(model, None, lambda: _shareable(model))
    more = (n for n in range(MAX_DEVICES + 1, count + 1) if _shares(model, n))
    return max((*(n for n in known if n <= count), *more))


def _shareable(model: Model) -> tuple[int, ...]:
    return tuple(n for n in range(1, MAX_DEVICES + 1) if n == 1 or _shares(model, n))


def _shares(model: Model, number: int) -> bool:
    from gyakusan.engines.vllm.pages import pages
    from gyakusan.engines.vllm.settings import Settings

    try:
        pages(model, Settings(1, tensor_parallel=number))
    except BadSetting:
        return False
    return True


def served(model: Model, load: Load, settings: Any, aside: int) -> Rest:
    """vLLM on one rank: the same functions as its ledger calls, without the pool and the sentences. aside: see there [B]."""
    from gyakusan.engines.vllm import profile
    from gyakusan.engines.vllm.blocks import reservation

    found = reservation(model, settings, stage=0)
    fixed = profile.activation(model, settings).best + profile.graphs(settings).best + aside
    return Rest(load.users * found.blocks * found.block, fixed, settings.tensor_parallel)


def aside(machine: Machine) -> int:
    """What vLLM takes on this kind of device whatever it serves: libraries, and its processes where RAM is the same. [B]"""
    from gyakusan.engines.vllm.ledger import process
    from gyakusan.engines.vllm.profile import base
    from gyakusan.engines.vllm.settings import Settings

    gpu = machine.gpus[0]
    return int(base(gpu).best + (process(Settings(1)).bytes if gpu.kind == "unified" else 0))


def weights(table: VariantTable, rows: Array, ranks: Array, machine: Machine) -> Array:
    """Weights of some rows on one device. [B] ranks: devices that share each layer, 1 or (..., rows)."""
    if table.family == "vllm":
        return table.shares[rows, ranks - 1]
    return table.shares[rows, _place(machine) if table.family == "gguf" else 0]


def _place(machine: Machine) -> int:
    if not machine.gpus:
        return WEIGHT_LAYOUTS.index(("cpu", machine.simd))
    key = (machine.gpus[0].kind, machine.gpus[0].backend)
    return WEIGHT_LAYOUTS.index(key) if key in WEIGHT_LAYOUTS else 0


def total(held: Array, kept: Array, fixed: Array, blocks: Array, split: Array) -> Array:
    """What the fullest device takes. [B] held: weights; kept, fixed: see Rest; split: devices that hold some layers each.

    Exact for one device and for vLLM's ranks. Where llama.cpp deals out blocks the fullest card has the rounded-up share
    of them; the answer is checked with the ledger.
    """
    if not is_array(split) and split == 1:
        return held + kept + fixed
    share = ceil_div(blocks + 1, split) / (blocks + 1)
    return (held + kept) * share + fixed


def usable(name: str, machine: Machine) -> float:
    """What an engine may take of the smallest device. [B] Infinite if the capacity is not known."""
    device = min(machine.gpus, key=lambda g: g.usable or 0) if machine.gpus else machine.host
    if device is None or device.usable is None:
        return float("inf")
    if name != "vLLM":
        return float(device.usable)
    from gyakusan.engines.vllm.pool import requested
    from gyakusan.engines.vllm.profile import visible
    from gyakusan.engines.vllm.settings import Settings

    total_memory = visible(device)
    taken = requested(total_memory, Settings(1))
    if taken > device.usable:
        share = max(1, device.usable * 100 // total_memory) / 100
        taken = min(taken, requested(total_memory, replace(Settings(1), gpu_memory_utilization=share)))
    return float(min(taken, device.usable))
