"""A projector for images or sound, and LoRA adapters: their own GGUF headers tell what they take.

Source: llama.cpp b11434, tools/mtmd/clip.cpp (clip_model_loader, reserve_compute_meta), src/llama-adapter.cpp.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from msgspec import structs

from gyakusan.core.ledger import Account, Basis, Line
from gyakusan.core.machine import Machine
from gyakusan.core.model import Extra, Model, Tensor
from gyakusan.engines.llamacpp.backends import F16, F32
from gyakusan.engines.llamacpp.buffers.weights import stored
from gyakusan.engines.llamacpp.multi_gpu.ledger import placed
from gyakusan.engines.llamacpp.placement import bytes_per_device
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.errors import BadSetting, GyakusanError
from gyakusan.message import Message, say
from gyakusan.units import MIB


@dataclass(frozen=True, slots=True)
class Encoder:
    """An image encoder, as far as its compute buffer at start depends on it.

    patches: of the image that the server reserves for
    width: of its vectors [values]
    middle: of its feed-forward network [values]
    gated: gate and up are alive together
    windows: a mask of all patches against all is kept in f32 and f16: windowed attention
    """

    patches: int
    width: int
    middle: int
    gated: bool = False
    windows: bool = False


DeviceLine = tuple[int, Line]
"""The number of a GPU, or HOST, and a line of its account."""
PROJECTOR, ADAPTER = "clip", "adapter"
PATCH_VECTORS = 6
"""Vectors of a patch that are alive besides the network's middle, at most: read in clip.cpp (build_vit)."""
MIN_PATCHES, MAX_PATCHES = 256, 4 * 46 * 46
"""Patches of the image that the server reserves for: one that the models set low, and 46 x 46 tokens of 4 patches each."""
AUDIO_FRAMES = 1500
"""Frames of sound that the server reserves for."""
UNREAD_BUFFER = (32 * MIB, 256 * MIB, 1024 * MIB)
"""Compute buffer of a projector whose header was not read: low end, guess, high end. [B]"""


SPREAD = 0.14
"""What a projector's buffer may be off to either side: +0.9 % for Qwen3.6's (248.10 MiB), +1.2 % for Qwen2.5-VL-3B's (704.79)."""
_QWEN = Encoder(MAX_PATCHES, 1152, 4304)
_PIXTRAL = Encoder(MAX_PATCHES, 1024, 4096, gated=True)
ENCODERS: Mapping[str, Encoder] = {
    "qwen2": Encoder(MAX_PATCHES, 1280, 3420, gated=True, windows=True),
    "qwen2vl": Encoder(MAX_PATCHES, 1280, 3420, gated=True, windows=True),
    "qwen3": _QWEN,
    "qwen3moe": _QWEN,
    "qwen3vl": _QWEN,
    "qwen3vlmoe": _QWEN,
    "qwen35": _QWEN,
    "qwen35moe": _QWEN,
    "gemma3": Encoder(4096, 1152, 4304),
    "mistral3": _PIXTRAL,
    "llama": _PIXTRAL,
}
"""Architecture of the model -> the encoder published with it. clip.cpp: 46 x 46 tokens are reserved where sizes differ."""


@dataclass(frozen=True, slots=True)
class ExtraFile:
    """One file that is loaded besides the model.

    source: path or address, "" if it is part of the model's file
    bytes: as stored [B]
    tensors: of its header, () if only its size is known
    metadata: texts and numbers of its header
    problem: why its header could not be read, None if it was read or is not on this computer
    """

    source: str
    bytes: int
    tensors: tuple[Tensor, ...] = ()
    metadata: tuple[tuple[str, str | int], ...] = ()
    problem: Message | None = None

    def number(self, key: str) -> int:
        """Return a number of the metadata, 0 if it has none."""
        value = dict(self.metadata).get(key, 0)
        return value if isinstance(value, int) else 0


def with_extras(
    model: Model, settings: Settings, machine: Machine, accounts: tuple[Account, ...]
) -> tuple[Account, ...]:
    """Return `accounts` with the lines of projector and adapters. Raises BadSetting, BadReference, BadModel."""
    return append_lines(accounts, (*_projector_lines(model, settings), *_adapter_lines(model, settings, machine)))


