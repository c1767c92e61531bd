"""Our figures under the names that the server prints, so that they can be compared."""

from __future__ import annotations

from typing import Literal

from gyakusan.core.broadcast import Number
from gyakusan.core.model import Model
from gyakusan.engines.llamacpp.cache import kv_cache, recurrent_state
from gyakusan.engines.llamacpp.scratch import scratch
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.engines.llamacpp.weights import weights

Printed = Literal["weights", "kv_cache", "recurrent_state", "scratch", "output"]
F32 = 4


def output(model: Model, settings: Settings) -> Number:
    """Logits of one token for each slot, in RAM. [B] llama_context::output_reserve."""
    return settings.slots * model.vocabulary * F32


def buffers(model: Model, settings: Settings) -> tuple[tuple[Printed, str, int], ...]:
    """(kind, "gpu0" or "host", bytes) for each buffer that the server allocates. [B] Scalars only."""
    where = "host" if settings.backend == "cpu" else "gpu0"
    held, made = weights(model, settings), scratch(model, settings)
    found: list[tuple[Printed, str, int]] = [
        ("weights", "gpu0", held.gpu),
        ("weights", "host", held.host),
        ("kv_cache", where, int(kv_cache(model, settings))),
        ("recurrent_state", where, int(recurrent_state(model, settings))),
        ("scratch", "gpu0", int(made.gpu)),
        ("scratch", "host", int(made.host)),
        ("output", "host", int(output(model, settings))),
    ]
    return tuple(entry for entry in found if entry[2])
