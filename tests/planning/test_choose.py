"""From a machine back to models: the best quantisation that fits, and the reason where none does."""

from __future__ import annotations

import pytest

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.machines import parse
from gyakusan.planning.choose import COARSE, LADDER, Plans


@pytest.fixture(scope="module")
def plans() -> Plans:
    return api.plans(parse("RTX 4090"), Load(2, 8192), {})


def test_every_choice_fits_by_inspect(plans: Plans) -> None:
    for choice in plans.choices[::5]:
        asked = api.question(choice.name, quantization=choice.quantization, load=Load(2, 8192), device="RTX 4090")
        assert asked.ledger.fits
        assert asked.ledger.accounts[0].total == choice.ledger.accounts[0].total


def test_a_better_quantisation_would_not_fit(plans: Plans) -> None:
    for choice in plans.choices[::5]:
        if choice.quantization not in LADDER[1:]:
            continue
        better = LADDER[LADDER.index(choice.quantization) - 1]
        asked = api.question(choice.name, quantization=better, load=Load(2, 8192), device="RTX 4090")
        assert not asked.ledger.fits


def test_larger_models_come_first_and_coarse_ones_last(plans: Plans) -> None:
    order = [(c.quantization in COARSE, -c.ledger.model.parameters) for c in plans.choices]
    assert order == sorted(order)


def test_native_four_bit_models_stay_as_published(plans: Plans) -> None:
    assert [c.quantization for c in plans.choices if c.name == "gpt-oss-20b"] == ["MXFP4_MOE"]


def test_a_context_beyond_training_excludes() -> None:
    plans = api.plans(parse("H100"), Load(1, 65536), {})
    reason = next(e.reason for e in plans.excluded if e.name == "gemma2-2b")
    assert str(reason) == "trained for 8,192 tokens, 65,536 asked"


def test_more_memory_never_offers_less() -> None:
    small, large = (api.plans(parse(None, memory), Load(1, 8192), {}) for memory in ("12GiB", "24GiB"))
    assert {c.name for c in small.choices} <= {c.name for c in large.choices}