def append_lines(accounts: tuple[Account, ...], lines: Iterable[DeviceLine]) -> tuple[Account, ...]:
    """Return `accounts` with more lines. Unified memory, or a CPU alone, has one account for both."""
    out = list(accounts)
    last = len(out) - 1
    for device, line in lines:
        host = last if out[last].device.kind == "host" else 0
        at = host if device == HOST else min(device, last)
        out[at] = structs.replace(out[at], lines=(*out[at].lines, line))
    return tuple(out)


def notes(model: Model, settings: Settings) -> tuple[Message, ...]:
    """Return a sentence for each file that is on this computer and whose header cannot be read."""
    file = projector(model, settings)
    files = (*((file,) if file else ()), *adapters(model, settings))
    return tuple(
        say("{why} Only the size of {file} is counted.", why=f.problem, file=os.path.basename(f.source))
        for f in files
        if f.problem
    )


def projector(model: Model, settings: Settings) -> ExtraFile | None:
    """Return the projector of the settings, else the one that came with the model, else None.

    Raises BadSetting, BadReference, BadModel for a given file that is no projector.
    """
    if settings.projector is None:
        return None
    offered = _extras(model, "projector")
    own = next((e for e in offered if e.source == settings.projector), None)
    if own is None and settings.projector:
        return _checked(settings.projector, PROJECTOR)
    if own is None and settings.projector_bytes:
        return ExtraFile("", settings.projector_bytes)
    return _extra_file(own or offered[0]) if offered else None


def adapters(model: Model, settings: Settings) -> tuple[ExtraFile, ...]:
    """Return the adapters of the settings, then those that came with the model.

    Raises BadSetting, BadReference, BadModel for a given file that is no adapter.
    """
    given = (_checked(path, ADAPTER) for path in settings.lora)
    return (*given, *(_extra_file(e) for e in _extras(model, "adapter")))


def default_projector(model: Model, settings: Settings) -> Settings:
    """Return settings that name the projector which came with the model, unless they say otherwise."""
    source = next((e.source for e in _extras(model, "projector") if e.source), "")
    return replace(settings, projector=source) if settings.projector == "" and source else settings


def _extras(model: Model, kind: str) -> list[Extra]:
    return [e for e in (model.stored.extras if model.stored else ()) if e.kind == kind and e.bytes]


def _extra_file(extra: Extra) -> ExtraFile:
    """Return the file with its header if it is on this computer and can be read, else with its size alone."""
    if not os.path.isfile(extra.source):
        return ExtraFile(extra.source, extra.bytes)
    try:
        return _read(extra.source)
    except GyakusanError as error:
        return ExtraFile(extra.source, extra.bytes, problem=error.message)


def _checked(path: str, wanted: str) -> ExtraFile:
    """Return the file at `path`. Raises BadSetting if it is not of the `wanted` kind."""
    file = _read(path)
    metadata = dict(file.metadata)
    kind = metadata.get("general.type") if wanted == ADAPTER else metadata.get("general.architecture")
    if kind != wanted:
        what = say("LoRA adapter") if wanted == ADAPTER else say("projector")
        raise BadSetting(
            "{file} is not a {what}: its type is {kind}.", file=path, what=what, kind=kind or "-",
            mend="Give the GGUF file that was made for this.",
        )  # fmt: skip
    return file


def _read(path: str) -> ExtraFile:
    from gyakusan.doors import files

    return _read_header(path, files.stamp(path))


@lru_cache(maxsize=32)
def _read_header(path: str, stamp: tuple[int, int] | None) -> ExtraFile:
    """Return the file with its header. stamp: see files.stamp; a file that was written again is read again."""
    from gyakusan.doors import files
    from gyakusan.models.formats import gguf

    header = gguf.read_parts(path, files.open)
    tensors = tuple(Tensor(t.name, t.shape, t.type) for t in header.tensors)
    metadata = tuple((k, v) for k, v in header.metadata.items() if isinstance(v, str | int))
    return ExtraFile(path, sum(t.bytes for t in tensors), tensors, metadata)


def _projector_lines(model: Model, settings: Settings) -> Iterator[DeviceLine]:
    """Return the projector's weights and its own compute buffer, on the first GPU."""
    file = projector(model, settings)
    if file is None:
        return
    device = HOST if settings.backend == "cpu" else max(0, settings.main_gpu)
    size = sum(stored(t, settings.allocation_rules) for t in file.tensors) or file.bytes
    name = os.path.basename(file.source) or model.name
    basis: Basis = "derived" if file.tensors else "read"
    yield device, Line("weights.projector", size, basis, say("projector {file}, for images or sound", file=name))
    low, best, high = compute_buffer_range(file, model.architecture)
    reason = say("compute buffer of the projector; it grows with the image")
    yield device, Line("compute.projector", best, "assumed", reason, low=low, high=high)


