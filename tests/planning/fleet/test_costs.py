"""Costs of a fleet: by hand, and as they must move."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyakusan import machines
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.power import devices_watts, wall_watts
from gyakusan.planning.fleet.costs import (
    DAYS_PER_MONTH,
    IDLE_POWER_SHARE,
    CostTerms,
    FleetMachines,
    FleetWork,
    answer_price,
    cost,
    month,
    monthly_power,
    watts,
)
from gyakusan.planning.fleet.costs import machines as machines_of
from gyakusan.planning.fleet.replica_queue import ReplicaQueue, StepTime
from gyakusan.planning.request.money import Money, exchange_rates

RATES = exchange_rates({"USD": 150.0})
TWO = FleetMachines(2, 0, 360_000.0, 400.0, 100.0)
API = CostTerms(api_input=Money(0.15, "USD"), api_output=Money(0.6, "USD"))


def test_a_month_by_hand() -> None:
    """Two machines of 360,000 JPY over 36 months, 1 kW and 9 % loss at 31 JPY, 3 % upkeep; 0.1 requests a second."""
    found = month(TWO, FleetWork(0.1, 1000, 400, 1.0), CostTerms(upkeep=3.0), RATES)
    assert found.purchase == pytest.approx(20_000)
    assert found.watts == pytest.approx(1000 * 1.09)
    assert found.power == pytest.approx(1.09 * 24 * DAYS_PER_MONTH * 31)
    assert found.upkeep == pytest.approx(720_000 * 0.03 / 12)
    assert found.requests == pytest.approx(8640)
    assert found.total is not None
    assert found.total == pytest.approx(20_000 + 1.09 * 22_630 + 1_800)
    assert found.output_token_price == pytest.approx(found.total / (8640 * DAYS_PER_MONTH * 400) * 1e6)
    assert found.token_price == pytest.approx(found.total / (8640 * DAYS_PER_MONTH * 1400) * 1e6)


def test_idle_spares_draw_their_share() -> None:
    assert watts(400.0, 100.0, 2, 1, 0.0) == pytest.approx(3 * (400 * IDLE_POWER_SHARE + 100) * 1.09)


def test_a_machine_that_answers_two_at_once_is_idle_one_sixth_of_the_time() -> None:
    """Two RTX 5090 that answer 1.8 at once: idle e^-1.8 of the time, 2 x 575 W, 15 % of it idle, 150 W around, 9 % lost."""
    queue = ReplicaQueue(32, 1, 1e-6, 1e-6, (StepTime(1, 0.009, 0.009), StepTime(32, 0.009, 0.009)), 400)
    busy = queue.working(1.8 / (400 * 0.009), 1)
    assert busy == pytest.approx(0.835, abs=0.0005)
    assert watts(2 * 575.0, 150.0, 1, 0, busy) == pytest.approx(1241, abs=1)
    assert monthly_power(1241, CostTerms(), 31.0) == pytest.approx(28_084, rel=0.001)


def test_an_api_by_hand() -> None:
    found = month(TWO, FleetWork(1 / 86400, 1_000_000, 1_000_000, 1.0), API, RATES)
    assert found.api == pytest.approx(DAYS_PER_MONTH * (0.15 + 0.6) * 150)
    assert month(TWO, FleetWork(0.1, 1, 1, 1.0), CostTerms(), RATES).api is None
    assert month(TWO, FleetWork(0.1, 1, 1, 1.0), CostTerms(api_output=Money(1, "JPY")), RATES).api is not None


def test_what_is_not_known_is_not_counted() -> None:
    found = month(replace(TWO, price=None), FleetWork(0.1, 1000, 400, 1.0), CostTerms(), RATES)
    assert (found.purchase, found.total, found.output_token_price) == (None, None, None)
    assert found.power is not None
    assert month(replace(TWO, device_watts=None), FleetWork(0.1, 1000, 400, 1.0), CostTerms(), RATES).total is None


def load(rate: float) -> FleetWork:
    return FleetWork(rate, 1000, 400, min(1.0, rate))


def test_break_even_is_where_both_cost_the_same() -> None:
    found = cost(TWO, load, 0.1, 1.0, API, RATES)
    assert found.break_even is not None
    there = month(TWO, load(found.break_even / 86400), API, RATES)
    assert there.total == pytest.approx(there.api, rel=1e-6)
    dear = cost(replace(TWO, price=1e9), load, 0.1, 1.0, API, RATES)
    assert dear.break_even is None
    assert cost(TWO, load, 0.1, 1.0, CostTerms(), RATES).break_even is None


@given(st.floats(0.01, 1.0), st.floats(1.0, 10.0), st.floats(1, 100), st.integers(0, 3), st.floats(1, 3))
def test_more_of_anything_never_costs_less(rate: float, more: float, tariff: float, spares: int, pue: float) -> None:
    terms = CostTerms(tariff=Money(tariff, "JPY"), pue=pue)
    machines = replace(TWO, spares=spares)
    found = month(machines, load(rate), terms, RATES)
    assert found.total is not None
    dearer = (
        month(machines, load(rate), replace(terms, tariff=Money(2 * tariff, "JPY")), RATES),
        month(replace(machines, spares=spares + 1), load(rate), terms, RATES),
        month(machines, load(rate), replace(terms, pue=pue * more), RATES),
        month(replace(machines, price=360_000 * more), load(rate), terms, RATES),
    )
    assert all(d.total is not None and d.total >= found.total for d in dearer)
    full = month(machines, load(1.0), terms, RATES)
    assert full.token_price is not None
    assert found.token_price is not None
    assert full.token_price <= found.token_price * (1 + 1e-9)


@pytest.mark.parametrize("name", ["RTX 4090", "2x RTX 3090", "8x H100", "DGX Spark"])
def test_a_million_answers_of_one_machine_is_a_fleet_of_one(name: str) -> None:
    """The same machine, in a comparison and as a fleet at full work: one price of its tokens."""
    machine, terms, price = machines.parse(name), CostTerms(), 360_000.0
    offer = HardwareOption(machine, max(1, len(machine.gpus)), price, (), devices_watts(machine))
    fleet = machines_of(offer, 1, 0, price)
    found = answer_price(price, wall_watts(machine), 40.0, terms, RATES)
    full = month(fleet, FleetWork(0.1, 1000, 400, 1.0), terms, RATES)
    assert full.watts == pytest.approx(wall_watts(machine), abs=0.5)
    assert found == pytest.approx(full.output_token_price, rel=1e-3)


def test_a_million_answers_by_hand() -> None:
    """10,000 JPY and 0.5 kW a month."""
    found = answer_price(360_000.0, 500.0, 40.0, CostTerms(), RATES)
    assert found == pytest.approx((10_000 + 0.5 * 730 * 31) / (40 * 3600 * 730) * 1e6)
    assert answer_price(None, 500.0, 40.0, CostTerms(), RATES) is None
    assert answer_price(360_000.0, None, 40.0, CostTerms(), RATES) is None
    assert answer_price(360_000.0, 500.0, 0.0, CostTerms(), RATES) is None
