"""Weights as MLX-LM stores them: matrices in groups that share a scale and a bias, everything else in bf16.

Source: mlx-lm 0.32.2, mlx_lm/utils.py (quantize_model), mlx_lm/models/*.py (quant_predicate); mlx 0.32.4, nn.QuantizedLinear.
"""

from __future__ import annotations

import re

from msgspec import Struct

from gyakusan.core.memo import Memo
from gyakusan.core.model import Model, Tensor
from gyakusan.engines.mlx.settings import FORMATS, Format, Settings
from gyakusan.patterns import late

EXPERT = "_exps."
_NEVER = late(r"\.(ssm_conv1d|shortconv\.conv|ssm_a|ssm_d|attn_sinks|ssm_conv1d_[qkv]|\w+_norm)(\.|$)")
"""Arrays with two dimensions that are no matrix of a Linear layer."""
_F32 = late(r"exp_probs_b")
_F32_TOO = {
    **dict.fromkeys(("kimi-linear", "kimi-k3", "bailingmoe3"), re.compile(r"\.ssm_(a|dt)(\.|$)")),
    **dict.fromkeys(("qwen35", "qwen35moe"), re.compile(r"\.ssm_a(\.|$)")),
}
"""Kept in f32: by all files, and by some. cast_predicate"""
_SHARED_GATE = late(r"ffn_gate_inp_shexp")
"""One row in MLX, a vector in a GGUF; at 8 bits as the router is. qwen2_moe, qwen3_next: quant_predicate"""
_ROUTER = late(r"ffn_gate_inp(\.|$)")
PLAIN_ROUTER = frozenset(
    ["deepseek2", "deepseek32", "glm-dsa", "glm4moe", "dots1", "exaone-moe", "mimo2", "nemotron_h_moe", "bailingmoe3"]
)
"""Architectures whose router is a bare array, never quantised."""
ROUTER_8 = frozenset(
    [
        "qwen3moe",
        "qwen3next",
        "qwen35moe",
        "gpt-oss",
        "afmoe",
        "bailingmoe2",
        "gemma4",
        "granitemoe",
        "granitehybrid",
        "jamba",
        "laguna",
        "step35",
        "lfm2moe",
        "kimi-linear",
        "kimi-k3",
        "minimax-m2",
        "minimax-m3",
        "mellum",
    ]
)
"""Architectures whose router is kept at 8 bits and groups of 64."""
KEPT: dict[str, tuple[re.Pattern[str], str]] = {
    "granite": (re.compile(r"attn_output\.|ffn_down\.|^output\."), "8bit"),
    "granitemoe": (re.compile(r"attn_output\.|^output\."), "8bit"),
    "bailingmoe3": (re.compile(r"^token_embd|^output\.|attn_(q_a|q_b|kv_a_mqa|k_b|v_b)\.|ssm_beta\."), "bf16"),
    "spark2-5": (re.compile(r"attn_gate\."), "bf16"),
}
"""Other matrices that a file keeps in a better format."""
GONE = late(r"^rope_freqs|rope_factors")
"""Tensors of a GGUF that MLX computes instead."""


class Part(Struct, frozen=True):
    """The matrices of one format.

    name: the format, or "bf16" for all that is not quantised
    values: number of values [values]
    bytes: size with scales [B]
    """

    name: str
    values: int
    bytes: int


def weights(model: Model, settings: Settings) -> int:
    """Return the bytes of all weights [B]."""
    return sum(p.bytes for p in parts(model, settings))


_PARTS = Memo[tuple[Part, ...]](maxsize=16)


def parts(model: Model, settings: Settings) -> tuple[Part, ...]:
    """Return the weights by format, largest first."""
    return _PARTS.get(model, settings.weights, lambda: _parts(model, settings.weights))


def _parts(model: Model, requested: str) -> tuple[Part, ...]:
    sums: dict[str, list[int]] = {}
    for tensor in model.tensors:
        if GONE.search(tensor.name) or ".nextn." in tensor.name:
            continue
        name = _format(model, tensor, requested)
        size = tensor.values * 4 if _whole(model, tensor) else stored(tensor.values, FORMATS[name])
        total = sums.setdefault(name, [0, 0])
        total[0], total[1] = total[0] + tensor.values, total[1] + size
    return tuple(sorted((Part(n, v, b) for n, (v, b) in sums.items()), key=lambda p: -p.bytes))


def _whole(model: Model, tensor: Tensor) -> bool:
    """Return True if the file stores it in f32."""
    more = _F32_TOO.get(model.architecture)
    return bool(_F32.search(tensor.name) or (more and more.search(tensor.name)))


def stored(values: int, form: Format) -> int:
    """Return the bytes of a matrix: its bits, and a scale (and bias) for each group [B]."""
    return values * form.bits // 8 + values // form.group * form.scale


def _format(model: Model, tensor: Tensor, requested: str) -> str:
    """Return the format of one tensor. A matrix is quantised if its rows are whole groups."""
    form, name = FORMATS[requested], requested
    if _SHARED_GATE.search(tensor.name) and form.bits != 16 and tensor.shape[0] % 64 == 0:
        return "8bit"
    if len(tensor.shape) < 2 or form.bits == 16 or _NEVER.search(tensor.name) or not tensor.name.endswith(".weight"):
        return "bf16"
    if model.architecture in KEPT and KEPT[model.architecture][0].search(tensor.name):
        return KEPT[model.architecture][1]
    if _ROUTER.search(tensor.name):
        if model.architecture in PLAIN_ROUTER:
            return "bf16"
        if model.architecture in ROUTER_8:
            return "8bit" if tensor.shape[0] % 64 == 0 else "bf16"
    if form.rest is not None:
        name = requested.partition("-")[0] if EXPERT in tensor.name else form.rest
        form = FORMATS[name]
    return name if form.bits == 16 or tensor.shape[0] % form.group == 0 else "bf16"
