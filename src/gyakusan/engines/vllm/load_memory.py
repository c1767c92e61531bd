"""Memory of a load under vLLM for many models: the ledger's own functions, without the pool and the sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.memo import Memo
from gyakusan.core.model import Model
from gyakusan.engines.base import CacheType, LoadMemory, MemoryClass
from gyakusan.engines.vllm import profile
from gyakusan.engines.vllm.blocks import reservation
from gyakusan.engines.vllm.ledger import process
from gyakusan.engines.vllm.pages import pages
from gyakusan.engines.vllm.settings import Settings, batch_defaults
from gyakusan.engines.vllm.small_cache import SPOILT, cache_refusal, cache_support
from gyakusan.errors import BadSetting

REMEMBERED = 8
"""Numbers of GPUs that are tried once for each model."""
_RANKS = Memo[tuple[int, ...]](maxsize=1)


def cache_setting(kind: CacheType) -> dict[str, object]:
    """Return the changes that give the cache this type: fp8 stands for every small one."""
    return {"kv_cache_dtype": "fp8"} if _small(kind) else {}


def _small(kind: CacheType) -> bool:
    return kind.upper() != "F16"


def memory_class(machine: Machine, kind: CacheType) -> MemoryClass:
    """Return a class for each default batch and for where an fp8 cache is kept; libraries come on top.

    So do the processes where RAM is the same memory.
    """
    batch, gpu = batch_defaults(machine), machine.gpus[0]
    overhead = profile.base(gpu).best + (process(Settings(1)).bytes if gpu.kind == "unified" else 0)
    support = cache_support(gpu) if _small(kind) else ""
    return MemoryClass((batch.tokens, batch.seqs, support), int(overhead))


def load_memory(
    models: Iterable[Model], load: Load, machine: Machine, kind: CacheType, ranks: int
) -> Iterator[LoadMemory | None]:
    """Yield blocks of the pool, activations and CUDA graphs of each model on one rank; None if refused or spoilt."""
    batch = batch_defaults(machine)
    settings = Settings(
        max_model_len=load.context,
        max_num_seqs=max(batch.seqs, load.users),
        max_num_batched_tokens=batch.tokens,
        kv_cache_dtype=str(cache_setting(kind).get("kv_cache_dtype", "auto")),
        tensor_parallel=ranks,
        quantization="none",
    )
    for model in models:
        if _small(kind) and (model.architecture in SPOILT or cache_refusal(model, machine) is not None):
            yield None
            continue
        try:
            blocks = reservation(model, settings, stage=0)
        except BadSetting:
            yield None
            continue
        fixed = profile.activation(model, settings).best + profile.graphs(settings).best
        yield LoadMemory(load.users * blocks.blocks * blocks.block, fixed)


def max_ranks(model: Model, count: int) -> int:
    """Return the most of `count` GPUs that can share the heads of each layer equally."""
    if count == 1:
        return 1
    known = _RANKS.get(model, None, lambda: tuple(n for n in range(1, REMEMBERED + 1) if n == 1 or _shares(model, n)))
    more = (n for n in range(REMEMBERED + 1, count + 1) if _shares(model, n))
    return max((*(n for n in known if n <= count), *more))


def _shares(model: Model, ranks: int) -> bool:
    try:
        pages(model, Settings(1, tensor_parallel=ranks))
    except BadSetting:
        return False
    return True
