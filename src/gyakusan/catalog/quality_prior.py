"""Ability of a model that nobody tested, from size, date and family; its error was measured on families left out.

The coefficients are in data/quality/index.json ("prior"), fitted by tools/fit_quality.py. Every such figure is `assumed`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gyakusan.catalog.quality_names import Traits
from gyakusan.core.quality import DIMENSIONS

BASE = (
    "one",
    "size",
    "active",
    "date",
    "date x size",
    "size squared",
    "reasoning",
    "reasoning x size",
    "low effort",
    "high effort",
    "coder",
    "math",
    "vision",
    "base",
    "japanese maker",
)
FAMILIES = (
    "qwen",
    "gemma",
    "gptoss",
    "nvidia",
    "llama",
    "mistral",
    "deepseek",
    "glm",
    "granite",
    "lfm",
    "phi",
    "olmo",
    "kimi",
    "minimax",
    "cohere",
)
"""Families with a coefficient of their own; the others share what size and date say."""

_CENTRE_SIZE = math.log10(8e9)
_CENTRE_YEAR = 2025.0
_NO_DATE, _NO_FAMILY, _TINY = 0.35, 0.25, 0.30
"""Further error where the date or the family is unknown, and below 1e9 weights [standard deviations of ability].
Source: feasibility study of this project, November 2026: judged, not fitted."""


def columns(traits: Traits) -> list[float]:
    """Return the row of the regression: BASE, then one column for each of FAMILIES. Raises ValueError without a size."""
    if not traits.parameters:
        raise ValueError("no size")
    size = math.log10(traits.parameters) - _CENTRE_SIZE
    active = math.log10(traits.active or traits.parameters) - _CENTRE_SIZE
    date = 0.0 if traits.released is None else traits.released - _CENTRE_YEAR
    on = float(traits.mode != "off")
    row = [1.0, size, active, date, date * size, size * size, on, on * size]
    row += [float(traits.mode == effort) for effort in ("low", "high")]
    row += [float(b) for b in (traits.coder, traits.math, traits.vision, traits.base, traits.family == "ja")]
    return row + [float(traits.family == f) for f in FAMILIES]


def added_variance(traits: Traits) -> float:
    """Return the variance added for unknown traits [squared standard deviations of ability]."""
    unknown = (traits.released is None, traits.family == "other", (traits.parameters or 0) < 1e9)
    return sum(e * e for missing, e in zip(unknown, (_NO_DATE, _NO_FAMILY, _TINY), strict=True) if missing)


def mean(traits: Traits, coefficients: Sequence[Sequence[float]]) -> list[float]:
    """Return expected ability and its departures in Japanese, code, reasoning, agents (5,). coefficients: (columns, 5)."""
    row = columns(traits)
    return [sum(x * b[k] for x, b in zip(row, coefficients, strict=True)) for k in range(DIMENSIONS)]


def covariance(traits: Traits, variance: Sequence[float]) -> list[list[float]]:
    """Return the covariance (5, 5) of what `mean` returns. variance: (5,) of the prior, all traits known."""
    variances = [variance[0] + added_variance(traits), *variance[1:]]
    return [[variances[i] if i == j else 0.0 for j in range(DIMENSIONS)] for i in range(DIMENSIONS)]
