"""What quantisation costs, fitted: MMLU and MMLU-Pro at many widths, KL divergence of Llama 3 8B -> quant_penalty.json.

Sources of the file given (quant_loss.json): llama.cpp (MIT), matt-c1/llama-3-quant-comparison (CC0), mlx-lm (MIT).
Only figures under a licence are used; rows of other sources in the file are left alone.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from gyakusan.core.arrays import Array

Point = tuple[float, float, str, float, str]
"""Weights [1e9], bits per weight, kind, share of above-chance accuracy kept, name."""

KINDS = ("k", "iq", "exl2", "bnb", "mlx")
MLX = ((4.0, 64.05, {8.5: 63.85, 6.5: 63.53, 6.0: 63.16, 5.5: 62.38, 5.0: 61.46, 4.5: 60.72}),
       (30.0, 72.62, {8.5: 72.46, 6.5: 72.41, 5.5: 71.97, 4.5: 70.71}))  # fmt: skip
"""MMLU-Pro of Qwen3-4B-Instruct-2507 and Qwen3-30B-A3B-Instruct-2507: at 16 bits, then by bits per weight.
Source: mlx-lm d78bf58e (MIT), mlx_lm/BENCHMARKS.md; mlx 0.29.2, October 2025."""
SLICES = ((5.4, 9.0), (4.2, 5.4), (3.2, 4.2), (2.5, 3.2), (1.5, 2.5))


def write(source: Path, target: Path) -> dict[str, Any]:
    """Fit, write, and say how good it is."""
    data = json.loads(source.read_text("utf-8"))
    law, spread = divergence(data["kld"])
    losses = points(data["mmlu_by_quant"])
    law_of_size = fitted(losses, law)
    index = json.loads((target.parent / "index.json").read_text("utf-8"))
    out = {
        "about": "Cost of quantisation. Made by tools/fit_quality.py --penalty: do not edit. Formula: core/quality.py.",
        "checked": index["checked"],
        "sources": [
            ["llama.cpp, tools/perplexity/README.md", "https://github.com/ggml-org/llama.cpp", "MIT", "2025"],
            [
                "matt-c1, llama-3-quant-comparison",
                "https://github.com/matt-c1/llama-3-quant-comparison",
                "CC0-1.0",
                "2024-05-16",
            ],
            ["mlx-lm, mlx_lm/BENCHMARKS.md", "https://github.com/ml-explore/mlx-lm", "MIT", "2025-10"],
        ],
        "divergence": [round(float(c), 5) for c in law],
        "divergence_spread": round(spread, 3),
        **law_of_size,
        "accuracy": 0.75,
        "chance": 0.10,
        "points": round(index["scale"]["mix"][0][0] / index["items"]["swallow2/en_post/MMLU-Pro"]["loading"][0], 3),
        "spread": 0.5,
        "trusted": 2.5,
        "assumed": "legacy as k; AWQ, GPTQ, NVFP4, FP8 as exl2; below 4e9 weights extrapolated; spread by comparison of models",
    }
    target.write_text(json.dumps(out, indent=1) + "\n", "utf-8")
    return {"points": len(losses), **quality(losses, law, out)}


def divergence(rows: list[dict[str, Any]]) -> tuple[Array, float]:
    """ln of KL divergence of Llama 3 8B as a quadratic of bits per weight, below 9; spread of the rest."""
    measured = [(r["size_gib"] * 8 * 2**30 / 8.03e9, r["kld"]) for r in rows if r.get("kld")]
    bits, value = (np.array(c) for c in zip(*[r for r in measured if r[0] < 9], strict=True))
    law = np.polyfit(bits, np.log(value), 2)
    return law, float(np.std(np.log(value) - np.polyval(law, bits)))


def points(rows: list[dict[str, Any]]) -> list[Point]:
    """Shares kept: MMLU of Llama 3 8B and 70B (chance 25 %), MMLU-Pro in MLX (chance 10 %)."""
    out: list[Point] = []
    for label, size in (("8B", 8.0), ("70B", 70.0)):
        ours = [r for r in rows if r.get("mmlu") and r.get("bpw") and label in r["model"]]
        whole = [r["mmlu"] for r in ours if r["bpw"] >= 15.9] or [max(r["mmlu"] for r in ours)]
        top = float(np.mean(whole)) - 25
        out += [
            (size, r["bpw"], kind(r), (r["mmlu"] - 25) / top, f"{label} {r['quant']}") for r in ours if r["bpw"] <= 9.5
        ]
    for size, best, by in MLX:
        out += [(size, b, "mlx", (v - 10) / (best - 10), f"{size:g}B MLX {b}") for b, v in by.items()]
    return out


def kind(row: dict[str, Any]) -> str:
    """Kind of a row of MMLU by quantisation."""
    name = row["quant"]
    if name.startswith("IQ"):
        return "iq"
    if row["kind"] == "Exl2":
        return "exl2"
    return "bnb" if row["kind"] == "transformers" and not re.search(r"_K|Q8_0", name) else "k"


def retained(p: Array, law: Array, n: Array, bits: Array, at: Array) -> Array:
    """Share kept. p: ln scale, power, size, then ln factor of every kind but the first."""
    factor = np.exp(np.r_[0.0, p[3:]])[at]
    return np.exp(-np.exp(p[0]) * factor * np.exp(np.polyval(law, bits)) ** p[1] * (n / 8) ** -p[2])


def fitted(losses: list[Point], law: Array, draws: int = 200) -> dict[str, Any]:
    """Parameters and their bootstrap errors."""
    n, bits, seen = (np.array([r[k] for r in losses]) for k in (0, 1, 3))
    at = np.array([KINDS.index(r[2]) for r in losses])
    rng = np.random.default_rng(1)

    def solve(w: Array) -> Array:
        def miss(p: Array) -> Array:
            rest = (retained(p, law, n, bits, at) - seen) / (0.004 + 0.12 * (1 - np.clip(seen, 0, 1)))
            return np.r_[w * rest, p[3:] / 0.4]

        return least_squares(miss, [-0.3, 1.1, 0.6] + [0.0] * (len(KINDS) - 1), loss="soft_l1").x

    best = solve(np.ones(len(n)))
    again = np.array([solve(np.sqrt(rng.multinomial(len(n), np.full(len(n), 1 / len(n))))) for _ in range(draws)]).std(
        0
    )
    named = dict(zip(KINDS, np.r_[1.0, np.exp(best[3:])].round(4), strict=True))
    wide = dict(zip(KINDS, np.r_[0.0, again[3:]].round(3), strict=True))
    return {
        "scale": round(float(np.exp(best[0])), 4),
        "power": round(float(best[1]), 4),
        "size": round(float(best[2]), 4),
        "kinds": {**{k: float(v) for k, v in named.items()}, "legacy": 1.0},
        "errors": {
            "ln scale": round(float(again[0]), 3),
            "power": round(float(again[1]), 3),
            "size": round(float(again[2]), 3),
            "ln kinds": {k: float(v) for k, v in wide.items()},
        },
    }


def quality(losses: list[Point], law: Array, c: dict[str, Any]) -> dict[str, Any]:
    """Root mean square of the share kept, by width."""
    factors = [np.log(c["kinds"][k]) for k in KINDS[1:]]
    p = np.r_[np.log(c["scale"]), c["power"], c["size"], factors]
    n, bits, seen = (np.array([r[k] for r in losses]) for k in (0, 1, 3))
    miss = retained(p, law, n, bits, np.array([KINDS.index(r[2]) for r in losses])) - seen
    out = {}
    for low, high in SLICES:
        inside = (bits > low) & (bits <= high)
        out[f"{low} to {high} bits, rms of share kept (n)"] = (
            round(float(np.sqrt(np.mean(miss[inside] ** 2))), 4),
            int(inside.sum()),
        )
    return out
