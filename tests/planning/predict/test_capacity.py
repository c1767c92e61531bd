"""The largest load that fits, and not one step more."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from tests.fakes import tiny

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.planning.predict.capacity import MOST_USERS, STEP, UNSAID, Capacity, find_capacity, grown


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


@pytest.mark.parametrize("trained", [128, 256, 1000, 1024])
def test_no_context_is_longer_than_the_model_was_trained_for(
    trained: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers pad contexts to 256 tokens: neither 256 for a model of 128 nor 768 for one of 1,000 is its limit."""
    monkeypatch.setitem(tiny.CONFIG, "max_position_embeddings", trained)
    (tmp_path / "few.gguf").write_bytes(tiny.gguf())
    asked = api.deployment(str(tmp_path / "few.gguf"), load=Load(1, 64), memory="24GiB")
    assert find_capacity(asked) == Capacity(trained, MOST_USERS, trained=True)
    assert grown(asked, {"context"}).load.context == trained


@pytest.mark.parametrize(("memory", "ended"), [("16GiB", True), ("512GiB", False)])
def test_where_no_training_is_known_the_memory_is_the_limit(memory: str, ended: bool) -> None:
    """The catalogue knows no context of gemma-2b: 0 tokens were asked of its server, which ended in an error."""
    asked = api.deployment("gemma-2b", load=Load(1, 4096), memory=memory)
    assert asked.model.trained_context == 0
    found = find_capacity(asked)
    assert not found.trained
    assert (found.context < UNSAID) is ended
    assert grown(asked, {"context"}).ledger.fit == "fits"


def test_nothing_fits() -> None:
    asked = api.deployment("qwen2.5-72b", load=partial(api.usual_load, users=1, context=None), memory="8GiB")
    found = find_capacity(asked)
    assert (found.context, found.users) == (0, 0)


def test_what_is_planned_is_never_more_than_what_fits_at_most() -> None:
    """A plan that fits by its best figure alone was told: at most 0 tokens for each of 5 people, or 0 people."""
    from gyakusan.api import machine_for
    from gyakusan.planning.select.plan import catalogue_deployment

    seen = 0
    for kib in range(15_000, 15_700, 50):
        machine = machine_for(None, f"{kib}MiB")
        found = catalogue_deployment("gemma4-26b-a4b-qat", "UD-Q4_K_XL", "llama.cpp", machine, Load(5, 8192), "Q8_0")
        if found is None or found.ledger.fit != "unsure" or not found.ledger.fits:
            continue
        seen += 1
        limits = find_capacity(found)
        assert (limits.context, limits.users) >= (8192, 5)
    assert seen
