"""quantization_config of a Hugging Face config.json -> how the checkpoint stores its weights.

Source: vLLM 0.32.0, model_executor/layers/quantization/*.py (from_config of each method), utils/torch_utils.py
(get_kv_cache_quant_algo_string); transformers 5, quantizers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gyakusan.core.model import Checkpoint, Tensor
from gyakusan.models.formats import vision

TEXT = ("text_config", "llm_config", "language_config")
KEPT = ("modules_to_not_convert", "ignored_layers", "ignore", "exclude_modules", "llm_int8_skip_modules")
"""Keys under which methods name the modules that stay as they are."""
LARGEST = 2**16
"""Group of values with one scale; real ones stay under 1,024."""
DTYPES = {"bfloat16": "BF16", "float16": "F16", "float32": "BF16", "half": "F16"}
"""dtype of the config -> what vLLM computes in: float32 is loaded as bfloat16."""


def checkpoint(config: Mapping[str, Any], tensors: Sequence[Tensor] = ()) -> Checkpoint:
    """Return how a checkpoint is stored, from its config.json and, if they were read, the tensors of its safetensors."""
    inner = next((config[n] for n in TEXT if isinstance(config.get(n), Mapping)), config)
    dtype = inner.get("dtype") or inner.get("torch_dtype") or config.get("dtype") or config.get("torch_dtype")
    state = inner.get("mamba_ssm_cache_dtype") or inner.get("mamba_ssm_dtype")
    found = config.get("quantization_config") or inner.get("quantization_config") or {}
    about = _method(found) if isinstance(found, Mapping) and found else {}
    return Checkpoint(
        dtype=DTYPES.get(str(dtype).removeprefix("torch."), "BF16"),
        state=state if isinstance(state, str) else "",
        expert_group=about.pop("expert_group", 32 if about and inner.get("expert_dtype") == "fp4" else 0),
        encoders=vision.parameters(config),
        tensors=tuple(tensors),
        **about,
    )


def _method(q: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of Checkpoint for one quantization_config."""
    method = str(q.get("quant_method") or q.get("quant_algo") or "").lower().replace("_", "-")
    kept = tuple(str(k) for key in KEPT for k in _list(q.get(key)))
    about: dict[str, Any] = {"method": method, "unquantized": kept, "cache": _cache(q)}
    if method in ("gptq", "awq", "auto-round", "gptq-marlin", "awq-marlin"):
        bits = _number(q.get("bits") or q.get("w_bit"), 4)
        group = _number(q.get("group_size") or q.get("q_group_size"), 128)
        plain = method.startswith("awq") and q.get("zero_point", True)
        return about | {
            "bits": bits,
            "group": max(0, group),
            "symmetric": q.get("sym", True) is not False and not plain,
        }
    if method == "fp8":
        block = _list(q.get("weight_block_size"))
        return about | {"bits": 8, "group": _number(block[0], 128) if block else -1, "scale": 4}
    if method == "mxfp4":
        return about | {"bits": 4, "group": 32, "scale": 1}
    if method == "bitsandbytes":
        four = bool(q.get("load_in_4bit") or q.get("_load_in_4bit"))
        return about | ({"bits": 4, "group": 64, "scale": 4} if four else {"bits": 8, "group": 0, "scale": 4})
    if method.startswith("modelopt") or "nvfp4" in method:
        return about | _modelopt(q)
    if method == "compressed-tensors":
        return about | _compressed(q)
    return about


def _modelopt(q: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of NVIDIA's ModelOpt: FP8 with one scale for a matrix, NVFP4 with an 8-bit scale for 16 values."""
    inner = q.get("quantization")
    inner = inner if isinstance(inner, Mapping) else q
    name = str(inner.get("quant_algo") or q.get("quant_algo") or q.get("quant_method")).upper()
    if "FP4" in name:
        four: dict[str, Any] = {"method": "nvfp4", "bits": 4, "group": _number(inner.get("group_size"), 16), "scale": 1}
        return four
    if name == "MIXED_PRECISION":
        return {"method": "fp8", "bits": 8, "group": -1, "scale": 4, "expert_group": 16}
    return {"method": "fp8", "bits": 8, "group": -1, "scale": 4}


def _compressed(q: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of compressed-tensors: the first group of its config says how weights are stored."""
    groups = q.get("config_groups")
    found = next(iter(groups.values()), None) if isinstance(groups, Mapping) else None
    first: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    weights = first.get("weights")
    w: Mapping[str, Any] = weights if isinstance(weights, Mapping) else {}
    bits, kind, strategy = _number(w.get("num_bits"), 8), w.get("type", "int"), w.get("strategy", "tensor")
    size = _number(w.get("group_size"), 0)
    whole = {"tensor": -1, "channel": 0, "block": 128}
    group = whole.get(str(strategy), size or 128)
    style = str(first.get("format") or q.get("format") or "")
    if "mxfp4" in style:
        return {"bits": 4, "group": 32, "scale": 1}
    if "nvfp4" in style or (bits == 4 and kind == "float"):
        return {"bits": 4, "group": size or 16, "scale": 1}
    scale = 2 if bits < 8 or strategy == "channel" else 4
    return {"bits": bits, "group": group, "scale": scale, "symmetric": w.get("symmetric", True) is not False}


def _cache(q: Mapping[str, Any]) -> str:
    """Return the cache type that the checkpoint declares: 8-bit floats, or none."""
    inner = q.get("quantization")
    both = (q, inner) if isinstance(inner, Mapping) else (q,)
    for part in both:
        scheme = part.get("kv_cache_scheme") or part.get("kv_cache_quant_algo")
        if isinstance(scheme, Mapping) and scheme.get("num_bits") == 8 and scheme.get("type") == "float":
            return "fp8"
        if isinstance(scheme, str) and scheme.lower() in ("fp8", "fp8_e4m3"):
            return "fp8"
    return ""


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _number(value: Any, default: int) -> int:
    """Return a number of bits or the size of a group, -1 for a whole channel; the default for what is neither."""
    return value if type(value) is int and -1 <= value <= LARGEST else default
