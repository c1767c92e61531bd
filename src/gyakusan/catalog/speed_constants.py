"""The fitted constants of speed, for one situation or for many: base x multipliers of what is known about it.

Each multiplier was shrunk towards 1 when it was fitted, so that an unknown device, quantisation or engine simply has
none: what remains are the constants, and a wide interval. tools/fit_speed.py writes data/speed_constants.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from gyakusan.catalog import cpu
from gyakusan.catalog.chips import Chip
from gyakusan.catalog.places import DATA
from gyakusan.core.arrays import IntArray, Number
from gyakusan.core.roofline import DeviceRates, SpeedConstants
from gyakusan.doors.files import packaged

SERVERS = ("vllm", "sglang", "trtllm")
"""Engines that compute prompts between the decode steps of others, and latent attention on the heads' keys and values."""
SEPARATE_INTEGER_UNITS = ("volta", "turing", "ampere-dc")
"""Families whose multiprocessors have integer units beside 64 floating-point ones (NVIDIA's Turing and A100 white papers).

Before and after them 128 units did either.
"""
EMULATED_BF16 = ("apple-m1", "apple-m2")
"""Families of Apple's chips whose arithmetic has no BF16 of its own (Metal Shading Language 3.1 brings the type; the
units came with M3)."""
BF16_SLOWDOWN = 1.6
"""How much longer MLX computes a prompt in BF16 than in FP16 on them: an M1 Max reads prompts of conversions in FP16 at
1.2 of what the constants say, of those in BF16 at 0.8 (famstack-dev/local-llm-bench, MIT)."""
FP16_CONVERSIONS = (
    "llama2",
    "llama3",
    "mistral-7b",
    "mixtral",
    "qwen2",
    "phi3",
    "gemma2",
    "codellama",
    "deepseek-coder",
)
"""Models whose usual MLX conversions are older than mlx-lm's habit to keep the checkpoint's BF16."""
STEADY = "steady"
"""Users whose answers end one by one, so that their next prompts come one by one, too."""
Evidence = Literal["model", "device", "nothing"]
"""model: device and model were measured; device: only the device was; nothing: the device is new."""


class Labels(Struct, frozen=True, eq=False):
    """A label for each of many rows.

    names: the distinct labels
    index: place in `names` of each row (rows,)
    """

    names: tuple[str, ...]
    index: IntArray


class Situation(Struct, frozen=True):
    """What the constants depend on. Quantisation and model may differ from row to row.

    engine: what computes, e.g. "llama.cpp"
    api: cuda, rocm, metal, vulkan or cpu
    family: generation of the chip
    device: name of the chip
    quant: group of quantisations (catalog.speed_names.speed_group)
    model: our name of the model, "" = unknown
    link: how several chips are connected: nvlink, pcie or unified
    style: how users arrive: wave (together) or steady
    build: of llama.cpp, "" = the usual one
    era: "2025" for llama.cpp and Ollama as they were before 2026, "" = newer
    """

    engine: str
    api: str
    family: str
    device: str
    quant: str | Labels
    model: str | Labels = ""
    link: str = "pcie"
    style: str = STEADY
    build: str = ""
    era: str = ""

    @property
    def server(self) -> bool:
        """True if the engine computes prompts between the decode steps of others."""
        return self.engine in SERVERS


class FittedConstants(Struct, frozen=True, eq=False):
    """What data/speed_constants.json says.

    base: value of each constant
    levels: constant -> level -> label -> multiplier
    intervals: slice -> factor of the 80 % interval and measured coverage
    seen: devices, families and models that measurements had
    provenance: of the fit
    """

    base: Mapping[str, float]
    levels: Mapping[str, Mapping[str, Mapping[str, float]]]
    intervals: Mapping[str, Mapping[str, Any]]
    seen: Mapping[str, frozenset[str]]
    provenance: Mapping[str, Any]


