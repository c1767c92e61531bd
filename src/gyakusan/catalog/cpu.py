"""Treat a CPU as a chip that computes: assumed rates of a core, constants of llama.cpp on it, and their error.

Too few CPUs were measured with their memory named to fit anything. The figures are round numbers that agree with what
people published of a Raspberry Pi 5, an N150, a Ryzen 7 7840HS, a Core Ultra 7 155H and an AmpereOne with 192 cores
(README of geerlingguy/ai-benchmarks; localmaxxing): decode between 0.6 and 1.2 of what is said here, prompts within 2.
"""

from __future__ import annotations

import re

from gyakusan.catalog.chips import Chip
from gyakusan.core.machine import Machine, Simd
from gyakusan.core.roofline import SpeedConstants
from gyakusan.patterns import late

CPU = "cpu"
"""Family and API of a CPU."""
RATES: dict[Simd, float] = {"none": 3e9, "neon": 25e9, "avx2": 40e9, "avx512": 90e9}
"""What one core reaches in prompts with quantised weights: half of a desktop's best, to suit laptops too [FLOP/s]."""
FORMATS = {"q4": 1.3, "q4k": 1.3, "q8": 1.1, "fp4": 1.1, "f16": 1.0, "bf16": 1.0}
"""Share of that by group of quantisations: which are repacked for products of several rows (llama.cpp
b11434: ggml-cpu/repack.cpp). An 8-core Ryzen 7 7840HS reads 1,657 tokens/s of LFM2-350M in Q4_0, 1,560 in Q4_K_M, 1,379 in
Q8_0, 970 in Q2_K (localmaxxing)."""
OTHER_FORMATS = 0.85
"""The same for every other group."""
ONE_ROW = 0.6
"""Share of that while decoding: weights are unpacked for one row only."""
GROUPED = 0.8
"""What a conversation of four or more costs in the matrix products of a step, of what one alone costs: about the median
(0.82; 0.64 to 1.1, once 1.57) of Q4_0, Q4_1, Q4_K, Q6_K, Q8_0 and F16 at 4, 6, 8 and 16 conversations, processor time of one
thread of an EPYC with AVX-512 and xllamacpp b11549, 2026-11-29: docs/decisions/0030-measurements-of-this-computer.md."""
BARRIER = 4e-6
"""What one more thread costs in each layer: after every operation all wait for the last [s]."""
BATCH = 2048.0
"""Prompts that wait go into one batch up to this length, and its first tokens come when all of it is computed (llama.cpp
b11434: common/common.h, n_batch; tools/server/server-context.cpp, update_slots). [tokens]"""
SPREAD = {"decode": 1.6, "prefill": 2.2, "ttft": 2.2, "throughput": 2.0}
"""Kind of figure -> factor of the interval that is meant to hold 80 %."""


def chip(machine: Machine) -> Chip | None:
    """Return the CPU of a machine as a chip, None where its memory bandwidth is not known."""
    host = machine.host
    name = machine.processor or (host.name if host else "")
    speed = (host.bandwidth if host else None) or bandwidth(name)
    if not speed:
        return None
    rate = RATES[_units(machine.simd, name)] * max(1, machine.cores)
    return Chip(
        name=name or "CPU",
        family=CPU,
        memory=float((host.memory if host else 0) or 0),
        bandwidth=speed,
        single=rate * ONE_ROW,
        half=rate,
        int8=rate,
        fp8=0.0,
        fp4=0.0,
        link="unified",
        source=host.source if host else "",
        checked=host.checked if host else "",
    )


def constants(threads: float) -> SpeedConstants:
    """Return the constants of llama.cpp on `threads` threads; shares are of what the memory and the cores above could do."""
    return SpeedConstants(
        weights=0.6,
        cache=0.4,
        state=0.3,
        compute=1.0,
        grouped=GROUPED,
        attend=0.3,
        layer=BARRIER * max(1.0, threads),
        expert=BARRIER * max(1.0, threads),
        hybrid=0.0,
        fixed=0.3e-3,
        sequence=50e-6,
        few=0.0,
        many=float("inf"),
        mfu=1.0,
        routed=0.6,
        stream=0.6,
        attention=0.3,
        rows=5.0,
        rows_routed=5.0,
        chunk=BARRIER * max(1.0, threads),
        scan=float("inf"),
        start=2e-3,
        queue=1.0,
        busy=0.0,
        blend=1.0,
        together=BATCH,
    )


_AVX512 = late(
    r"ryzen (threadripper )?(ai|\d (pro )?(7\d(00|50|40|45)|[89]\d{3})|(pro )?[79]9\d{2})|epyc [89]\d{2}[45]"
    r"|xeon.*(platinum|gold|silver|\bw[579]?-|\b6\d{3}p)|i\d-11\d{2}",
    re.IGNORECASE,
)
"""Processors with AVX-512: Zen 4 and later, Xeon Scalable, Intel's 11th generation (makers' data sheets)."""


def _units(found: Simd, name: str) -> Simd:
    """Return the vector units that prompts run on: of a build for this processor."""
    return "avx512" if found == "avx2" and _AVX512.search(name) else found


_SAID = late(r"\s*(\d+th gen|\d+-core|processor|cpu\b|@.*|with .*|w/ .*)", re.IGNORECASE)


def bandwidth(processor: str) -> float | None:
    """Return the bandwidth of the memory that a processor is sold for [B/s], None if it is not known.

    processor: name that the OS reports
    """
    from gyakusan.catalog.devices import entry_of, knows

    plain = _SAID.sub("", re.sub(r"\((r|tm)\)", "", processor, flags=re.IGNORECASE)).strip()
    if not plain or not knows(plain):
        return None
    found = entry_of(plain).fields()
    return float(found["bandwidth_gb_s"]) * 1e9 if found.get("kind") == "host" else None
