"""More cards than the table of candidates has layouts: there is an answer, and by the ledger it fits."""

from __future__ import annotations

import pytest

import gyakusan


@pytest.mark.parametrize("device", ["9x RTX 3090", "10x RTX 3090", "16x H100 SXM", "64x RTX 4090"])
def test_a_machine_of_many_cards_has_plans_that_fit(device: str) -> None:
    found = gyakusan.plan(device=device, engines=["vllm"], users=4, context=8192)
    assert found.plans
    assert max(p.deployment.settings.tensor_parallel for p in found.plans) >= 8
    for plan in found.plans:
        cards = [a for a in plan.ledger.accounts if a.device.kind == "gpu"]
        assert cards
        assert all(float(a.total) <= float(a.device.usable or 0) for a in cards)
