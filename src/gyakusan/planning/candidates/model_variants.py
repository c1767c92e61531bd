"""What planning has to know of a model, worked out once: bytes of its weights in every engine at every quantisation.

tools/plan_columns.py writes the answers into catalog/data/columns.json; a record that changed since is worked out anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from gyakusan.catalog import speed_names
from gyakusan.catalog.quality import active_parameters, native_width
from gyakusan.core import recipe
from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.core.machine import Device, Machine
from gyakusan.core.model import Checkpoint, Model
from gyakusan.errors import GyakusanError
from gyakusan.models.assemble import plain
from gyakusan.planning.candidates import compact_model
from gyakusan.planning.predict.speed import traffic_of
from gyakusan.units import GIB

if TYPE_CHECKING:
    from gyakusan.catalog.models import ModelRecord

GGUF_QUANTS = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")
"""GGUF quantisations that are planned with, best first."""
VLLM_QUANTS = ("F16", "Q8_0", "Q4_K_M")
"""What vLLM is asked for: as published, 8 bits, 4 bits. Each stands for the nearest kind of checkpoint that it loads."""
MLX_QUANTS = ("F16", "Q8_0", "Q6_K", "Q4_K_M")
"""What MLX-LM is asked for."""
RANKS = (1, 2, 3, 4, 5, 6, 7, 8)
WEIGHT_LAYOUTS = (
    *(("gpu", backend) for backend in ("cuda", "rocm", "vulkan", "sycl")),
    *(("unified", backend) for backend in ("metal", "cuda", "vulkan", "sycl")),
    *(("cpu", simd) for simd in ("none", "avx2", "avx512", "neon")),
)
"""Where llama.cpp lays out weights differently: kind of device and backend, or the vector units of a CPU."""
_BIG = 4096 * GIB


@dataclass(frozen=True, slots=True)
class Variant:
    """A model in one format. base: what `inspect --quant` is given; name: what the engine calls it; model: as it is read."""

    base: str
    name: str
    model: Model


def measure(record: ModelRecord) -> dict[str, Any]:
    """Everything about one record, as values for JSON."""
    whole = plain(record)
    return {
        "name": record.name,
        "license": record.license,
        "parameters": whole.parameters,
        "active": record.active or active_parameters(record) or whole.parameters,
        "native": native_width(record.name) or 16.0,
        "quantization": record.quantization,
        "role": record.role,
        "listed": record.listed,
        "released": record.released,
        "tied": whole.tied,
        "speed_name": speed_names.model_name(record.name) or "",
        "model": compact_model.encode(whole),
        "traffic": _shape(whole),
        "gguf": [_gguf(v, record.name) for v in variants("llama.cpp", whole, record)],
        "vllm": [_vllm(v, record.name) for v in variants("vLLM", whole, record)],
        "mlx": [_mlx(v, record.name) for v in variants("MLX-LM", whole, record)],
    }


def variants(engine: str, whole: Model, record: ModelRecord) -> Iterator[Variant]:
    """Every format in which an engine would run the model; none where it would not."""
    native = record.quantization not in GGUF_QUANTS
    if engine in ("llama.cpp", "Ollama"):
        for base in (record.quantization,) if native else GGUF_QUANTS:
            yield Variant(base, base, recipe.apply(base, whole))
        return
    for base in (record.quantization,) if native else (VLLM_QUANTS if engine == "vLLM" else MLX_QUANTS):
        found = variant(engine, base, whole)
        if found is not None:
            yield found


def variant(engine: str, base: str, whole: Model) -> Variant | None:
    """The model as vLLM or MLX-LM would store what is called `base`, None where it would not run it."""
    if engine in ("llama.cpp", "Ollama"):
        return Variant(base, base, recipe.apply(base, whole))
    made, machine = recipe.apply(base, whole), _machine(engine)
    rules = _rules(engine)
    try:
        settings = rules.settings(made, Load(1, 1024), machine)
        if rules.refusals(made, machine, settings):
            return None
        name, checkpoint = _checkpoint(engine, settings, made)
    except GyakusanError:
        return None
    return Variant(base, name, replace(made, checkpoint=checkpoint))


def _checkpoint(engine: str, settings: Any, made: Model) -> tuple[str, Checkpoint]:
    if engine == "vLLM":
        from gyakusan.engines.vllm.weights import METHODS, stored

        form = stored(made, settings)
        name = next((n for n, m in METHODS.items() if m == form), form.method)
        return ("BF16" if name == "none" else name.upper()), form
    form = settings.format
    if form.bits >= 16:
        return settings.weights, Checkpoint()
    return settings.weights, Checkpoint(method="mlx", bits=form.bits, group=form.group, scale=form.scale)


def _shape(whole: Model) -> list[float]:
    """count, used, layers, mixed, recurrent, width, matrices, output, routed: of core.traffic.Traffic."""
    found = traffic_of(whole)
    names = ("count", "used", "layers", "mixed", "recurrent", "width", "matrices", "output", "routed")
    return [getattr(found, n) for n in names]


def _common(v: Variant, name: str, server: bool) -> list[Any]:
    """base, name, group of speed, dense, experts [B]."""
    traffic = traffic_of(v.model)
    check = v.model.checkpoint
    if check is not None and not check.method:
        quant = speed_names.sixteen_bit(server)
    else:
        text = v.model.quantization if check is None else f"{check.method} {check.bits:g}bit {v.model.name}"
        known = speed_names.model_name(v.model.name) or ""
        quant = speed_names.parse_quant(text, model=known, server=server) or speed_names.sixteen_bit(server)
    return [v.base, v.name, quant.group, round(traffic.dense), round(traffic.experts)]


def _gguf(v: Variant, name: str) -> list[Any]:
    """Common columns; all weights as stored; weights in each of PLACES. [B]"""
    shares = [int(_ledger(v.model, kind, sort).accounts[0].of("weights")) for kind, sort in WEIGHT_LAYOUTS]
    return [*_common(v, name, False), "", v.model.bytes, shares]


def _ledger(model: Model, kind: str, sort: str) -> Ledger:
    rules, load = _rules("llama.cpp"), Load(1, 256)
    if kind == "cpu":
        machine = Machine("CPU", (), Device("CPU", "host", _BIG, "cpu"), simd=cast(Any, sort))
    else:
        one = Device("GPU", cast(Any, kind), _BIG, cast(Any, sort))
        machine = Machine("GPU", (one,), Device("CPU", "host", None, "cpu") if kind == "gpu" else None)
    found: Ledger = rules.ledger(model, load, machine, rules.settings(model, load, machine))
    return found


def _vllm(v: Variant, name: str) -> list[Any]:
    """Common columns; method; weights on one GPU, and on each of 1 to 8 GPUs. [B]"""
    from gyakusan.engines.vllm.settings import Settings
    from gyakusan.engines.vllm.weights import METHODS, weights

    bare = replace(v.model, checkpoint=None)
    method = next((n for n, m in METHODS.items() if m == v.model.checkpoint), "auto")
    shares = [weights(bare, Settings(1024, tensor_parallel=n, quantization=method)).best for n in RANKS]
    return [*_common(v, name, True), method, shares[0], shares]


def _mlx(v: Variant, name: str) -> list[Any]:
    """Common columns; weights, twice. [B]"""
    from gyakusan.engines.mlx.settings import Settings
    from gyakusan.engines.mlx.weights import parts

    size = sum(p.bytes for p in parts(v.model, Settings(1024, weights=v.name)))
    return [*_common(v, name, False), "", size, [size]]


def _rules(engine: str) -> Any:
    from gyakusan.engines.registry import engine as find

    return find(engine)


@cache
def _machine(engine: str) -> Machine:
    """One without limits, on which the engine runs."""
    if engine == "MLX-LM":
        return Machine("Mac", (Device("Mac", "unified", _BIG, "metal"),), None)
    return Machine("H200", (Device("H200", "gpu", _BIG, "cuda"),), Device("CPU", "host", None, "cpu"))
