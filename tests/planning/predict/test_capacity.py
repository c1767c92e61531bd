"""The largest load that fits, and not one step more."""

from __future__ import annotations

from functools import partial

import pytest

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.planning.predict.capacity import STEP, find_capacity


@pytest.mark.parametrize("memory", ["12GiB", "16GiB", "24GiB"])
@pytest.mark.parametrize("name", ["qwen2.5-14b", "gpt-oss-20b", "llama3.1-8b"])
def test_the_limit_fits_and_one_step_more_does_not(name: str, memory: str) -> None:
    asked = api.deployment(name, load=Load(2, 4096), memory=memory)
    found = find_capacity(asked)
    if found.context:
        assert asked.at(Load(2, found.context)).ledger.fit == "fits"
    if not found.trained:
        assert asked.at(Load(2, found.context + STEP)).ledger.fit != "fits"
    if found.users:
        assert asked.at(Load(found.users, 4096)).ledger.fit == "fits"
    assert asked.at(Load(found.users + 1, 4096)).ledger.fit != "fits"


def test_nothing_fits() -> None:
    asked = api.deployment("qwen2.5-72b", load=partial(api.usual_load, users=1, context=None), memory="8GiB")
    found = find_capacity(asked)
    assert (found.context, found.users) == (0, 0)
