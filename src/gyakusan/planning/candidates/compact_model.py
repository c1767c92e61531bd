"""A model without its tensors, and its variants, as plain values: quick to read back.

That is enough for everything that depends on the load.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, NamedTuple

from msgspec import NODEFAULT, structs

from gyakusan.core import model as core
from gyakusan.core.model import Model


class VariantRow(NamedTuple):
    """One format of a model, as it stands in the file.

    name: as people write the format: what `inspect --quant` takes
    published: True if somebody publishes it, False if it has to be made
    group: group of quantisations that speed constants know
    dense_bytes: weights that are read for each token [B]
    expert_bytes: all routed experts [B]
    stored: all weights [B]
    shares: weights on one device, in each layout of the engine [B]
    """

    name: str
    published: bool
    group: str
    dense_bytes: int
    expert_bytes: int
    stored: int
    shares: list[int]


_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        *(core.Attention, core.Latent, core.Indexer, core.Recurrent, core.Compressed),
        *(core.Dense, core.Experts, core.Graph),
    )
}
_LEFT_OUT = frozenset(("tensors", "metadata", "stored", "checkpoint", "quantization", "inferred"))


def encode(model: Model) -> dict[str, Any]:
    """Return the model as values for JSON. Tensors, metadata and what the publisher stored are left out."""
    return {f.name: _plain(getattr(model, f.name)) for f in fields(Model) if _told(model, f.name, f.default)}


def decode(values: dict[str, Any]) -> Model:
    """Return the model that `encode` was given, without tensors."""
    return Model(**{k: _value(v) for k, v in values.items()})


def _told(value: Any, name: str, default: Any) -> bool:
    return name not in _LEFT_OUT and (default is MISSING or default is NODEFAULT or getattr(value, name) != default)


def _plain(value: Any) -> Any:
    if type(value).__name__ in _KINDS:
        every = structs.fields(value)
        told = {f.name: _plain(getattr(value, f.name)) for f in every if _told(value, f.name, f.default)}
        return {"is": type(value).__name__, **told}
    if isinstance(value, tuple):
        return _range(value) or [_plain(v) for v in value]
    return value


def _range(numbers: tuple[Any, ...]) -> dict[str, list[int]] | None:
    """Return layers in equal steps as first, end and step: most models have nothing else."""
    if len(numbers) < 3 or not all(type(n) is int for n in numbers):
        return None
    step = numbers[1] - numbers[0]
    even = step > 0 and numbers == tuple(range(numbers[0], numbers[-1] + 1, step))
    return {"range": [numbers[0], numbers[-1] + 1, step]} if even else None


def _value(value: Any) -> Any:
    match value:
        case {"range": [first, end, step]}:
            return tuple(range(first, end, step))
        case {"is": str(name), **told}:
            return _KINDS[name](**{str(k): _value(v) for k, v in told.items()})
        case list():
            return tuple(_value(v) for v in value)
        case _:
            return value
