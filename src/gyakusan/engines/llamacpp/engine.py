"""The face of llama.cpp: see engines/base.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from gyakusan.core.broadcast import is_array
from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.model import Model
from gyakusan.engines.base import Command
from gyakusan.engines.llamacpp import backends
from gyakusan.engines.llamacpp.ledger import alone
from gyakusan.engines.llamacpp.ledger import ledger as _ledger
from gyakusan.engines.llamacpp.settings import VERSION, Settings, for_load
from gyakusan.errors import unknown
from gyakusan.message import Message, say

if TYPE_CHECKING:
    from gyakusan.engines.llamacpp.log import Reported

NAME = "llama.cpp"
KEY = "LLAMA_API_KEY"
CAVEAT: Message | None = None

PLACING = frozenset(("gpu_layers", "tensor_split", "n_cpu_moe", "n_cpu_ffn", "overrides", "main_gpu"))
"""Settings by which a person places a model: where one is given, nothing is balanced."""

__all__ = ["CAVEAT", "KEY", "NAME", "VERSION", "Settings", "command", "ledger", "read", "refusals", "settings"]


def settings(model: Model, load: Load, machine: Machine, **changes: Any) -> Settings:
    """The whole context for each user, everything on the GPUs if there are any. Raises UnknownName for an unknown field.

    fit=True puts as much on the GPUs as they hold, the rest stays in RAM. Over several GPUs the blocks are shared out by
    free memory, or, where that is too much for one of them, balanced by bytes; tensor_split says what was chosen.
    """
    known = [f.name for f in fields(Settings)]
    for name in changes:
        if name not in known:
            raise unknown(say("setting"), name, known)
    backend = "cuda" if machine.gpus else "cpu"
    layers: dict[str, Any] = {"split_mode": "layer"} if len(machine.gpus) > 1 else {}
    here: dict[str, Any] = {"backend": backend, "simd": machine.simd, "driver": backends.backend_of(machine)}
    chosen = replace(for_load(load), **{**here, **layers, **changes})
    if model.stored and model.stored.extras:
        from gyakusan.engines.llamacpp.extras import projector_lora

        chosen = projector_lora.came(model, chosen)
    return chosen if chosen.backend == "cpu" or not machine.gpus else _placed(model, machine, chosen, changes)


def _placed(model: Model, machine: Machine, chosen: Settings, changes: dict[str, Any]) -> Settings:
    """`chosen` with the best placement if that was asked for, and with the split said in units."""
    if chosen.split_mode == "none" and not chosen.fit:
        return chosen
    from gyakusan.engines.llamacpp.multi_gpu.fit import balanced, fit
    from gyakusan.engines.llamacpp.placement.layer_assignment import place

    sizes = _left(model, machine, chosen)
    countable = not is_array(chosen.context, chosen.slots, chosen.batch, chosen.ubatch)
    if chosen.fit and countable and machine.gpus[0].usable is not None:
        chosen = fit(model, chosen, sizes)
    elif chosen.split_mode == "layer" and not PLACING & changes.keys() and countable:
        chosen = balanced(model, chosen, sizes)
    if chosen.split_mode == "none" or chosen.tensor_split:
        return chosen
    counts = place(model.blocks, chosen, sizes).counts()
    return replace(chosen, tensor_split=tuple(float(c) for c in counts)) if any(counts) else chosen


def _left(model: Model, machine: Machine, chosen: Settings) -> tuple[int, ...]:
    """What the model itself may take of each GPU: what is loaded beside it takes its share first. [B]"""
    from gyakusan.engines.llamacpp.multi_gpu.ledger import free

    sizes = free(machine.gpus)
    bare = replace(chosen, projector=None, lora=(), draft="", mtp=False)
    if alone(model, chosen) or is_array(chosen.context, chosen.slots, chosen.ubatch) or machine.gpus[0].usable is None:
        return sizes
    load = Load(int(chosen.slots), int(chosen.context))
    both = (_ledger(model, load, machine, replace(s, fit=False)).accounts for s in (chosen, bare))
    return tuple(max(1, f - int(a.high - b.high)) for f, a, b in zip(sizes, *both, strict=False))


def refusals(model: Model, machine: Machine, settings: Settings) -> tuple[Message, ...]:
    """llama.cpp runs everywhere; what it cannot load is refused when the model is read."""
    return ()


def ledger(model: Model, load: Load, machine: Machine, settings: Settings) -> Ledger:
    """Bytes by device and kind. Raises BadSetting."""
    return _ledger(model, load, machine, settings)


def command(model: Model, machine: Machine, settings: Settings) -> Command:
    """llama-server with exactly these settings."""
    from gyakusan.engines.llamacpp import launch

    argv = (launch.PROGRAM, *launch.arguments(model.source or f"{model.name}.gguf", settings, port=8080))
    return Command(argv)


def read(lines: Iterable[str]) -> Reported:
    """The buffers that the server printed."""
    from gyakusan.engines.llamacpp import log

    return log.read(lines)
