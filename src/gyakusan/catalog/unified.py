"""Memory that an engine may not have, mostly where CPU and GPU share one memory: how much, why, how sure."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from gyakusan.core.machine import Basis
from gyakusan.message import Message, say
from gyakusan.units import GIB, MIB, format_bytes

Rule = Literal["", "apple", "strix", "spark", "jetson", "igpu", "os"]
"""Name of a function below that tells how much of a memory is usable; "" = none is needed."""


class Reserve(Struct, frozen=True):
    """Memory that no engine can use.

    bytes: not usable [B]
    basis: where the figure comes from
    reason: a sentence for the reader
    """

    bytes: int
    basis: Basis
    reason: Message


APPLE_LIMITS: dict[int, tuple[int, str]] = {
    16: (10922, "M1, llama-cpp-python#687"),
    32: (21845, "M1 Max, M2 Max, ollama#434, llama.cpp#2011"),
    36: (27648, "ggml_metal log, 28991.03 MB"),
    48: (36864, "ggml_metal log, 38654.71 MB"),
    64: (49152, "M1 Max, M2 Max, llama.cpp#1870"),
    96: (73728, "M2 Max, llama.cpp#3213"),
    128: (110100, "M4 Max, M5 Max, llama-server --list-devices, ds4#893"),
    192: (165150, "M2 Ultra, llama.cpp#18919"),
}
"""Memory as sold [GiB] -> what Metal grants the GPU by default [MiB], and where it was seen. 67 % to 84 %: no fixed share.

The figure is recommendedMaxWorkingSetSize. Some 16 GB and 24 GB Macs (M3) grant 74 %; macOS versions may differ.
"""

DRIVER_RESERVED = 464 * MIB
"""FB Memory Usage, Reserved, of an RTX 5070 (libc6-shim issue 14); RTX 4070 Laptop: 383 MiB (llama.cpp pull 20184)."""

APPLE_SMALL, APPLE_LARGE = 2 / 3, 3 / 4
"""The careful end of the shares seen up to 32 GiB, and above. Used where nobody measured."""

SPARK_RESERVED = 8823 * MIB
"""MemTotal - MemAvailable of an idle DGX Spark: 127600748 - 118566368 kB (nvitop pull 208)."""

OS_RESERVED = 2 * GIB
"""An idle Linux desktop or Windows in a computer that serves models: assumed."""


def apple(memory: int, wired_limit: int | None = None) -> Reserve:
    """Return what macOS keeps from the GPU. wired_limit: sysctl iogpu.wired_limit_mb, None or 0 if not set [B]."""
    if wired_limit:
        reason = say("macOS lets the GPU use {limit} (iogpu.wired_limit_mb).", limit=format_bytes(wired_limit))
        return Reserve(max(0, memory - wired_limit), "read", reason)
    limit = APPLE_LIMITS.get(round(memory / GIB))
    if limit:
        usable = min(memory, limit[0] * MIB)
        reason = say(
            "macOS lets the GPU use {limit} on a Mac of this size; measured: {seen}.",
            limit=format_bytes(usable),
            seen=limit[1],
        )
        return Reserve(memory - usable, "measured", reason)
    share = APPLE_SMALL if memory <= 32 * GIB else APPLE_LARGE
    reason = say(
        "macOS lets the GPU use 67 to 84 % of the memory. This size was not measured: {share} % is assumed.",
        share=round(share * 100),
    )
    return Reserve(memory - int(memory * share), "assumed", reason)


def strix(memory: int) -> Reserve:
    """Return the reserve of a Ryzen AI Max that is known by name only. memory: as sold [B].

    The firmware's carve-out reaches 96 of 128 GB, and so does GTT with ttm.pages_limit=25165824 (nix-amd-ai issue 42:
    96 GiB GTT and 4 GiB VRAM). Linux grants about half without it; 120 GiB have been seen with larger limits.
    """
    reason = say(
        "Three quarters are usable with the largest carve-out or with ttm.pages_limit; otherwise Linux allows half."
    )
    return Reserve(memory - memory * 3 // 4, "assumed", reason)


def spark(memory: int) -> Reserve:
    """Return what OS and desktop of an idle DGX Spark keep. memory: MemTotal [B]."""
    reserved = min(memory, SPARK_RESERVED)
    return Reserve(reserved, "measured", say("The OS of an idle DGX Spark keeps {kept}.", kept=format_bytes(reserved)))


def jetson(memory: int) -> Reserve:
    """Return what firmware and OS of a Jetson keep. memory: as sold [B].

    An 8 GB Orin Nano reports 7.4 GiB (beszel issue 286); what its OS keeps of that was not measured.
    """
    reserved = min(memory, max(3 * GIB // 2, memory * 8 // 100))
    reason = say("The firmware and OS of a Jetson keep about {kept}.", kept=format_bytes(reserved))
    return Reserve(reserved, "assumed", reason)


def igpu(memory: int) -> Reserve:
    """Return the half of the RAM that GTT and Windows keep from a built-in GPU. memory: RAM as sold [B]."""
    reason = say("A built-in GPU may use half of the RAM, unless ttm.pages_limit is set.")
    return Reserve(memory - memory // 2, "assumed", reason)


def desktop(memory: int) -> Reserve:
    """Return what an idle desktop keeps of a computer without a GPU. memory: RAM as sold [B]."""
    reserved = min(memory, OS_RESERVED)
    return Reserve(reserved, "assumed", say("The OS keeps about {kept}.", kept=format_bytes(reserved)))


def shared(memory: int, available: int) -> Reserve:
    """Return what a running computer uses now. memory: MemTotal; available: MemAvailable, with page cache [B]."""
    used = max(0, memory - available)
    return Reserve(used, "read", say("{kept} is in use now (MemTotal - MemAvailable).", kept=format_bytes(used)))


def driver() -> Reserve:
    """Return what the driver of an NVIDIA card keeps, so that CUDA counts less than nvidia-smi. No display."""
    reason = say("The driver keeps about {kept}; a display needs more.", kept=format_bytes(DRIVER_RESERVED))
    return Reserve(DRIVER_RESERVED, "assumed", reason)


def by_rule(rule: Rule, memory: int) -> Reserve | None:
    """Return the reserve that a catalogue rule names, None for no rule."""
    rules = {"apple": apple, "strix": strix, "spark": spark, "jetson": jetson, "igpu": igpu, "os": desktop}
    return rules[rule](memory) if rule else None