LEVELS: Mapping[str, tuple[str, ...]] = {
    "engine": ("engine",),
    "api": ("api",),
    "backend": ("engine", "api"),
    "family": ("family",),
    "device": ("device",),
    "family api": ("family", "api"),
    "quant": ("quant",),
    "api quant": ("api", "quant"),
    "engine quant": ("engine", "quant"),
    "family quant": ("family", "quant"),
    "model": ("model",),
    "model api": ("model", "api"),
    "link": ("link",),
    "style": ("style",),
    "engine style": ("engine", "style"),
    "engine family": ("engine", "family"),
    "era": ("api", "era"),
    "build": ("api", "build"),
    "build model": ("api", "build", "model"),
    "device model": ("device", "engine", "model"),
}
"""Level that a constant may depend on -> fields of Situation whose values make its label."""


def labels(s: Situation) -> dict[str, str]:
    """Return the label of one situation at every level, "" where its build or its era is the usual one."""
    return {level: "" if _usual(s, names) else _label(s, names) for level, names in LEVELS.items()}


def constants_for(s: Situation, fitted: FittedConstants | None = None) -> SpeedConstants:
    """Return the constants of a situation; arrays (rows,) where its quantisation or its model are labels of rows."""
    data = fitted or load()
    found = {name: _value(data, name, s) for name in data.base}
    return SpeedConstants(**{**found, **waits(s.style), **scan(s.engine), **prompts_first(s.engine)})


def waits(style: str) -> dict[str, float]:
    """Return the constants that follow from how users arrive; those that have to be fitted are not among them.

    Prompts that come together are taken in the order in which they came: "fcfs" is the default of vLLM
    (vllm/config/scheduler.py, SchedulerConfig.policy) and of SGLang (sglang/srt/server_args.py, schedule_policy); of the
    others it is assumed. A first token thus waits for each prompt before it, (users + 1) / 2 prompts in the mean, and no
    later prompt comes between. 348 first tokens of 5 to 20 users on a DGX Spark took that many times their own first token
    alone, with a median error of 6 % (djangodevreng-spark). Prompts that come one by one wait for those that they find
    (core.roofline.first_token).
    """
    return {"queue": 0.0, "busy": 1.0} if style == STEADY else {"queue": 1.0, "busy": 0.0}


def scan(engine: str) -> dict[str, float]:
    """Return the constant of recurrent layers in prompts that follows from the engine; none where it has to be fitted.

    Servers compute a chunk of tokens at once as matrix products: 64 of the gated delta rule (chunk_gated_delta_rule_fwd of
    flash-linear-attention, in vllm/model_executor/layers/fla/ops/chunk.py and sglang/srt/layers/attention/fla/chunk.py), of
    Mamba 2 the model's chunk_size (mamba_chunk_scan_combined in vllm/model_executor/layers/mamba/mamba_mixer2.py and
    sglang/srt/layers/attention/mamba/mamba.py). Of TensorRT-LLM, and that nothing of it counts beside the matrices, it is
    assumed. llama.cpp and MLX-LM take one token after the other (ggml-cuda/gated_delta_net.cu; mlx_lm/models/gated_delta.py).
    """
    return {"scan": float("inf")} if engine in SERVERS else {}


def prompts_first(engine: str) -> dict[str, float]:
    """Return the constants that follow from how an engine takes prompts; none where they have to be fitted.

    llama-server computes no answer before every prompt that waits is read, slot after slot (update_slots): a first token
    waits for all of them, and none comes between.
    """
    length = together(engine)
    return {"together": length, "queue": 1.0, "busy": 0.0} if length else {}


def together(engine: str) -> float:
    """Return up to which length in all an engine computes prompts together [tokens].

    llama-server takes the prompts of all slots into one batch of n_batch tokens, so that short ones finish together
    (llama.cpp b11434: common/common.h, n_batch = 2048; tools/server/server-context.cpp, update_slots). Ollama runs it.
    """
    return 2048.0 if engine in ("llama.cpp", "ollama") else 0.0


