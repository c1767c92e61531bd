"""What llama-server loads beside the model: a projector for images or sound, and LoRA adapters. Their own GGUF headers tell.

Source: llama.cpp b11434, tools/mtmd/clip.cpp (clip_model_loader, reserve_compute_meta), src/llama-adapter.cpp.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from gyakusan.core.arrays import Number
from gyakusan.core.ledger import Account, Basis, Line
from gyakusan.core.machine import Machine
from gyakusan.core.model import Extra, Model, Tensor
from gyakusan.engines.llamacpp.buffers.weights import stored
from gyakusan.engines.llamacpp.multi_gpu import ledger as split_accounts
from gyakusan.engines.llamacpp.placement import bytes_per_device
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.errors import BadSetting, GyakusanError
from gyakusan.message import say
from gyakusan.units import MIB

Placed = tuple[int, Line]
"""A line and its device: the number of a GPU, or HOST."""
PROJECTOR, ADAPTER = "clip", "adapter"
F32 = 4
VECTORS = 6
"""Vectors of a patch that are live together beside the network's middle, at most: read in clip.cpp (build_vit)."""
FEWEST, MOST = 256, 4 * 46 * 46
"""Patches of the image that the server reserves for: one that the models set low, and 46 x 46 tokens of 4 patches each."""
UNREAD = (32 * MIB, 256 * MIB, 1024 * MIB)
"""Compute buffer of a projector whose header was not read: a guess and its bounds. [B]"""


@dataclass(frozen=True, slots=True)
class Beside:
    """One file. tensors: () if only its size is known; bytes: as stored [B]; metadata: of its header."""

    source: str
    bytes: int
    tensors: tuple[Tensor, ...] = ()
    metadata: tuple[tuple[str, Any], ...] = ()

    def __getitem__(self, key: str) -> int:
        """A number of the metadata, 0 if it has none."""
        value = dict(self.metadata).get(key, 0)
        return value if isinstance(value, int) else 0


def added(model: Model, settings: Settings, machine: Machine, accounts: tuple[Account, ...]) -> tuple[Account, ...]:
    """`accounts` with the lines of projector and adapters. Raises BadSetting, BadReference, BadModel."""
    return onto(accounts, (*_projector(model, settings), *_adapters(model, settings, machine)))


def onto(accounts: tuple[Account, ...], lines: Iterable[Placed]) -> tuple[Account, ...]:
    """`accounts` with more lines. Unified memory, or a CPU alone, has one account for both."""
    found = list(accounts)
    last = len(found) - 1
    for device, line in lines:
        hosted = last if found[last].device.kind == "host" else 0
        at = hosted if device == HOST else min(device, last)
        found[at] = replace(found[at], lines=(*found[at].lines, line))
    return tuple(found)


def projector(model: Model, settings: Settings) -> Beside | None:
    """The projector asked for, else the one that came with the model. Raises BadSetting, BadReference, BadModel."""
    if settings.projector is None:
        return None
    offered = _extras(model, "projector")
    own = next((e for e in offered if e.source == settings.projector), None)
    if own is None and settings.projector:
        return _checked(settings.projector, PROJECTOR)
    return _of(own or offered[0]) if offered else None


def adapters(model: Model, settings: Settings) -> tuple[Beside, ...]:
    """The adapters asked for, then those that came with the model. Raises BadSetting, BadReference, BadModel."""
    return (*(_checked(path, ADAPTER) for path in settings.lora), *(_of(e) for e in _extras(model, "adapter")))


def came(model: Model, settings: Settings) -> Settings:
    """`settings` that name the projector which came with the model, unless they say otherwise."""
    found = next((e.source for e in _extras(model, "projector") if e.source), "")
    return replace(settings, projector=found) if settings.projector == "" and found else settings


def _extras(model: Model, kind: str) -> list[Extra]:
    return [e for e in (model.stored.extras if model.stored else ()) if e.kind == kind and e.bytes]


def _of(extra: Extra) -> Beside:
    """Its header where it lies on this computer, else its size."""
    if os.path.isfile(extra.source):
        try:
            return _header(extra.source)
        except GyakusanError:
            pass
    return Beside(extra.source, extra.bytes)


def _checked(path: str, wanted: str) -> Beside:
    found = _header(path)
    said = dict(found.metadata)
    kind = said.get("general.type") if wanted == ADAPTER else said.get("general.architecture")
    if kind != wanted:
        what = say("LoRA adapter") if wanted == ADAPTER else say("projector")
        raise BadSetting(
            "{file} is no {what}: it says {kind}.", file=path, what=what, kind=kind or "-",
            mend="Give the GGUF that was made for that.",
        )  # fmt: skip
    return found


