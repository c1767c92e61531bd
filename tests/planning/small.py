"""A small catalogue, quick enough to be checked by brute force."""

from __future__ import annotations

from functools import cache

from gyakusan.planning.candidates import model_table
from gyakusan.planning.candidates.model_table import ModelTable

NAMES = ("llama3.1-8b", "gpt-oss-20b", "qwen3-8b", "qwen3-30b-a3b", "gemma3-12b", "qwen2.5-1.5b")


@cache
def small(names: tuple[str, ...] = NAMES) -> ModelTable:
    """The columns of a few models."""
    whole = model_table.load()
    facts = [{**whole.models[whole.places[n]].facts, "listed": True} for n in names]  # whatever the rule says of them
    return model_table.from_facts(facts, {n: model_table.score_rows(n) for n in names})


def dominates(a: tuple[float, float, float], b: tuple[float, float, float]) -> bool:
    """True if a (quality, speed, price) is at least as good as b in everything and better in something."""
    as_good = a[0] >= b[0] and a[1] >= b[1] and a[2] <= b[2]
    return as_good and a != b
