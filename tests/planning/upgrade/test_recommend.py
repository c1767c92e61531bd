"""Upgrades: within the budget, real, confirmed by the ledger, and more money never makes the best worse."""

from __future__ import annotations

import math
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.planning.small import small

import gyakusan
from gyakusan.core.load import Load
from gyakusan.errors import BadQuantity
from gyakusan.planning.candidates.hardware import owned_machine, priced_machines
from gyakusan.planning.request.money import exchange_rates
from gyakusan.planning.select.plan_difference import FELT_POINTS, P_BETTER_MIN, is_real_gain, plan_difference
from gyakusan.planning.upgrade.labels import (
    LEAST_SHOWN,
    first_for_speed,
    is_surely_better,
    quality_for_money,
    shown_figures,
)
from gyakusan.planning.upgrade.option import UpgradeOption
from gyakusan.planning.upgrade.purchase_options import purchase_options
from gyakusan.planning.upgrade.recommend import UpgradeAnswer, parse_upgrade_request, upgrade

DEVICES = ("RTX 2060 6GB", "RTX 3050 8GB", "RTX 3060 12GB", "M4 16GB")


@cache
def ask(**values: str) -> UpgradeAnswer:
    return upgrade(parse_upgrade_request(values), columns=small())


@cache
def whole(**values: str) -> UpgradeAnswer:
    return upgrade(parse_upgrade_request(values))


def best(found: UpgradeAnswer) -> float:
    return max((s.gain for s in found.steps), default=0.0)


def role(found: UpgradeAnswer, name: str) -> UpgradeOption:
    return next(s for s in found.steps if name in s.roles)


@pytest.mark.parametrize("device", ["RTX 3060 12GB", "2x RTX 3060 12GB", "RTX 3060 12GB + RTX 3070", "M4 Max 36GB"])
def test_every_plan_fits_by_the_ledger_on_the_real_machine(device: str) -> None:
    found = whole(device=device, users="2", context="16k")
    assert found.steps
    for step in found.steps:
        deployment = step.plan.deployment.on(step.option.offer.machine)
        assert deployment.load == Load(2, 16384)
        assert not deployment.refusals
        assert deployment.ledger.fits
        assert step.limits is not None
        assert step.limits.users >= 2
        assert step.limits.context >= 16384 or step.limits.context == step.plan.ledger.model.trained_context


def test_today_is_what_plan_says() -> None:
    found = whole(device="RTX 3060 12GB")
    plans = gyakusan.plan(device="RTX 3060 12GB").plans
    assert found.now is not None
    assert (found.now.name, found.now.quantization, found.now.engine) == (
        plans[0].name,
        plans[0].quantization,
        plans[0].engine,
    )


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(DEVICES), st.integers(1, 4_000_000), st.sampled_from(("0", "60000JPY")), st.booleans())
def test_nothing_costs_more_than_the_budget(device: str, budget: int, resale: str, used: bool) -> None:
    asked: dict[str, object] = {"device": device, "budget": f"{budget}JPY", "used": used}
    found = upgrade(parse_upgrade_request(asked if resale == "0" else {**asked, "resale": resale}), columns=small())
    for step in found.steps:
        assert step.option.net <= budget
        assert step.gain > 0
        assert step.real
        assert step.option.resale in (0, 60000)
        assert step.option.resale == 0 or step.option.kind in ("replacement_card", "computer")
    assert found.keep == (not found.steps)


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(DEVICES), st.integers(1, 1_500_000), st.integers(0, 1_500_000))
def test_more_money_never_makes_the_best_worse(device: str, budget: int, more: int) -> None:
    assert best(ask(device=device, budget=f"{budget + more}JPY")) >= best(ask(device=device, budget=f"{budget}JPY"))


def test_with_one_yen_one_keeps_what_one_has_and_hears_of_the_nearest() -> None:
    found = whole(device="RTX 3060 12GB", budget="1JPY")
    assert found.keep
    assert not found.steps
    assert found.nearest is not None
    assert found.nearest.real
    assert found.nearest.option.net == role(whole(device="RTX 3060 12GB"), "cheapest").option.net


@pytest.mark.parametrize("device", ["RTX 3060 12GB", "RTX 4090", "M4 16GB", "2x RTX 3090"])
@pytest.mark.parametrize("task", ["chat", "coding"])
def test_labels_are_true(device: str, task: str) -> None:
    found = whole(device=device, task=task)
    rows = [shown_figures(s) for s in found.steps]
    for step, mine in zip(found.steps, rows, strict=True):
        assert not any(other.beats(mine) for other in rows)
        assert "cheapest" not in step.roles or mine.price == min(r.price for r in rows)
        assert "best" not in step.roles or is_surely_better(step)
        assert "best" not in step.roles or mine.quality == max(r.quality for r in rows)
        assert "fastest" not in step.roles or mine.speed == max(r.speed for r in rows)
        assert "yen" not in step.roles or quality_for_money(step) == max(map(quality_for_money, found.steps))
    assert len(rows) <= max(LEAST_SHOWN, sum(bool(s.roles) for s in found.steps))
    assert not found.steps or "cheapest" in found.steps[0].roles


