"""What llama.cpp takes outside its own buffers: always a range, from what was seen."""

from __future__ import annotations

from dataclasses import replace

from gyakusan.core.ledger import Line
from gyakusan.engines.llamacpp.backends import GpuBackend
from gyakusan.message import say
from gyakusan.units import GIB, MIB

SEEN_CUDA = tuple(x * MIB for x in (73, 133, 154, 252, 325, 456))
"""CUDA context, cuBLAS and kernel pools, graphs: public load logs of boxes without a display, one card. [B]"""
SEEN_PROCESS = (20 * MIB, 40 * MIB, 150 * MIB)
"""Resident memory of llama-server beyond its buffers: least, usual, most seen with SmolLM2 and with vocabularies of 256k. [B]"""
PROMPT_CACHE = 8 * GIB
"""--cache-ram: idle conversations are kept in RAM up to this (tools/server, default 8192 MiB). [B]"""


def cuda() -> Line:
    """The driver's and the libraries' share of a card. [B]"""
    low, best, high = SEEN_CUDA[0], sum(SEEN_CUDA[2:4]) // 2, SEEN_CUDA[-1]
    reason = say("CUDA context, cuBLAS and kernels, as seen on {n} boxes", n=len(SEEN_CUDA))
    return Line("overhead.driver", best, "measured", reason, low=low, high=high)


def driver(name: GpuBackend) -> Line:
    """The same for any driver. [B] Nobody measured others than CUDA: its figure stands in, from nothing."""
    if name == "cuda":
        return cuda()
    reason = say("the driver's own memory; measured for CUDA only, whose figure stands in")
    return replace(cuda(), basis="assumed", reason=reason, low=0)


def process() -> Line:
    """The server process itself, in RAM. [B]"""
    low, best, high = SEEN_PROCESS
    return Line("overhead.process", best, "measured", say("the server process and its vocabulary"), low=low, high=high)


def prompt_cache() -> Line:
    """Idle conversations kept in RAM: nothing at the start, grows to its limit. [B]"""
    reason = say("prompt cache: grows with use up to --cache-ram {limit} MiB", limit=PROMPT_CACHE // MIB)
    return Line("overhead.prompt_cache", 0, "derived", reason, low=0, high=PROMPT_CACHE, grows=True)
