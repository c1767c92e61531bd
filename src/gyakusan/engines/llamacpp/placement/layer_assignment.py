"""Which device llama.cpp gives each block of a model, and which tensors its rules move elsewhere.

It counts units, never bytes: every block is one unit, blocks that are not loaded (multi-token prediction) as well, and
the output is one more. Source: llama.cpp b11434, src/llama-model.cpp (load_tensors: splits, i_gpu_start,
get_layer_buft_list), src/llama-context.cpp (pipeline_parallel), common/arg.cpp (--n-cpu-moe, --n-cpu-ffn).
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

from msgspec import Struct

from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.errors import BadSetting
from gyakusan.message import quoted

HOST = -1
"""The number of the host where others are numbers of GPUs."""
MOE = r"blk\.{block}\.ffn_(up|down|gate_up|gate)_(ch|)exps"
"""Experts of one block. common/common.h, LLM_FFN_EXPS_REGEX."""
FFN = r"blk\.{block}\.ffn_(up|down|gate)\."
"""The dense feed-forward network of one block."""
_BLOCK = re.compile(r"blk\.(\d+)\.")


class Placement(Struct, frozen=True):
    """The device of each unit of a model.

    units: device of each block, and of the output last: the number of a GPU, or HOST
    cards: GPUs of the machine
    used: numbers of the GPUs that llama.cpp was given, in its order
    pipeline: True if four copies of the inputs are kept, so that the GPUs work on four batches at once
    """

    units: tuple[int, ...]
    cards: int
    used: tuple[int, ...]
    pipeline: bool

    @property
    def output(self) -> int:
        """Return the device of the output: a GPU's number, or HOST."""
        return self.units[-1]

    @property
    def first(self) -> int:
        """Return the GPU that computes with weights that stay in RAM, HOST if there is none."""
        return self.used[0] if self.used else HOST

    @property
    def devices(self) -> tuple[int, ...]:
        """Return every device of the machine: its GPUs, then HOST."""
        return (*range(self.cards), HOST)

    def counts(self) -> tuple[int, ...]:
        """Return the units on each GPU: what --tensor-split would say."""
        return tuple(self.units.count(gpu) for gpu in range(self.cards))

    def blocks(self, device: int) -> tuple[int, ...]:
        """Return the numbers of a device's blocks, whether they are loaded or not."""
        return tuple(i for i, d in enumerate(self.units[:-1]) if d == device)


def place(blocks: int, settings: Settings, free: Sequence[int]) -> Placement:
    """Return the device of each unit. Raises BadSetting for a placement that llama.cpp refuses.

    blocks: blocks in the file, those of multi-token prediction too; free: free memory of each GPU of the machine [B].
    """
    if settings.backend == "cpu" or not free:
        return Placement((HOST,) * (blocks + 1), 0, (), False)
    _check(settings, len(free), blocks)
    used = _used_gpus(settings, len(free))
    on_gpus = blocks + 1 if settings.gpu_layers < 0 else settings.gpu_layers
    shared = share_out(blocks, on_gpus, _shares(settings, free, used))
    units = tuple(HOST if d == HOST else used[d] for d in shared)
    whole = on_gpus == blocks + 1 and settings.split_mode == "layer"
    waits = bool(settings.rpc) and settings.of_build.one_batch
    pipeline = len(used) > 1 and whole and settings.offload_kv and not settings.overridden and not waits
    return Placement(units, len(free), used, pipeline)


def share_out(blocks: int, on_gpus: int, shares: Sequence[float]) -> tuple[int, ...]:
    """Return the device of each of blocks + 1 units: the last `on_gpus` on devices with these shares, HOST for the others.

    In single precision, as llama.cpp computes: unit k goes to the first device whose cumulated share is above k / on_gpus.
    """
    start = blocks + 1 - on_gpus if shares else blocks + 1
    sums = list(accumulate((_single(s) for s in shares), lambda a, b: _single(a + b)))
    borders = [_single(s / sums[-1]) for s in sums]
    placed = (bisect_right(borders, _single(k / on_gpus)) for k in range(blocks + 1 - start))
    return (HOST,) * start + tuple(placed)


def _single(value: float) -> float:
    """Return `value` rounded to single precision."""
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded


def _used_gpus(settings: Settings, cards: int) -> tuple[int, ...]:
    if settings.split_mode == "layer":
        return tuple(range(cards))
    return (settings.main_gpu,) if settings.main_gpu >= 0 else ()


def _shares(settings: Settings, free: Sequence[int], used: tuple[int, ...]) -> tuple[float, ...]:
    """Return the share of each GPU: tensor_split if any of it is above 0, else free memory."""
    given = (*settings.tensor_split, *(0.0,) * len(free))[: len(free)]
    if settings.split_mode == "none":
        return (1.0,) * len(used)
    return given if any(given) else tuple(free)


def _check(settings: Settings, cards: int, blocks: int) -> None:
    """Raise BadSetting for settings that cannot be placed on `cards` GPUs.

    To llama.cpp, more layers than there are mean all of them; to us they mean that somebody has another model in mind.
    """
    if settings.gpu_layers > blocks + 1:
        raise BadSetting(
            "gpu_layers is {given}, but this model has {blocks} blocks and the output.", given=settings.gpu_layers,
            blocks=blocks, most=blocks + 1, mend="Give at most {most}, or -1 for all.",
        )  # fmt: skip
    if settings.split_mode == "none" and settings.main_gpu >= cards:
        raise BadSetting(
            "main_gpu is {number}, but there are {n} GPUs (counted from 0).", number=settings.main_gpu, n=cards,
            mend="Give a smaller number.",
        )  # fmt: skip
    split = settings.tensor_split
    if len(split) > cards:
        raise BadSetting(
            "tensor_split has {given} shares for {n} GPUs.", given=len(split), n=cards, mend="Give one for each GPU."
        )
    if any(share < 0 for share in split):
        raise BadSetting("A share of tensor_split is below zero.", mend="Give 0 or more for each GPU.")
    if split and not any(split):
        raise BadSetting(
            "The shares of tensor_split add up to zero.",
            mend="Give at least one GPU a share, or leave out tensor_split.",
        )


def override_device(name: str, settings: Settings) -> int | None:
    """Return the device that the rules give a tensor: HOST or a GPU, None if no rule matches. The first match wins."""
    if not settings.overridden:
        return None
    for pattern, device in settings.overrides:
        if _compiled(pattern).search(name):
            return HOST if device.upper() in ("CPU", "HOST") else int(re.sub(r"\D", "", device) or 0)
    block = _BLOCK.match(name)
    number = int(block.group(1)) if block else -1
    for limit, rule in ((settings.n_cpu_moe, MOE), (settings.n_cpu_ffn, FFN)):
        if 0 <= number < limit and _compiled(rule.format(block=number)).search(name):
            return HOST
    return None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as why:
        raise BadSetting(
            "The override {pattern} is not a regular expression: {why}.", pattern=quoted(pattern), why=str(why),
            mend="Correct the regular expression.",
        ) from why  # fmt: skip
