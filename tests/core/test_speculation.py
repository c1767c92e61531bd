"""Speculative decoding against recorded runs: what a checked step costs, what it yields, and what is left with many users."""

from __future__ import annotations

import pytest

from gyakusan.core.speculation import check_cost, checked_step, crowded_gain, gain, tokens_of_a_step


def test_a_checked_step_costs_what_an_rtx_5090_takes() -> None:
    """Qwen3.8-27B, 600 W, 1 to 6 drafted tokens (sudoingX/qwen38-mtp, Apache-2.0)."""
    for drafts, measured in enumerate((1.22, 1.34, 1.52, 1.66, 1.85, 2.06), start=1):
        assert checked_step(drafts, check_cost("blackwell"), 1.0, 1) == pytest.approx(measured, rel=0.035)


@pytest.mark.parametrize(
    ("family", "drafts", "accepted", "measured"),
    [("ampere", 2, 0.78, 41.3 / 31.0), ("ada", 2, 0.56, 76.3 / 47.7), ("blackwell-laptop", 2, 0.79, 50.9 / 36.7)],
)
def test_gains_that_people_measured(family: str, drafts: int, accepted: float, measured: float) -> None:
    """Community table of Qwen3.8-27B Q4_K_M (sudoingX/qwen38-mtp, Apache-2.0); laptops and short prompts scatter."""
    one = checked_step(drafts, check_cost(family), 1.0, 1)
    assert gain(drafts, one, 1.0, 1.0, accepted) == pytest.approx(measured, rel=0.4)


def test_drafting_does_not_pay_on_apples_chips() -> None:
    """Three runs between 0.8 and 1.06 (sudoingX/qwen38-mtp, Apache-2.0)."""
    for drafts in (1, 2, 3):
        assert 0.75 < gain(drafts, checked_step(drafts, check_cost("apple-m4"), 1.0, 1), 1.0, 1.0) < 1.06


def test_many_users_leave_less_of_a_gain() -> None:
    """A DGX Spark, vLLM, Qwen3.8-27B NVFP4, 3 drafted tokens: 1.82, 1.83, 1.51, 1.36 at 1, 8, 16, 32 users (autohomelab)."""
    alone = crowded_gain(3, 1.0, 1)
    for users, measured in ((8, 1.83), (16, 1.51), (32, 1.36)):
        assert crowded_gain(3, 1.0, users) / alone * 1.82 == pytest.approx(measured, rel=0.1)


def test_rows_of_others_that_fall_off_a_kernels_edge_eat_the_gain() -> None:
    """Four Radeon Pro Vega II, 3 drafted tokens: 8 users check 32 rows, and answers come slower than without (0.81; exabit)."""
    one = checked_step(3, check_cost("gcn"), 1.3, 1)
    assert gain(3, one, 1.3, 1.3) > 1
    assert gain(3, one, 1.3, 3.5) < 1


def test_what_is_accepted_by_chance_falls_with_every_token() -> None:
    assert tokens_of_a_step(0) == 1
    assert tokens_of_a_step(1) == pytest.approx(1.88)
    assert tokens_of_a_step(3) - tokens_of_a_step(2) < tokens_of_a_step(2) - tokens_of_a_step(1)
    assert tokens_of_a_step(3, 0.5) == 2.5


def test_experts_that_more_rows_read_cost_more_than_a_dense_model_knows() -> None:
    cost = check_cost("ada")
    assert checked_step(2, cost, 1.9, 128) == 1.9
    assert checked_step(2, cost, 1.9, 1) == checked_step(2, cost, 1.0, 128) == pytest.approx(1.38)