def encoder_buffer(encoder: Encoder) -> int:
    """Return the compute buffer of an encoder with flash attention [B].

    At its feed-forward network: the residual vector, the normed input, the output, and the middle; gate and up with one vector
    less. Source: clip.cpp (build_vit, build_ffn), seen on two servers.
    """
    middle = encoder.middle * (2 if encoder.gated else 1)
    size = F32 * encoder.patches * (middle + (2 if encoder.gated else 3) * encoder.width)
    return size + (encoder.patches**2 * (F32 + F16) if encoder.windows else 0)


def compute_buffer_range(file: ExtraFile, architecture: str = "") -> tuple[int, int, int]:
    """Return low end, usual size and high end of a projector's compute buffer [B].

    Of an encoder of a known line, see `encoder_buffer`; else bounds from the graph that clip.cpp builds: a patch has
    PATCH_VECTORS of the encoder's width and the middle of its network; without flash attention scores besides.
    """
    known = ENCODERS.get(architecture)
    if known is not None and not file.tensors:
        best = encoder_buffer(known)
        return round(best * (1 - SPREAD)), best, round(best * (1 + SPREAD))
    kind = "vision" if file.number("clip.vision.embedding_length") else "audio"
    width, middle = (file.number(f"clip.{kind}.{key}_length") for key in ("embedding", "feed_forward"))
    if not width:
        return UNREAD_BUFFER
    side, patch = file.number("clip.vision.image_size"), file.number("clip.vision.patch_size") or 1
    patches = max(MIN_PATCHES, min(MAX_PATCHES, (side // patch) ** 2)) if kind == "vision" else AUDIO_FRAMES
    each = F32 * (PATCH_VECTORS * width + middle)
    scores = F32 * file.number(f"clip.{kind}.attention.head_count") * patches * patches
    return F32 * MIN_PATCHES * 3 * width, patches * each, max(MAX_PATCHES * each, patches * each + scores)


def _adapter_lines(model: Model, settings: Settings, machine: Machine) -> Iterator[DeviceLine]:
    """Return the lines of the adapters: both matrices of a pair are where the model's own tensor is."""
    for file in adapters(model, settings):
        reason = say("LoRA adapter {file}", file=os.path.basename(file.source) or ADAPTER)
        if not file.tensors:
            yield 0 if settings.backend != "cpu" else HOST, Line("weights.adapter", file.bytes, "read", reason)
            continue
        sizes: dict[int, int] = {}
        for tensor, device in _adapter_tensors(model, settings, machine, file):
            size = stored(tensor, "cpu" if device == HOST else settings.allocation_rules)
            sizes[device] = sizes.get(device, 0) + size
        yield from ((device, Line("weights.adapter", size, "derived", reason)) for device, size in sizes.items())


def _adapter_tensors(
    model: Model, settings: Settings, machine: Machine, file: ExtraFile
) -> Iterator[tuple[Tensor, int]]:
    """Return the adapter's tensors with their devices. Raises BadSetting if it was made for another model."""
    devices = _tensor_devices(model, settings, machine)
    for tensor in file.tensors:
        base = tensor.name.removesuffix(".lora_a").removesuffix(".lora_b")
        if base == tensor.name:
            continue  # norms are skipped by llama.cpp as well
        if base not in devices:
            raise BadSetting(
                "{file} adapts the tensor {tensor}, which {name} does not have.", file=file.source, tensor=base, name=model.name,
                mend="Give an adapter made for this model.",
            )  # fmt: skip
        yield tensor, devices[base]


def _tensor_devices(model: Model, settings: Settings, machine: Machine) -> dict[str, int]:
    if settings.backend == "cpu":
        return {t.name: HOST for t in model.tensors}
    if len(machine.gpus) == 1 and settings.on_one_device:
        return {t.name: HOST if t.name in model.tables else 0 for t in model.tensors}
    placement = placed(model, settings, machine)
    return {t.name: device for t, device in bytes_per_device.homes(model, settings, placement)}
