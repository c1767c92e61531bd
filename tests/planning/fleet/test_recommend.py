"""Fleets: everything fits, nobody falls behind, more is never worse, and bad questions are named at once."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.planning.small import small

from gyakusan.core.load import Load
from gyakusan.errors import GyakusanError
from gyakusan.planning.fleet.costs import DAYS_PER_MONTH
from gyakusan.planning.fleet.labels import MAX_ROWS, shown_figures
from gyakusan.planning.fleet.plan import FleetPlan
from gyakusan.planning.fleet.ranking import lacks_for_cheapest, ranked_for_role
from gyakusan.planning.fleet.recommend import FleetAnswer, fleet
from gyakusan.planning.fleet.replica_queue import ReplicaQueue, StepTime, pipeline_hop, pipeline_speed
from gyakusan.planning.fleet.request import network, parse_fleet_request
from gyakusan.planning.fleet.sweep import sweep_fleets
from gyakusan.planning.request.pace import is_wanted
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.plan import catalogue_deployment, exact_ledger
from gyakusan.planning.select.plan_capacity import capacity_of
from gyakusan.planning.select.ranking import ENOUGH_POINTS, TIE_POINTS, rank_candidates
from gyakusan.planning.select.recommend import recommend

API = {"api_input": "0.15USD", "api_output": "0.6USD"}


@cache
def ask(**values: Any) -> FleetAnswer:
    """The answer over the whole catalogue."""
    return fleet(parse_fleet_request(values))


def little(**values: Any) -> FleetAnswer:
    """The answer over a few models."""
    return fleet(parse_fleet_request(values), columns=small())


def role(found: FleetAnswer, name: str) -> FleetPlan:
    """The plan with this role."""
    return next(p for p in found.plans if name in p.roles)


QUESTIONS: list[dict[str, Any]] = [
    {"users": 200, "context": "16k"},
    {"arrivals": "2000/h", "budget": "5000000JPY", **API},
    {"users": 40, "budget": "3000000JPY", "spare": 1},
    {"arrivals": "300/h", "device": "RTX 4090", "language": "ja"},
]


@pytest.mark.parametrize("values", QUESTIONS)
def test_every_plan_fits_and_serves_everyone(values: dict[str, Any]) -> None:
    answer = ask(**values)
    plan_request = answer.request.plan_request
    roles = {r for p in answer.plans for r in p.roles}
    assert "balanced" in roles
    assert answer.plans[0].roles[0] == "balanced"
    for plan in answer.plans:
        replica = plan.plan
        load = Load(plan.users_per_replica, plan_request.workload.context)
        kv_type = plan_request.cache_types[int(replica.small_cache)]
        machine, changes = replica.offer.machine, replica.deployment.changes
        again = exact_ledger(
            catalogue_deployment(replica.name, replica.quantization, replica.engine, machine, load, kv_type, changes)
        )
        assert replica.ledger.fits
        assert again is not None
        assert again.accounts[0].total == replica.ledger.accounts[0].total
        assert plan.replicas <= answer.request.replicas
        if plan_request.arrivals is None:
            assert plan.replicas * plan.users_per_replica >= plan_request.users
        else:
            assert plan.queue_estimate is not None
            assert not plan.queue_estimate.saturated
            sustained = plan.queue.sustainable_rate(plan.replicas)
            assert plan_request.arrivals <= sustained < plan.replicas * plan.queue.saturation_rate
            assert plan.queue_estimate.slots <= plan.users_per_replica * plan.replicas
        if answer.request.budget is not None:
            assert replica.offer.price is not None
            bought = replica.offer.price * plan.machines
            assert bought <= (
                answer.rates.convert(answer.request.budget.amount, answer.request.budget.currency, "JPY") or 0
            )


@pytest.mark.parametrize("values", QUESTIONS)
def test_a_token_is_cheapest_at_full_load(values: dict[str, Any]) -> None:
    for plan in ask(**values).plans:
        requested, full = plan.cost.requested, plan.cost.full
        assert requested.requests <= full.requests * (1 + 1e-9)
        if requested.output_token_price is not None and full.output_token_price is not None:
            assert full.output_token_price <= requested.output_token_price * (1 + 1e-9)


def holds_labels(answer: FleetAnswer) -> None:
    """Every label is true of the figures that are shown, and no row is beaten in all of them."""
    request = answer.request.plan_request
    target = request.workload.target_tps
    rows = [shown_figures(p) for p in answer.plans]
    for plan, mine in zip(answer.plans, rows, strict=True):
        assert plan.roles
        assert not any(other.beats(mine) for other in rows)
        for label in plan.roles:
            assert label != "fewest" or mine.machines == min(r.machines for r in rows)
            assert label != "fastest" or mine.answer == max(r.answer for r in rows)
            assert label != "best" or mine.quality == max(r.quality for r in rows)
            assert label != "survives" or plan.failure_impact.verdict in ("spare", "holds")
        if "cheapest" in plan.roles:
            assert plan.plan.surely_fits
            assert mine.answer >= target
            assert mine.quality >= ENOUGH_POINTS or request.model is not None
            for other, figures in zip(answer.plans, rows, strict=True):
                assert figures.price >= mine.price or lacks_for_cheapest(request, other)
    if answer.plans:
        first = answer.plans[0]
        assert "balanced" in first.roles
        fast = [r for r in rows if r.answer >= target]
        assert rows[0].answer >= target or not fast or first.replicas == 1
        assert len([r for p in answer.plans for r in p.roles]) == len({r for p in answer.plans for r in p.roles})
        assert len(answer.plans) <= MAX_ROWS
        assert len({p.plan.surely_fits for p in answer.plans}) == 1


@pytest.mark.parametrize("values", QUESTIONS)
def test_labels_are_true_of_the_whole_catalogue(values: dict[str, Any]) -> None:
    holds_labels(ask(**values))


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from([{"users": 3}, {"users": 30}, {"users": 300}, {"arrivals": "60/h"}, {"arrivals": "5000/h"}]),
    st.sampled_from(
        [{"device": "RTX 5090"}, {"device": "4x RTX 3090", "price": "900000JPY"}, {"budget": "9000000JPY"}]
    ),
    st.sampled_from(["chat", "coding", "rag"]),
    st.sampled_from(["balanced", "quality", "speed", "price"]),
    st.integers(0, 1),
)
def test_labels_are_true(who: dict[str, Any], what: dict[str, Any], task: str, prefer: str, spare: int) -> None:
    holds_labels(little(**who, **what, task=task, prefer=prefer, spare=spare))


def test_a_large_model_shares_its_machines() -> None:
    """Nineteen boxes of eight H100, four people on each, were an answer to 2,000 requests an hour."""
    asked = {"arrivals": "2000/h", "device": "8x H100 80GB HBM3", "model": "glm-5", "context": "32k", "replicas": 64}
    found = ask(**asked, price="45000000JPY", engines="vllm")  # its AWQ files may not fit: their size is derived
    assert found.plans[0].machines <= 8
    assert found.plans[0].answer_speed >= 10
    assert all(p.plan.spare is not None and p.plan.spare < 0 for p in found.plans)
    sure = ask(**asked, price="45000000JPY").plans
    assert all(p.users_per_replica > 4 and p.plan.ledger.surely_fits for p in sure)


def test_a_fleet_that_may_not_fit_is_no_answer_where_another_surely_fits() -> None:
    sizes = [p for users in (40, 200) for p in ask(device="RTX 4090", users=users, context="16k", replicas=64).plans]
    assert sizes
    assert all(p.plan.ledger.surely_fits for p in sizes)


def test_the_fastest_fleet_is_the_fastest_however_fast_that_is() -> None:
    """Speed beyond four times what the task wants did not count, so that a slower and cheaper fleet stood first."""
    request = parse_fleet_request({"users": 4, "budget": "3000000JPY", "context": "8k", "replicas": 4})
    found = sweep_fleets(request, small())
    scores, speed = rank_candidates(request.plan_request, found.grid), found.grid.cells.expected_visible_tokens_per_s
    first, *others = ranked_for_role("fastest", scores, found.replicas, request.plan_request)
    assert speed[first] > 4 * request.plan_request.workload.target_tps
    assert speed[first] == speed[[first, *others]].max()


def test_one_machine_is_the_machine_that_plan_plans() -> None:
    question = {"device": "RTX 4090", "users": 4, "model": "gpt-oss-20b", "engines": "llama.cpp", "context": "16k"}
    one = fleet(parse_fleet_request({**question, "replicas": 1})).plans[0]
    alone = recommend(parse_request(question)).plans
    same = next(p for p in alone if p.quantization == one.plan.quantization)
    assert one.machines == 1
    assert one.plan.ledger.accounts[0].total == same.ledger.accounts[0].total
    assert one.plan.pace == same.pace
    assert one.plan.command == same.command


@pytest.mark.parametrize("device", ["RTX 3060 12GB", "RTX 4090", "RTX 5060 Ti 16GB", "2x RTX 3090"])
@pytest.mark.parametrize(("users", "context"), [(1, "8k"), (4, "32k"), (12, "16k")])
@pytest.mark.parametrize("prefer", ["balanced", "quality"])
def test_a_single_machine_has_the_plan_that_plan_gives_it(device: str, users: int, context: str, prefer: str) -> None:
    """Four people on an RTX 3060 had gemma4-12b-qat by plan, and gemma4-e4b-qat by fleet, with no reason said."""
    question = {"device": device, "users": users, "context": context, "prefer": prefer}
    fleets = ask(**question, replicas=1)
    planned = recommend(parse_request({**question, "engines": fleets.request.plan_request.engines})).plans
    assert bool(planned) is bool(fleets.plans)
    if planned:
        one, other = fleets.plans[0].plan, planned[0]
        assert (one.name, one.quantization, one.engine, one.small_cache) == (
            other.name, other.quantization, other.engine, other.small_cache,
        )  # fmt: skip


LABELLED: list[dict[str, Any]] = [
    {"users": users, "budget": budget, "context": context}
    for users, context in ((5, "32k"), (1, "8k"), (20, "16k"))
    for budget in ("200000JPY", "300000JPY", "2000000JPY")
]


@pytest.mark.parametrize("values", LABELLED, ids=str)
def test_labels_of_usual_questions_are_true(values: dict[str, Any]) -> None:
    """The row called the cheapest answered at 3 tokens/s where 10 are wanted."""
    holds_labels(ask(**values))


def test_a_machine_whose_power_is_not_known_hides_no_cheaper_one() -> None:
    """Four Macs without a known power counted as the cheapest, so that nothing else was tried for that."""
    found = ask(users=5, budget="300000JPY", context="32k")
    cheapest = role(found, "cheapest")
    assert cheapest.monthly < np.inf
    assert cheapest.monthly < found.plans[0].monthly


def test_the_sized_fleet_is_the_smallest_on_target() -> None:
    question = {**QUESTIONS[0], "device": "RTX 5090", "model": "gpt-oss-20b", "engines": "llama.cpp"}
    plan, target = ask(**question).plans[0], 10.0
    fewer = ask(**question, replicas=plan.replicas - 1)
    assert plan.answer_speed >= target
    workload = fewer.request.plan_request.workload
    assert not any(is_wanted(workload, p.answer_speed, p.speed.ttft.value) for p in fewer.plans)


def test_a_fleet_of_one_tries_the_caches_of_plan() -> None:
    """For the same office plan bought a card of 209,800 yen, fleet one of 456,666: it never tried the cache of 8 bits."""
    office = {"users": 5, "context": "16k", "language": "ja", "budget": "800000JPY"}
    bought, served = recommend(parse_request(office)).plans[0], fleet(parse_fleet_request({**office, "hours": 9}))
    assert bought.small_cache
    first = served.plans[0].plan
    assert (first.offer.machine.name, first.name, first.command) == (
        bought.offer.machine.name,
        bought.name,
        bought.command,
    )


def test_reasoning_counts_on_both_sides() -> None:
    """A model that thinks makes more tokens than it shows, and an API bills them."""
    found = ask(**QUESTIONS[1])
    for plan in found.plans:
        requests = plan.cost.requested.requests * DAYS_PER_MONTH
        assert plan.cost.requested.output_tokens == pytest.approx(requests * 400 * plan.plan.thinking.factor)
        assert plan.cost.requested.api == pytest.approx(
            (plan.cost.requested.prompt_tokens * 0.15 + plan.cost.requested.output_tokens * 0.6)
            / 1e6
            * (found.rates.convert(1, "USD", "JPY") or 0)
        )


def test_the_same_question_has_the_same_answer() -> None:
    one, two = little(users=30, budget="2000000JPY"), little(users=30, budget="2000000JPY")
    assert [(p.roles, p.plan.name, p.replicas, p.monthly) for p in one.plans] == [
        (p.roles, p.plan.name, p.replicas, p.monthly) for p in two.plans
    ]


@settings(max_examples=6, deadline=None)
@example(115, 600_000, 2)  # more thinking on the same machines was left out as no cheaper
@given(st.integers(1, 120), st.integers(500_000, 3_000_000), st.integers(1, 4))
def test_a_larger_budget_never_makes_the_best_worse(users: int, budget: int, more: int) -> None:
    small_, large = (little(users=users, budget=f"{b}JPY") for b in (budget, budget * more))
    if small_.plans:
        assert role(large, "best").quality_lower >= role(small_, "best").quality_lower - TIE_POINTS - 1e-9
        assert role(large, "cheapest").quality_lower >= role(small_, "best").quality_lower - 26


@pytest.mark.parametrize("task", ["coding", "chat"])
@pytest.mark.parametrize("prefer", ["balanced", "price"])
def test_more_money_never_lowers_the_highest_quality_nor_slows_the_fastest(task: str, prefer: str) -> None:
    """The highest quality fell from 89 to 76 with twice the money: the one candidate of its pool missed the least speed."""
    best, fastest = 0.0, None
    for budget in (3000, 5000, 6000, 8000, 12_000, 20_000, 40_000):
        found = ask(users=6, context="48k", task=task, prefer=prefer, budget=f"{budget}USD")
        if not found.plans:
            continue
        figures = [shown_figures(p) for p in found.plans]
        assert max(f.quality for f in figures) >= best, budget
        best = max(f.quality for f in figures)
        quickest = role(found, "fastest")
        if fastest is not None and quickest.quality_lower <= fastest.quality_lower:  # else the floor of its scope rose
            assert quickest.answer_speed >= fastest.answer_speed * (1 - 1e-9), budget
        fastest = quickest


@settings(max_examples=6, deadline=None)
@given(st.floats(0.01, 2.0), st.floats(1.0, 5.0))
def test_more_requests_never_need_fewer_machines(rate: float, more: float) -> None:
    """Of the same model on the same machine with as many slots, cell by cell."""

    def needed(rate: float) -> dict[tuple[int, ...], int]:
        asked = parse_fleet_request(
            {"arrivals": f"{rate:.6f}/s", "device": "RTX 4090", "model": "qwen3-8b", "replicas": 1024}
        )
        found = sweep_fleets(asked, small())
        cells = found.grid.cells
        keys = zip(cells.engine, cells.row, cells.mode, found.users_per_replica, strict=True)
        return dict(zip((tuple(int(x) for x in k) for k in keys), found.replicas.tolist(), strict=True))

    few, many = needed(rate), needed(rate * more)
    assert few
    assert all(many[k] >= n for k, n in few.items() if k in many)


@settings(max_examples=6, deadline=None)
@given(st.integers(1, 300), st.integers(1, 60))
def test_a_dearer_tariff_never_lowers_the_cost(users: int, tariff: int) -> None:
    values = {"users": users, "device": "RTX 4090", "model": "qwen3-8b", "price": "450000JPY"}
    one, two = (little(**values, tariff=f"{t}JPY/kWh") for t in (tariff, 2 * tariff))
    if one.plans:
        assert role(two, "cheapest").monthly >= role(one, "cheapest").monthly


def test_a_failure_is_told() -> None:
    alone = little(users=2, device="RTX 4090", replicas=1)
    assert {p.failure_impact.verdict for p in alone.plans} == {"stops"}
    assert {p.failure_impact.verdict for p in little(users=2, device="RTX 4090", replicas=1, spare=1).plans} == {
        "spare"
    }
    many = little(arrivals="6000/h", device="RTX 4090", model="llama3.1-8b")
    for plan in many.plans:
        left = plan.replicas - 1
        expected = min(1.0, left * plan.queue.saturation_rate * 3600 / 6000)
        assert plan.failure_impact.served == pytest.approx(expected)
        assert (plan.failure_impact.verdict in ("full", "stops")) == (expected < 1)


@pytest.mark.parametrize(("device", "users"), [("8x H100", 400), ("RTX 4090", 30)])
def test_machines_that_are_left_serve_as_many_as_their_memory_holds(device: str, users: int) -> None:
    """Two of three machines that hold 84 people each serve 168 of 200, not two shares of 67."""
    full = [
        p for p in ask(device=device, users=users, context="32k").plans
        if p.failure_impact.verdict == "full" and p.queue.stages == 1
    ]  # fmt: skip
    assert full
    for plan in full:
        held = capacity_of(plan.plan).limits.users
        now, then = plan.plan.deployment, plan.plan.deployment.at(Load(held, plan.plan.deployment.load.context))
        if now.command != then.command:  # the server was started with so many places
            held = plan.users_per_replica
        assert held >= plan.users_per_replica
        assert plan.failure_impact.served == pytest.approx((plan.replicas - 1) * held / users)
        assert plan.failure_impact.served < 1
    more = [p for p in full if p.failure_impact.served > (p.replicas - 1) * p.users_per_replica / users]
    assert bool(more) == (device == "8x H100")


def test_users_and_arrivals_both_hold() -> None:
    found = little(arrivals="10/h", users=100, device="RTX 4090", model="llama3.1-8b", context="4k")
    assert all(p.replicas * p.users_per_replica >= 100 for p in found.plans)


def test_a_machine_without_a_price_is_planned_and_its_cost_is_not_invented() -> None:
    found = little(users=20, device="8x H100")
    assert found.plans
    for plan in found.plans:
        assert plan.cost.requested.total is None
        assert plan.cost.requested.power is not None
    assert all(p.cost.requested.total for p in little(users=20, device="8x H100", price="40000000JPY").plans)


def test_a_model_that_no_machine_holds_spans_machines() -> None:
    common: dict[str, Any] = {"users": 16, "device": "4x RTX 4090", "model": "qwen3-235b-a22b", "engines": "vllm"}
    found = ask(**common, price="3000000JPY", first_address="10.0.0.5")
    assert found.plans
    for plan in found.plans:
        ledger = plan.plan.ledger
        assert plan.nodes > 1
        assert ledger.fits
        assert ledger.settings["tensor_parallel"] == plan.tensor_parallel == 4
        assert ledger.settings["pipeline_parallel"] == plan.nodes == len(plan.commands)
        assert len([a for a in ledger.accounts if a.device.kind == "gpu"]) == 4 * plan.nodes
        for rank, command in enumerate(plan.commands):
            argv = command.argv
            assert argv[argv.index("--nnodes") + 1] == str(plan.nodes)
            assert argv[argv.index("--node-rank") + 1] == str(rank)
            assert ("--headless" in argv) == (rank > 0)
            assert "127.0.0.1" not in (*argv, *command.environment.values())
            assert argv[argv.index("--master-addr") + 1] == "10.0.0.5"
    assert not ask(**common, nodes=1).plans
    assert [p.commands for p in ask(**common).plans] == [() for _ in ask(**common).plans]


def test_a_slower_network_is_slower() -> None:
    common: dict[str, Any] = {"users": 16, "device": "4x RTX 4090", "model": "qwen3-235b-a22b", "engines": "vllm"}
    fast, slow = (ask(**common, network=n).plans[0] for n in ("100Gbit/s", "1Gbit/s"))
    assert slow.speed.tpot.value > fast.speed.tpot.value
    assert slow.speed.ttft.value > fast.speed.ttft.value
    assert pipeline_hop(8, 4096, 1e9) > pipeline_hop(8, 4096, 1e10) > pipeline_hop(1, 4096, 1e10)


def test_stages_work_at_once() -> None:
    pace = ask(users=16, device="4x RTX 4090", price="3000000JPY").plans[0].speed
    both = pipeline_speed(pace, 2, 32, 0.0, 0.0)
    assert both.decode_each.value == pytest.approx(pace.decode_each.value)
    assert both.throughput.value == pytest.approx(2 * pace.throughput.value)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(1e-3, 1), min_size=2, max_size=5), st.integers(1, 300))
def test_a_step_is_between_its_points(times: list[float], users: int) -> None:
    points = tuple(StepTime(1 + 10 * i, t, t) for i, t in enumerate(sorted(times)))
    found = ReplicaQueue(points[-1].users, 1, 0.1, 0.1, points, 100)
    assert min(times) <= found.step(users) <= max(times)
    assert [found.step(p.users) for p in points] == pytest.approx(sorted(times))


BAD: list[dict[str, Any]] = [
    {"replicas": 0},
    {"replicas": "many"},
    {"replicas": 10**9},
    {"spare": -1},
    {"nodes": 0},
    {"users": -5},
    {"users": 0},
    {"arrivals": "-1/s"},
    {"arrivals": "1000000000000/s"},
    {"arrivals": 5},
    {"tariff": "31"},
    {"tariff": "31XYZ/kWh"},
    {"tariff": "-31JPY"},
    {"api_input": "free"},
    {"months": 0},
    {"months": "nan"},
    {"pue": 0.5},
    {"hours": 25},
    {"upkeep": 1000},
    {"network": "fast"},
    {"network": "0Gbit/s"},
    {"first_address": ""},
    {"first_address": "localhost"},
    {"first_address": "127.0.0.1"},
    {"first_address": "0.0.0.0"},
    {"first_address": "::1"},
    {"first_address": "10.0.0.5;reboot"},
    {"first_address": "$(id)"},
    {"first_address": "fe80::1%$(id)"},
    {"first_address": "--headless"},
    {"first_address": "10.0.0.256"},
    {"first_address": "<first>"},
    {"first_address": "a." * 127 + "b"},
    {"first_address": 5},
    {"price": "100JPY"},
    {"replica": 3},
    {"nodes": 2, "engines": "llama.cpp"},
]


def test_times_name_their_unit_as_japanese_writes_it() -> None:
    """Years of writing-off are months."""
    for values, months, hours in (({"months": "三年"}, 36, 24), ({"months": "24か月", "hours": "八時間"}, 24, 8)):
        terms = parse_fleet_request({"users": "五十人", **values}).terms
        assert (terms.months, terms.hours) == (months, hours)


@pytest.mark.parametrize("values", BAD, ids=lambda v: next(iter(v.items())).__repr__())
def test_bad_input_is_named(values: dict[str, Any]) -> None:
    with pytest.raises(GyakusanError) as error:
        parse_fleet_request(values)
    assert error.value.mend is not None


def test_speeds_of_networks() -> None:
    assert network("100Gbit/s") == network("100GbE") == network("100Gbps") == network("12.5GB/s") == 12.5e9


def test_arrivals_cost_no_more_cells_than_there_are() -> None:
    found = sweep_fleets(parse_fleet_request({"arrivals": "100/h", "device": "RTX 4090"}), small())
    cells = found.grid.cells
    assert len(cells) == len(found.users_per_replica) == len(found.replicas) > 0
    assert np.all(found.replicas >= 1)
    assert np.all(np.isfinite(cells.price))