def test_the_same_card_again_and_another_beside_it_are_considered() -> None:
    question = parse_upgrade_request({"device": "RTX 5090", "users": 2, "model": "llama3.3-70b"}).question
    found = purchase_options(question, owned_machine(question), 0.0, exchange_rates({}))
    assert {"same_card", "added_card", "replacement_card"} <= {o.kind for o in found}
    for option in (o for o in found if o.kind == "added_card"):
        cards = option.offer.machine.gpus
        assert [g.bandwidth or 0 for g in cards] == sorted(g.bandwidth or 0 for g in cards)
    shown = whole(device="RTX 5090", users="2", model="llama3.3-70b").steps
    assert all(s.plan.engine == "llama.cpp" for s in shown if s.option.kind == "added_card")


def test_where_nothing_fits_today_everything_that_does_is_a_gain() -> None:
    found = ask(device="RTX 2060 6GB", model="gpt-oss-20b")
    assert found.now is None
    assert found.steps
    assert all(s.between is None and s.real for s in found.steps)


def test_a_small_gain_is_none_and_a_clear_one_is() -> None:
    found = whole(device="RTX 3060 12GB")
    assert found.now is not None
    for step in found.steps:
        seen = plan_difference(found.now, step.plan, "overall")
        assert is_real_gain(found.wanted.question, found.now, step.plan)
        assert seen.speed_ratio is not None
        assert (seen.p_better >= P_BETTER_MIN and seen.quality_gap.value >= FELT_POINTS) or seen.speed_ratio[1] > 1
    assert not is_real_gain(found.wanted.question, found.now, found.now)


def test_one_model_twice_has_its_own_error_once() -> None:
    found = upgrade(parse_upgrade_request({"device": "RTX 3060 12GB", "model": "gemma4-26b-a4b"}))
    step = next(s for s in found.steps if s.plan.quantization != found.now.quantization) if found.now else None
    if step is not None and found.now is not None:
        apart = math.hypot(found.now.score.error, step.plan.score.error)
        assert plan_difference(found.now, step.plan, "overall").quality_gap.error < 0.9 * apart
    same = plan_difference(found.now, found.now, "overall") if found.now else None
    assert same is not None
    assert same.quality_gap.value == 0
    assert same.p_better == pytest.approx(0.5, abs=1e-6)


def test_money_must_have_a_currency() -> None:
    with pytest.raises(BadQuantity):
        parse_upgrade_request({"device": "RTX 3060 12GB", "resale": 40000})


def test_nothing_is_the_most_for_the_money_or_the_fastest_that_brings_neither() -> None:
    """A row with "-" for 10,000 yen was called most for the money, and one slower than what is owned the fastest."""
    for device in ("M4 Max 64GB", "RTX 4090", "RTX 3060 12GB"):
        for step in whole(device=device, budget="900000JPY").steps:
            assert "yen" not in step.roles or 10_000 * quality_for_money(step) >= 0.05
            ratio = None if step.between is None else step.between.speed_ratio
            assert "fastest" not in step.roles or ratio is None or ratio[0] > 1


@pytest.mark.parametrize("device", ["RTX 4090", "RTX 3060 12GB", "M4 16GB", "2x RTX 3090"])
def test_a_purchase_for_speed_only_is_named_where_no_quality_is_beyond_its_error(device: str) -> None:
    steps = whole(device=device).steps
    named = first_for_speed(steps)
    assert (named is None) == (not steps or any(map(is_surely_better, steps)))
    assert named is None or named.between is not None
    if named is not None and named.between is not None and named.between.speed_ratio is not None:
        assert named.between.speed_ratio[0] > 1


def test_a_complete_computer_that_is_cheaper_than_the_card_alone_is_named() -> None:
    """The price for which plan sells it; never a dearer one, nor one with another card."""
    question = parse_upgrade_request({"device": "RTX 4090", "currency": "JPY"}).question
    sold = {o.machine.name: o.price for o in priced_machines(structs.replace(question, device=None, count=1))}
    every = purchase_options(question, owned_machine(question), 0.0, exchange_rates())
    assert "NVIDIA GeForce RTX 5090" in {o.what for o in every if o.complete is not None}
    for option in every:
        whole = None if option.kind == "computer" else sold.get(option.what)
        assert option.complete == (whole if whole is not None and whole < option.price else None)
