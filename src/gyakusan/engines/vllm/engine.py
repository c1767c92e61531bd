"""The face of vLLM: see engines/base.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from gyakusan.core.broadcast import is_array
from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.model import Model
from gyakusan.engines.base import Command
from gyakusan.engines.vllm import launch, log, profile, support
from gyakusan.engines.vllm.ledger import ledger as _ledger
from gyakusan.engines.vllm.pages import pages
from gyakusan.engines.vllm.pool import requested
from gyakusan.engines.vllm.settings import VERSION, Settings, batch_defaults, known_fields
from gyakusan.engines.vllm.weights import stored
from gyakusan.errors import BadSetting
from gyakusan.message import Message

NAME = "vLLM"
KEY = "VLLM_API_KEY"
CAVEAT: Message | None = None

__all__ = ["CAVEAT", "KEY", "NAME", "VERSION", "Settings", "command", "ledger", "read", "refusals", "settings"]

HALF = 8
"""GGUF quantisations of at least so many bits are compared with FP8, smaller ones with AWQ."""


def settings(model: Model, load: Load, machine: Machine, **changes: Any) -> Settings:
    """The server's defaults for this machine, the whole context for each request, and as many GPUs as can share the heads.

    A catalogue model at a GGUF quantisation is taken at the nearest that vLLM loads. Where less is free than vLLM would
    take, gpu_memory_utilization is lowered to it. Raises UnknownName for an unknown field.
    """
    known_fields(changes)
    usual = batch_defaults(machine)
    seqs = usual.seqs if is_array(load.users) else max(usual.seqs, load.users)
    found = Settings(max_model_len=load.context, max_num_seqs=seqs, max_num_batched_tokens=usual.tokens)
    found = replace(found, **{"quantization": _nearest(model), **changes})
    if "gpu_memory_utilization" not in changes:
        found = replace(found, gpu_memory_utilization=_free(machine, found))
    if "tensor_parallel" not in changes:
        found = replace(found, tensor_parallel=_ranks(model, machine, found))
    return found


def _free(machine: Machine, found: Settings) -> float:
    """The default share, or as much of it as is free, in whole percents."""
    share = found.gpu_memory_utilization
    for gpu in machine.gpus:
        total = profile.visible(gpu)
        if total and gpu.usable is not None and requested(total, found) > gpu.usable:
            share = min(share, max(1, gpu.usable * 100 // total) / 100)
    return share


def _ranks(model: Model, machine: Machine, found: Settings) -> int:
    """The most GPUs that can share each layer: equal shares of the heads."""
    count = max(1, len(machine.gpus) // found.pipeline_parallel)
    for ranks in range(count, 1, -1):
        try:
            pages(model, replace(found, tensor_parallel=ranks))
        except BadSetting:
            continue
        return ranks
    return 1


def _nearest(model: Model) -> str:
    """ "auto", or the method that stands for a GGUF quantisation of a catalogue model."""
    if not model.source.startswith("catalog:"):
        return "auto"
    try:
        stored(model, Settings(1))
    except BadSetting:
        bits = model.bytes * 8 / max(1, model.parameters)
        return "fp8" if bits >= HALF else "awq"
    return "auto"


def refusals(model: Model, machine: Machine, settings: Settings) -> tuple[Message, ...]:
    """Why vLLM would not run this: platform, device, architecture, quantisation, heads."""
    return support.refusals(model, machine, settings)


def ledger(model: Model, load: Load, machine: Machine, settings: Settings) -> Ledger:
    """Bytes by device and kind. Raises BadSetting."""
    return _ledger(model, load, machine, settings)


def command(model: Model, machine: Machine, settings: Settings) -> Command:
    """`vllm serve` with exactly these settings, and its environment."""
    return launch.command(model, settings)


def read(lines: Iterable[str]) -> log.Reported:
    """The weights, the pool and the requests that the server printed."""
    return log.read(lines)
