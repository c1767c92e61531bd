"""Memory of MLX-LM, charged to the one memory of a Mac."""

from __future__ import annotations

from dataclasses import asdict

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import is_array, maximum, minimum
from gyakusan.core.ledger import Account, Engine, Ledger, Line, memory_part
from gyakusan.core.load import Load
from gyakusan.core.machine import UNKNOWN_HOST, Machine
from gyakusan.core.model import Compressed, Indexer, Latent, Memory, Model, Recurrent
from gyakusan.engines.mlx import cache, families, scratch
from gyakusan.engines.mlx.cache import Held
from gyakusan.engines.mlx.settings import CAVEAT, FORMATS, VERSION, Settings, check
from gyakusan.engines.mlx.weights import parts
from gyakusan.message import Message, say


def ledger(model: Model, load: Load, machine: Machine, settings: Settings) -> Ledger:
    """Return the bytes by kind, all on the first device. Raises BadSetting, UnknownName for what MLX-LM refuses."""
    charged = accounts(model, load, machine, settings)
    notes = _notes(model, load, settings, together(model, settings))
    return Ledger(model, Engine("MLX-LM", VERSION), asdict(settings), load, charged, notes)


def accounts(model: Model, load: Load, machine: Machine, settings: Settings) -> tuple[Account, ...]:
    """Return the account of the ledger alone. Raises BadSetting, UnknownName."""
    chosen = check(settings)
    device = machine.gpus[0] if machine.gpus else machine.host or UNKNOWN_HOST
    return (Account(device, (_weights(model, chosen), *rest(model, chosen))),)


def rest(model: Model, s: Settings) -> tuple[Line, ...]:
    """Return all lines but the weights."""
    running, caches = together(model, s), cache.groups(model, s)
    cache_lines = (_kept(h, s, running) for h in caches)
    return (*cache_lines, _prompt_cache(caches, s, running), *scratch.lines(model, s, running, caches))


def together(model: Model, s: Settings) -> Number:
    """Return the requests that are served at the same time: one, if something forbids a batch.

    Source: server.py, _is_batchable.
    """
    if s.kv_bits is not None or s.draft_model or not families.batches(model):
        return 1
    return minimum(s.users, s.decode_concurrency)


def _weights(model: Model, s: Settings) -> Line:
    matrices = parts(model, s)
    size = sum(p.bytes for p in matrices)
    formula = " + ".join(_stored(p.name, p.values) for p in matrices)
    reason = say("{n} tensors, {quantization}", n=len(model.tensors), quantization=f"MLX {s.weights}")
    return Line("weights", size, "derived", reason, formula)


def _stored(name: str, values: int) -> str:
    form = FORMATS[name]
    scales = f" + {form.scale} B/{form.group}" if form.scale else ""
    return f"{values / 1e9:.3f}e9 x ({form.bits}/8 B{scales})"


def _kept(h: Held, s: Settings, running: Number) -> Line:
    """Return the cache of one group: at its peak for requests whose prompt is being read, settled for the others."""
    reading = minimum(running, s.prompt_concurrency)
    size = reading * h.peak + (running - reading) * h.answer
    formula = f"{len(h.memory.layers)} layers x {running} users x {h.cells:,} cells" if not is_array(size) else ""
    return Line(memory_part(h.memory), size, "derived", _keeps(h.memory), formula, low=running * h.answer, high=size)


def _keeps(memory: Memory) -> Message:
    n = len(memory.layers)
    match memory:
        case Recurrent():
            return say("{n} layers, a state for each person", n=n)
        case Indexer():
            return say("{n} layers, an index of keys", n=n)
        case Compressed():
            return say("{n} layers, compressed keys", n=n)
        case Latent(window=None):
            return say("{n} layers, a vector for each token", n=n)
        case _ if getattr(memory, "window", None) is None:
            return say("{n} layers, every token", n=n)
        case _:
            window = getattr(memory, "window", 0)
            return say("{n} layers, last {window} tokens, one chunk", n=n, window=window)


def _prompt_cache(caches: tuple[Held, ...], s: Settings, running: Number) -> Line:
    """Return finished conversations that the server stores: a number of them, and bytes only if bounded.

    With --prompt-cache-bytes they are dropped until they and the running ones are within the bound. server.py, LRUPromptCache
    """
    one = sum(h.answer for h in caches)
    size = s.prompt_cache_size * one
    if s.prompt_cache_bytes is not None:
        size = minimum(size, maximum(0, s.prompt_cache_bytes - running * one))
    reason = say("up to {n} (--prompt-cache-bytes limits it)", n=s.prompt_cache_size)
    return Line("kv.finished", size, "derived", reason, "sequences x cache of one", low=0, high=size, grows=True)


def _notes(model: Model, load: Load, s: Settings, running: Number) -> tuple[Message, ...]:
    """Return what MLX-LM does otherwise than asked. Arrays: only what holds for all."""
    notes = [CAVEAT]
    if model.quantization.lower() != s.weights:
        notes.append(
            say(
                "Weights are computed as MLX {format}, not as the GGUF file's {quantization}.",
                format=s.weights,
                quantization=model.quantization,
            )
        )
    if not is_array(load.users, running) and running < load.users:
        why = "kv_bits" if s.kv_bits is not None else "draft_model" if s.draft_model else "its caches"
        if running == 1 and load.users > 1 and running != s.decode_concurrency:
            notes.append(say("Requests are served one at a time: {why} rules out batches.", why=why))
        else:
            notes.append(
                say("{n} of {users} users are served at a time; the others wait.", n=running, users=load.users)
            )
    if families.expands(model):
        notes.append(say("MLX-LM expands the latent vectors of this model: its cache is many times larger."))
    if s.kv_bits is not None and model.architecture in families.LISTED:
        notes.append(say("kv_bits has no effect: this model's caches cannot be quantised."))
    return tuple(notes)
