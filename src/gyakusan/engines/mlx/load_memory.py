"""Memory of a load under MLX-LM for many models: the ledger's lines without the weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gyakusan.core.arrays import Number
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.model import Latent, Model
from gyakusan.engines.base import CacheType, LoadMemory, MemoryClass
from gyakusan.engines.mlx.ledger import rest
from gyakusan.engines.mlx.settings import Settings
from gyakusan.errors import BadSetting


def memory_class(machine: Machine, kind: CacheType) -> MemoryClass:
    """Return the one class: memory is the same on every Mac."""
    return MemoryClass("mac")


def load_memory(
    models: Iterable[Model], load: Load, machine: Machine, kind: CacheType, ranks: int
) -> Iterator[LoadMemory | None]:
    """Yield caches and buffers of each model; None if refused, as every cache but f16 is."""
    settings = Settings(load.context, load.users)
    for model in models:
        if kind.upper() != "F16":
            yield None
            continue
        try:
            lines = rest(_with_tensors(model), settings)
        except BadSetting:
            yield None
            continue
        conversations: Number = sum(x.bytes for x in lines if x.kind in ("kv_cache", "recurrent_state"))
        yield LoadMemory(conversations, sum(x.bytes for x in lines) - conversations)


def _with_tensors(model: Model) -> Model:
    """Return the whole record of a catalogue model with latent attention: a tensor tells which file of MLX-LM it has."""
    if model.tensors or not model.catalogue_name or not any(isinstance(m, Latent) for m in model.memory):
        return model
    from gyakusan.catalog.models import find
    from gyakusan.models.assemble import plain

    return plain(find(model.catalogue_name))
