"""Each engine says which cache of 8 bits its plans try, and what that costs."""

from __future__ import annotations

import pytest

from gyakusan import machines
from gyakusan.engines.registry import NAMES, engine
from gyakusan.engines.smaller_cache import Q8_0
from gyakusan.models import load


@pytest.mark.parametrize("name", NAMES)
def test_an_engine_that_tries_one_can_set_it_and_names_its_cost(name: str) -> None:
    cache = engine(name).SMALLER_CACHE
    costs = cache.costs(load("qwen3-8b"), machines.parse("RTX 4090"))
    assert bool(cache.kind) == bool(cache.loss) == bool(costs), "what is never tried costs nothing"
    if cache.kind:
        assert engine(name).cache_setting(cache.kind)


def test_the_cost_has_its_source() -> None:
    (cost,) = Q8_0.costs(load("qwen3-8b"), machines.parse("RTX 4090"))
    assert "7412" in str(cost)
