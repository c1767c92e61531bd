"""A small catalogue, quick enough to be checked by brute force."""

from __future__ import annotations

from functools import cache

from gyakusan.planning import columns
from gyakusan.planning.columns import Columns

NAMES = ("llama3.1-8b", "gpt-oss-20b", "qwen3-8b", "qwen3-30b-a3b", "gemma3-12b", "qwen2.5-1.5b")


@cache
def small(names: tuple[str, ...] = NAMES) -> Columns:
    """The columns of a few models."""
    whole = columns.load()
    facts = [whole.models[whole.places[n]].facts for n in names]
    return columns.build(facts, {n: columns.modes(n) for n in names})
