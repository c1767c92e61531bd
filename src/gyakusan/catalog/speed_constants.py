"""The fitted constants of speed, for one situation: base x multipliers of what is known about it.

Each multiplier was shrunk towards 1 when it was fitted, so that an unknown device, quantisation or engine simply has
none: what remains are the constants, and a wide interval. tools/fit_speed.py writes
data/speed_constants.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from gyakusan.catalog.chips import Chip
from gyakusan.catalog.records import DATA
from gyakusan.core.roofline import SpeedConstants

SERVERS = ("vllm", "sglang", "trtllm")
SEPARATE_INTEGER_UNITS = ("volta", "turing", "ampere-dc")
"""Families with integer units beside 64 floating-point ones in each multiprocessor (NVIDIA's Turing and A100 white papers);

before and after them 128 units did either.
"""
Evidence = Literal["model", "device", "nothing"]
"""model: device and model were measured; device: only the device was; nothing: the device is new."""


@dataclass(frozen=True, slots=True)
class Situation:
    """engine, api (cuda, rocm, metal, vulkan): what runs it; family, device: the chip's; quant: group of quantisations;

    model: our name; link: nvlink, pcie or unified; style: how users arrive (wave: together, steady); build: of llama.cpp.
    """

    engine: str
    api: str
    family: str
    device: str
    quant: str
    model: str = ""
    link: str = "pcie"
    style: str = "steady"
    build: str = ""


@dataclass(frozen=True, slots=True)
class FittedConstants:
    """data/speed_constants.json. base: of each constant; levels: constant -> level -> label -> multiplier; intervals: slice ->
    factor and measured coverage; seen: devices, families and models that measurements had; provenance: of the fit.
    """

    base: Mapping[str, float]
    levels: Mapping[str, Mapping[str, Mapping[str, float]]]
    intervals: Mapping[str, Mapping[str, Any]]
    seen: Mapping[str, frozenset[str]]
    provenance: Mapping[str, Any]


def labels(s: Situation) -> dict[str, str]:
    """The label of a situation at every level that a constant may depend on."""
    return {
        "engine": s.engine,
        "api": s.api,
        "backend": f"{s.engine} {s.api}",
        "family": s.family,
        "device": s.device,
        "family api": f"{s.family} {s.api}",
        "quant": s.quant,
        "api quant": f"{s.api} {s.quant}",
        "engine quant": f"{s.engine} {s.quant}",
        "family quant": f"{s.family} {s.quant}",
        "model": s.model,
        "model api": f"{s.model} {s.api}",
        "link": s.link,
        "style": s.style,
        "engine style": f"{s.engine} {s.style}",
        "build": f"{s.api} {s.build}" if s.build else "",
        "build model": f"{s.api} {s.build} {s.model}" if s.build else "",
        "device model": f"{s.device} {s.engine} {s.model}",
    }


def constants_for(s: Situation, fitted: FittedConstants | None = None) -> SpeedConstants:
    """The constants for a situation."""
    found = fitted or load()
    named = labels(s)
    return SpeedConstants(**{name: _value(name, named, found) for name in found.base})


def _value(name: str, named: Mapping[str, str], fitted: FittedConstants) -> float:
    value = fitted.base[name]
    for level, multipliers in fitted.levels.get(name, {}).items():
        value *= multipliers.get(named[level], 1.0)
    return value


def peak_rates(chip: Chip, engine: str, api: str, quant: str) -> tuple[float, float]:
    """Peak rates of decode and prefill arithmetic. [FLOP/s]

    One row at a time llama.cpp works on the ordinary cores, where unpacking weights takes integers as well as floats:
    chips in APART issue both at once, which their FP32 rate does not tell. For prompts it multiplies quantised weights
    in INT8 on CUDA, 16-bit ones with FP16 sums; FP8 and FP4 checkpoints run in their own type where the chip has it;
    everything else in 16 bits.
    """
    if engine in SERVERS:
        native = {"fp8": chip.fp8, "fp4": chip.fp8 or chip.fp4}.get(quant, 0.0) or chip.half
        return native, native
    ordinary = chip.single * (2 if chip.family in SEPARATE_INTEGER_UNITS else 1)
    if api == "cuda":
        return ordinary, chip.int8 / 2 if quant in ("f16", "bf16") else chip.int8
    return ordinary, chip.half


def evidence_for(s: Situation, fitted: FittedConstants | None = None) -> Evidence:
    """How much of a situation measurements have seen."""
    seen = (fitted or load()).seen
    if s.device not in seen["devices"]:
        return "nothing"
    return "model" if s.model in seen["models"] else "device"


def interval_factor(
    kind: str, s: Situation, users: float, fitted: FittedConstants | None = None
) -> tuple[float, Mapping[str, Any]]:
    """The factor f of the 80 % interval [figure / f, figure * f], and the slice that it comes from.

    kind: decode, prefill, ttft or throughput. The narrowest slice with enough measurements counts.
    """
    found = fitted or load()
    for name in interval_slices(kind, s.engine, users, evidence_for(s, found)):
        if name in found.intervals:
            return float(found.intervals[name]["factor"]), {"slice": name, **found.intervals[name]}
    return 3.0, {"slice": "none", "factor": 3.0, "coverage": None, "n": 0}


def interval_slices(kind: str, engine: str, users: float, seen: Evidence) -> tuple[str, ...]:
    """Names of slices from the narrowest to the widest."""
    what = kind if kind != "decode" else ("decode single" if users <= 1 else "decode many")
    return (f"{what}, {seen}, {engine}", f"{what}, {seen}")


@cache
def load(path: Path = DATA / "speed_constants.json") -> FittedConstants:
    """The fitted constants."""
    return parse(json.loads(path.read_text("utf-8")))


def parse(found: Mapping[str, Any]) -> FittedConstants:
    """What a speed_constants.json says."""
    return FittedConstants(
        base={name: term["base"] for name, term in found["constants"].items()},
        levels={name: term.get("levels", {}) for name, term in found["constants"].items()},
        intervals=found.get("intervals", {}),
        seen={k: frozenset(v) for k, v in found["seen"].items()},
        provenance=found.get("provenance", {}),
    )