def _value(fitted: FittedConstants, name: str, s: Situation) -> Number:
    value: Number = fitted.base[name]
    for level, multipliers in fitted.levels.get(name, {}).items():
        fields = LEVELS[level]
        if _usual(s, fields):
            continue
        rows = next((getattr(s, f) for f in fields if isinstance(getattr(s, f), Labels)), None)
        if rows is None:
            value = value * multipliers.get(_label(s, fields), 1.0)
            continue
        before, after = _around(s, fields)
        each = _multipliers(fitted, name, level, before, after, rows.names)
        value = value if each is None else value * each[rows.index]
    return value


def _usual(s: Situation, fields: tuple[str, ...]) -> bool:
    """Return True for a level of special builds where the build is the usual one."""
    return ("build" in fields and not s.build) or ("era" in fields and not s.era)


def _label(s: Situation, fields: tuple[str, ...]) -> str:
    return " ".join(getattr(s, f) for f in fields)


def _around(s: Situation, fields: tuple[str, ...]) -> tuple[str, str]:
    """Return what stands before and after the field whose value differs from row to row."""
    at = next(i for i, f in enumerate(fields) if isinstance(getattr(s, f), Labels))
    before, after = _label(s, fields[:at]), _label(s, fields[at + 1 :])
    return before and f"{before} ", after and f" {after}"


@lru_cache(maxsize=2048)
def _multipliers(
    fitted: FittedConstants, constant: str, level: str, before: str, after: str, names: tuple[str, ...]
) -> Any:
    """Return the multiplier for each name, None if all are 1. A sweep asks again for every device of a family."""
    import numpy as np

    multipliers = fitted.levels[constant][level]
    values = [multipliers.get(f"{before}{n}{after}", 1.0) for n in names]
    return None if all(x == 1.0 for x in values) else np.array(values)


def per_label(label: str | Labels, value: Callable[[str], float]) -> Number:
    """Return `value` of a label, or an array (rows,) with that of each row."""
    if isinstance(label, str):
        return value(label)
    import numpy as np

    return np.array([value(n) for n in label.names], float)[label.index]


def device_rates(chip: Chip, s: Situation, parallel: Number = 1, stages: Number = 1) -> DeviceRates:
    """Return what a chip can do under an engine. parallel, stages: see DeviceRates."""
    return DeviceRates(
        bandwidth=chip.bandwidth,
        decode=per_label(s.quant, lambda quant: peak_rates(chip, s.engine, s.api, quant)[0]),
        prefill=per_label(s.quant, lambda quant: peak_rates(chip, s.engine, s.api, quant)[1]) / bf16_slowdown(s),
        half=chip.half,
        parallel=parallel,
        nvlink=1 if chip.link == "nvlink" else 0,
        between=chip.between,
        small_batch_kernels=0 if s.server or s.engine == "mlx" else 1,
        stages=stages,
    )


def bf16_slowdown(s: Situation) -> Number:
    """Return how much longer a prompt takes where its arithmetic is emulated; an array where models are labels of rows."""
    if s.engine != "mlx" or s.family not in EMULATED_BF16:
        return 1.0
    return per_label(s.model, lambda name: 1.0 if name.startswith(FP16_CONVERSIONS) else BF16_SLOWDOWN)


def peak_rates(chip: Chip, engine: str, api: str, quant: str) -> tuple[float, float]:
    """Return the peak rates of decode and prefill arithmetic [FLOP/s].

    One row at a time llama.cpp works on the ordinary cores, where unpacking weights takes integers as well as floats:
    chips in SEPARATE_INTEGER_UNITS issue both at once, which their FP32 rate does not tell. For prompts it multiplies
    quantised weights in INT8 on CUDA, 16-bit ones with FP16 sums; FP8 and FP4 checkpoints run in their own type where the
    chip has it; everything else in 16 bits.
    """
    if engine in SERVERS:
        native = {"fp8": chip.fp8, "fp4": chip.fp8 or chip.fp4}.get(quant, 0.0) or chip.half
        return native, native
    ordinary = chip.single * (2 if chip.family in SEPARATE_INTEGER_UNITS else 1)
    if api == cpu.CPU:
        return ordinary, chip.int8 * cpu.FORMATS.get(quant, cpu.OTHER_FORMATS)
    if api == "cuda":
        return ordinary, chip.int8 / 2 if quant in ("f16", "bf16") else chip.int8
    return ordinary, chip.half