def _header(path: str) -> Beside:
    from gyakusan.models.sources import disk

    return _read(path, disk.stamp(path))


@lru_cache(maxsize=32)
def _read(path: str, stamp: tuple[int, int] | None) -> Beside:
    """The header of one file. stamp: see disk.stamp; a file that was downloaded again is read again."""
    from gyakusan.models.formats import gguf
    from gyakusan.models.sources import disk

    header = gguf.read_parts(path, disk.open)
    tensors = tuple(Tensor(t.name, t.shape, t.type) for t in header.tensors)
    kept = tuple((k, v) for k, v in header.metadata.items() if isinstance(v, (str, int)))
    return Beside(path, sum(t.bytes for t in tensors), tensors, kept)


def _projector(model: Model, settings: Settings) -> Iterator[Placed]:
    """Its weights and its own compute buffer, on the first GPU."""
    found = projector(model, settings)
    if found is None:
        return
    where = HOST if settings.backend == "cpu" else max(0, settings.main_gpu)
    size = sum(stored(t, settings.stores) for t in found.tensors) or found.bytes
    name = os.path.basename(found.source) or model.name
    basis: Basis = "derived" if found.tensors else "read"
    yield where, Line("weights.projector", size, basis, say("the projector {file}, for images or sound", file=name))
    low, best, high = working(found)
    reason = say("the projector's compute buffer; it grows with the image")
    yield where, Line("compute.projector", best, "assumed", reason, low=low, high=high)


def working(found: Beside) -> tuple[Number, Number, Number]:
    """Least, usual and most that a projector computes in. [B] Nobody measured it: bounds from the graph that clip.cpp builds.

    A patch has VECTORS of the encoder's width and the middle of its network; without flash attention scores besides.
    """
    kind = "vision" if found["clip.vision.embedding_length"] else "audio"
    width, middle = (found[f"clip.{kind}.{key}_length"] for key in ("embedding", "feed_forward"))
    if not width:
        return UNREAD
    side, patch = found["clip.vision.image_size"], found["clip.vision.patch_size"] or 1
    usual = max(FEWEST, min(MOST, (side // patch) ** 2)) if kind == "vision" else 1500
    each = F32 * (VECTORS * width + middle)
    scores = F32 * found[f"clip.{kind}.attention.head_count"] * usual * usual
    return F32 * FEWEST * 3 * width, usual * each, max(MOST * each, usual * each + scores)


def _adapters(model: Model, settings: Settings, machine: Machine) -> Iterator[Placed]:
    """Both matrices of a pair live where the model's own tensor does."""
    for found in adapters(model, settings):
        name = os.path.basename(found.source) or ADAPTER
        reason = say("the LoRA adapter {file}", file=name)
        if not found.tensors:
            yield 0 if settings.backend != "cpu" else HOST, Line("weights.adapter", found.bytes, "read", reason)
            continue
        sums: dict[int, int] = {}
        for tensor, device in _pairs(model, settings, machine, found):
            size = stored(tensor, "cpu" if device == HOST else settings.stores)
            sums[device] = sums.get(device, 0) + size
        yield from ((device, Line("weights.adapter", size, "derived", reason)) for device, size in sums.items())


def _pairs(model: Model, settings: Settings, machine: Machine, found: Beside) -> Iterator[tuple[Tensor, int]]:
    """The adapter's tensors with their devices. Raises BadSetting if it was made for another model."""
    homes = _homes(model, settings, machine)
    for tensor in found.tensors:
        base = tensor.name.removesuffix(".lora_a").removesuffix(".lora_b")
        if base == tensor.name:
            continue  # norms are skipped by llama.cpp as well
        if base not in homes:
            raise BadSetting(
                "{file} adapts {tensor}, which {name} does not have.", file=found.source, tensor=base, name=model.name,
                mend="Give the adapter of this model.",
            )  # fmt: skip
        yield tensor, homes[base]


def _homes(model: Model, settings: Settings, machine: Machine) -> dict[str, int]:
    if settings.backend == "cpu":
        return {t.name: HOST for t in model.tensors}
    if len(machine.gpus) == 1 and settings.plain:
        return {t.name: HOST if t.name in model.tables else 0 for t in model.tensors}
    placement = split_accounts.placed(model, settings, machine)
    return {t.name: device for t, device in bytes_per_device.homes(model, settings, placement)}
