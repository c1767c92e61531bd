"""Which device llama.cpp gives each block of a model, and what its rules keep in RAM.

Units are counted, never bytes: every block is one unit, blocks that are not loaded (multi-token prediction) as well, and
the output is one more. Source: llama.cpp b11434, src/llama-model.cpp (load_tensors: splits, i_gpu_start,
get_layer_buft_list), src/llama-context.cpp (pipeline_parallel), common/arg.cpp (--n-cpu-moe, --n-cpu-ffn).
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.errors import BadSetting

HOST = -1
"""The number of the host where others are numbers of GPUs."""
MOE = r"blk\.{block}\.ffn_(up|down|gate_up|gate)_(ch|)exps"
"""Experts of one block. common/common.h, LLM_FFN_EXPS_REGEX."""
FFN = r"blk\.{block}\.ffn_(up|down|gate)\."
"""The dense feed-forward network of one block."""
SHARDS = re.compile(r"blk\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class Placement:
    """units: the device of each block, and of the output last: number of a GPU, or HOST; cards: GPUs of the machine;
    used: numbers of the GPUs that llama.cpp was given, in its order; pipeline: True if it keeps four copies of the inputs,
    so that the GPUs can work on four batches at once."""

    units: tuple[int, ...]
    cards: int
    used: tuple[int, ...]
    pipeline: bool

    @property
    def output(self) -> int:
        """The device of the output. A GPU's number, or HOST."""
        return self.units[-1]

    @property
    def first(self) -> int:
        """The GPU that computes with weights that stay in RAM, HOST if there is none."""
        return self.used[0] if self.used else HOST

    def counts(self) -> tuple[int, ...]:
        """Units on each GPU: what --tensor-split would say."""
        return tuple(self.units.count(gpu) for gpu in range(self.cards))

    def blocks(self, device: int) -> tuple[int, ...]:
        """The blocks of a device, whether they are loaded or not."""
        return tuple(i for i, d in enumerate(self.units[:-1]) if d == device)


def place(blocks: int, settings: Settings, free: Sequence[int]) -> Placement:
    """The device of each unit. Raises BadSetting for a placement that llama.cpp refuses.

    blocks: blocks in the file, those of multi-token prediction too; free: free memory of each GPU of the machine [B].
    """
    if settings.backend == "cpu" or not free:
        return Placement((HOST,) * (blocks + 1), 0, (), False)
    _check(settings, len(free), blocks)
    used = _used(settings, len(free))
    asked = _asked(settings, blocks)
    units = shared_out(blocks, asked, _shares(settings, free, used))
    named = tuple(HOST if d == HOST else used[d] for d in units)
    whole = asked == blocks + 1 and settings.split_mode == "layer"
    pipeline = len(used) > 1 and whole and settings.offload_kv and not settings.overridden
    return Placement(named, len(free), used, pipeline)


def shared_out(blocks: int, asked: int, shares: Sequence[float]) -> tuple[int, ...]:
    """The last `asked` of blocks + 1 units over devices with these shares, HOST for the others.

    Single precision, as llama.cpp reckons: unit k goes to the first device whose cumulated share is above k / asked.
    """
    start = blocks + 1 - asked if shares else blocks + 1
    heaped = list(accumulate((_single(s) for s in shares), lambda a, b: _single(a + b)))
    borders = [_single(h / heaped[-1]) for h in heaped]
    placed = (bisect_right(borders, _single(k / asked)) for k in range(blocks + 1 - start))
    return (HOST,) * start + tuple(placed)


def _single(value: float) -> float:
    """Rounded to single precision."""
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded


def _asked(settings: Settings, blocks: int) -> int:
    """Units that go to GPUs: a negative number means all."""
    return blocks + 1 if settings.gpu_layers < 0 else settings.gpu_layers


def _used(settings: Settings, cards: int) -> tuple[int, ...]:
    if settings.split_mode == "layer":
        return tuple(range(cards))
    return (settings.main_gpu,) if settings.main_gpu >= 0 else ()


def _shares(settings: Settings, free: Sequence[int], used: tuple[int, ...]) -> tuple[float, ...]:
    """tensor_split where it says anything, else free memory."""
    given = (*settings.tensor_split, *(0.0,) * len(free))[: len(free)]
    if settings.split_mode == "none":
        return (1.0,) * len(used)
    return given if any(given) else tuple(free)


def _check(settings: Settings, cards: int, blocks: int) -> None:
    """Raises BadSetting for settings that cannot be placed on `cards` GPUs.

    More layers than there are mean all of them to llama.cpp; to us they mean that somebody has another model in mind.
    """
    if settings.gpu_layers > blocks + 1:
        raise BadSetting(
            "gpu_layers is {given}; this model has {blocks} blocks and the output.",
            given=settings.gpu_layers,
            blocks=blocks,
            most=blocks + 1,
            mend="Give at most {most}, or -1 for all.",
        )
    if settings.split_mode == "none" and settings.main_gpu >= cards:
        raise BadSetting(
            "main_gpu is {number}, but there are {n} GPUs, counted from 0.",
            number=settings.main_gpu,
            n=cards,
            mend="Give a smaller number.",
        )
    split = settings.tensor_split
    if len(split) > cards:
        raise BadSetting(
            "tensor_split has {given} shares for {n} GPUs.", given=len(split), n=cards, mend="Give one for each GPU."
        )
    if any(share < 0 for share in split):
        raise BadSetting("tensor_split has a share below zero.", mend="Give 0 or more for each GPU.")
    if split and not any(split):
        raise BadSetting(
            "The shares of tensor_split sum to zero.", mend="Give at least one GPU a share, or leave it out."
        )


def kept(name: str, settings: Settings) -> int | None:
    """Where the rules put a tensor: HOST, the number of a GPU, or None where no rule speaks. The first match wins."""
    if not settings.overridden:
        return None
    for pattern, device in settings.overrides:
        if _compiled(pattern).search(name):
            return HOST if device.upper() in ("CPU", "HOST") else int(re.sub(r"\D", "", device) or 0)
    block = SHARDS.match(name)
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
            "The override {pattern} is no regular expression: {why}.",
            pattern=repr(pattern),
            why=str(why),
            mend="Mend it.",
        ) from why