def evidence_for(s: Situation, fitted: FittedConstants | None = None) -> Evidence:
    """Return how much of one situation measurements have seen."""
    seen = (fitted or load()).seen
    if s.device not in seen["devices"]:
        return "nothing"
    return "model" if s.model in seen["models"] else "device"


def interval_factor(
    kind: str, s: Situation, users: float, fitted: FittedConstants | None = None
) -> tuple[float, Mapping[str, Any]]:
    """Return the factor f of the 80 % interval [figure / f, figure * f], and the slice that it comes from.

    kind: decode, prefill, ttft or throughput. The narrowest slice that there is counts.
    """
    data = fitted or load()
    return _interval(kind, s, users, evidence_for(s, data), data)


def interval_factors(kind: str, s: Situation, users: float, fitted: FittedConstants | None = None) -> Number:
    """Return the factor of the 80 % interval alone; an array (rows,) where the model is labels of rows."""
    data = fitted or load()
    known = s.device in data.seen["devices"]
    other = _interval(kind, s, users, "device" if known else "nothing", data)[0]
    measured = _interval(kind, s, users, "model" if known else "nothing", data)[0]
    if isinstance(s.model, str):
        return measured if s.model in data.seen["models"] else other
    import numpy as np

    return np.where(_models_seen(data, s.model.names), measured, other)[s.model.index]


@lru_cache(maxsize=64)
def _models_seen(fitted: FittedConstants, names: tuple[str, ...]) -> Any:
    """Return True for each name of a measured model. A sweep asks again for every device."""
    import numpy as np

    return np.array([n in fitted.seen["models"] for n in names], bool)


def _interval(
    kind: str, s: Situation, users: float, evidence: Evidence, fitted: FittedConstants
) -> tuple[float, Mapping[str, Any]]:
    for name in interval_slices(kind, s.engine, users, evidence, s.era):
        if name in fitted.intervals:
            return float(fitted.intervals[name]["factor"]), {"slice": name, **fitted.intervals[name]}
    return 3.0, {"slice": "none", "factor": 3.0, "coverage": None, "n": 0}


def interval_slices(kind: str, engine: str, users: float, seen: Evidence, era: str = "") -> tuple[str, ...]:
    """Return the names of slices from the narrowest to the widest: of an engine's old builds, of the engine, of all."""
    what = f"{slice_of(kind, users)}, {seen}"
    old = (f"{what}, {engine}, {era}",) if era else ()
    return (*old, f"{what}, {engine}", what)


def slice_of(kind: str, users: float) -> str:
    """Return the kind of figure whose errors are alike: decode and ttft differ for one user and for several."""
    if kind not in ("decode", "ttft"):
        return kind
    return f"{kind} single" if users <= 1 else f"{kind} many"


@lru_cache(maxsize=4)
def load(path: Path = DATA / "speed_constants.json") -> FittedConstants:
    """Return the fitted constants."""
    return parse(msgspec.json.decode(packaged(path)))


def parse(document: Mapping[str, Any]) -> FittedConstants:
    """Return what a speed_constants.json says."""
    return FittedConstants(
        base={name: term["base"] for name, term in document["constants"].items()},
        levels={name: term.get("levels", {}) for name, term in document["constants"].items()},
        intervals=document.get("intervals", {}),
        seen={k: frozenset(v) for k, v in document["seen"].items()},
        provenance=document.get("provenance", {}),
    )
