"""Why not: the limit, by how much, and the smallest change; and it is true."""

from __future__ import annotations

import re

import pytest
from tests.planning.small import small

from gyakusan.catalog.quality_shared import shared_items
from gyakusan.core.load import Load
from gyakusan.errors import UnknownName
from gyakusan.machines import parse
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.plan import catalogue_deployment, exact_ledger
from gyakusan.planning.select.plan_capacity import plan_capacities
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.shown_plans import shown_figures
from gyakusan.planning.select.what_if import what_if
from gyakusan.planning.select.why_not import LEAST_SHARED, why_not


@pytest.fixture(scope="module")
def found() -> Recommendation:
    return recommend(parse_request({"device": "RTX 3060 12GB", "users": 2, "context": "16k"}))


def said(found: Recommendation, name: str) -> str:
    return " ".join(str(r) for r in why_not(found, name).reasons)


def test_a_model_that_is_too_large_says_by_how_much(found: Recommendation) -> None:
    text = said(found, "Qwen3.8-27B")
    assert re.search(r"qwen3.8-27b does not fit on NVIDIA GeForce RTX 3060 12GB: \w+ lacks \d+\.\d GiB\.", text)


def test_the_smallest_change_is_enough() -> None:
    small = recommend(parse_request({"device": "RTX 3060 12GB", "users": 4, "context": "32k", "model": "qwen3-14b"}))
    text = said(small, "qwen3-14b")
    assert "with a q8_0 cache" in text
    most = int(re.findall(r"fits with ([\d,]+) tokens", text)[0].replace(",", ""))
    for context, fits in ((most, True), (most + 256, False)):
        whole = exact_ledger(
            catalogue_deployment("qwen3-14b", "Q2_K", "llama.cpp", parse("RTX 3060 12GB"), Load(4, context), "Q8_0")
        )
        assert whole is not None
        assert (whole.fit == "fits") is fits


def test_an_engine_and_a_machine_are_explained(found: Recommendation) -> None:
    assert "Apple" in said(found, "MLX")
    assert "not requested" in said(found, "Ollama")
    assert "--device" in said(found, "RTX 4090")


def test_a_card_beyond_the_budget_says_by_how_much() -> None:
    bought = recommend(parse_request({"budget": "300000JPY", "users": 2}))
    assert "more than the budget" in said(bought, "RTX 5090")


def test_a_plan_of_the_answer_says_its_number_and_what_makes_it_the_first(found: Recommendation) -> None:
    assert said(found, found.plans[0].name) == f"{found.plans[0].name} is plan 1."
    why = why_not(found, found.plans[1].name)
    assert str(why.reasons[0]).startswith(f"{found.plans[1].name} is plan 2, not plan 1: ")
    for _, options in why.changes:
        flag, value = options.split(" ", 1)
        key = {"--prefer": "prefer", "--users": "users", "--kv-type": "kv"}[flag]
        changed = recommend(parse_request({"device": "RTX 3060 12GB", "users": 2, "context": "16k", key: value}))
        assert changed.plans[0].name == found.plans[1].name


def test_a_name_that_nobody_knows(found: Recommendation) -> None:
    with pytest.raises(UnknownName):
        why_not(found, "warp drive 9")


def test_more_of_something_is_answered_on_the_same_machine() -> None:
    asked = recommend(parse_request({"device": "RTX 4090", "users": 2, "context": "16k"}))
    more = {str(c.change): c.plan for c in what_if(asked)}
    assert list(more) == ["3 people", "32,768 tokens each", "KV cache q8_0", "one more card"]
    for plan in more.values():
        assert plan is not None
        assert plan.ledger.fits
    second = more["one more card"]
    assert second is not None
    assert len(second.offer.machine.gpus) == 2
    assert second.score.value - second.score.error >= asked.plans[0].score.value - asked.plans[0].score.error - 12


def test_the_reach_of_a_plan_fits_and_one_page_more_does_not() -> None:
    asked = recommend(parse_request({"device": "RTX 4090", "users": 2, "context": "16k"}))
    for found in plan_capacities(asked):
        plan, limits = found.plan, found.limits
        for load, fits in (
            (Load(2, limits.context), True),
            (Load(limits.users, 16384), True),
            (Load(limits.users + 1, 16384), False),
            *(() if limits.trained else ((Load(2, limits.context + 256), False),)),
        ):
            whole = exact_ledger(
                catalogue_deployment(plan.name, plan.quantization, plan.engine, plan.offer.machine, load, "F16")
            )
            assert whole is not None
            assert (whole.fit == "fits") is fits


def test_a_model_that_fits_only_coarsely_says_so(found: Recommendation) -> None:
    grid = found.grid
    shown = {p.name for p in found.plans}
    coarse = next(
        grid.columns.models[i].name
        for i in dict.fromkeys(grid.models.tolist())
        if grid.cells.tier[grid.models == i].min() == 1 and grid.columns.models[i].name not in shown
    )
    assert "is left out: " in said(found, coarse)


def test_files_that_fit_and_that_nobody_publishes_are_named() -> None:
    """ "No published files of it fit" stood beside 14 GiB to spare."""
    answer = recommend(parse_request({"device": "cpu", "ram": "32GiB", "bandwidth": "80GB/s", "engines": "llama.cpp"}))
    why = why_not(answer, "lfm2.5-8b-a1b")
    assert why.plan is not None
    assert why.plan.artifact is None
    assert f"{why.plan.quantization} would fit, but nobody is known to publish it." in str(why.reasons[0])


OPTIONS = {"--speed": "speed", "--first": "first"}


@pytest.mark.parametrize(
    ("asked", "name", "figure"),
    [
        ({"device": "RTX 3060 12GB", "ram": "128GiB"}, "mistral-medium-3.5-128b", "answer"),
        ({"device": "Ryzen 9 9950X 128GB", "prompt": 4000}, "qwen3.8-27b", "answer"),
        ({"device": "Ryzen 9 9950X 128GB", "prompt": 12000, "context": "32k"}, "gemma4-12b", "ttft"),
        ({"device": "RTX 3060 12GB", "ram": "128GiB", "prompt": 30000, "context": "64k"}, "glm-4.7-flash", "ttft"),
    ],
)
def test_what_is_too_slow_says_how_slow_and_the_options_that_admit_it(
    asked: dict[str, object], name: str, figure: str
) -> None:
    """Typing what the sentence says is enough: the model is judged by its quality then, no more by its pace."""
    why = why_not(recommend(parse_request(asked)), name, tries=False)
    assert why.reason.figure == figure, str(why.reasons[0])
    words = re.findall(r"; (--.*) admits it\.", str(why.reasons[0]))[0].split()
    typed = {OPTIONS[flag]: float(value) for flag, value in zip(words[::2], words[1::2], strict=True)}
    assert figure != "answer" or ", below 2.5 only if none is faster (default)" in str(why.reasons[0])
    lifted = why_not(recommend(parse_request({**asked, **typed})), name, tries=False)
    assert lifted.reason.because in ("shown", "beaten", "behind", "tied", "evidence"), str(lifted.reasons[0])


def test_an_engine_is_left_out_for_the_machine_only_where_no_machine_runs_it() -> None:
    """Among the machines of a budget are Macs and PCs: the first of them speaks for itself alone."""
    asked = {"budget": "1000000JPY", "users": 2}
    bought = recommend(parse_request(asked), columns=small())
    for name in ("vLLM", "MLX-LM"):
        why = why_not(bought, name)
        assert "does not run on" not in str(why.reasons[0])
        alone = recommend(parse_request({**asked, "engines": name}), columns=small())
        assert why.plan is not None
        if why.reason.because != "shown":
            assert why.plan.spare is None or why.plan.spare >= 0 or alone.plans[0].spare < 0
            assert shown_figures(why.plan) == shown_figures(alone.plans[0])


def test_the_machine_of_another_plan_is_compared_with_the_first() -> None:
    bought = recommend(parse_request({"budget": "1500000JPY", "users": 5, "context": "32k", "language": "ja"}))
    for place, plan in enumerate(bought.plans, 1):
        first = next(n for n, p in enumerate(bought.plans, 1) if p.offer.machine.name == plan.offer.machine.name)
        if first != place or len(plan.offer.machine.gpus) != 1 or plan.offer.machine.gpus[0].kind != "gpu":
            continue
        why = why_not(bought, plan.offer.machine.name)
        if place == 1:
            assert str(why.reasons[0]).endswith(" is the machine of plan 1.")
        else:
            assert re.search(rf"\) is plan {place}, not plan 1: .*\d", str(why.reasons[0]))
            assert why.rival == 1


def test_with_a_budget_reasons_are_about_that_very_machine_and_model() -> None:
    bought = recommend(parse_request({"budget": "1000000JPY", "users": 5, "context": "32k", "language": "ja"}))
    assert why_not(bought, "DGX Spark").reason.because in ("behind", "beaten", "tied", "shown")
    assert said(bought, "DGX Spark").startswith("NVIDIA DGX Spark")
    assert "RTX 5090 D" not in said(bought, "RTX 5090")
    for name in ("gpt-oss-120b", "gemma4-31b"):
        why = why_not(bought, name)
        assert why.plan is not None
        assert why.plan.name == name
        assert why.rival


def test_what_is_sold_in_one_country_only_is_not_proposed() -> None:
    bought = recommend(parse_request({"budget": "5000000JPY"}))
    assert "one country only (CN)" in said(bought, "RTX 5090 D")
    assert not any("5090 D" in o.machine.name for o in bought.grid.offers)


def test_a_shortfall_is_the_same_wherever_it_is_said() -> None:
    """The weights of a large format must not hide what the smallest one lacks."""
    found = recommend(parse_request({"device": "RTX 4090", "users": 8, "context": "64k"}))
    reasons = [str(r) for r in why_not(found, "qwen3.8-27b").reasons]
    amounts = {m[0] for r in reasons for m in [re.search(r"lacks [\d.]+ GiB", r)] if m}
    assert len(amounts) == 1, reasons


def test_two_models_of_one_table_are_compared_by_its_items() -> None:
    answer = recommend(parse_request({"device": "RTX 5090"}))
    first = answer.plans[0]
    told = 0
    for name in ("gemma4-12b", "qwen3.8-27b", "qwen3.6-27b", "gpt-oss-20b", "qwen3.5-9b"):
        why = why_not(answer, name, tries=False)
        if why.plan is None or not why.rival:
            continue
        rival = answer.plans[why.rival - 1]
        both = shared_items(name, rival.name, first_mode=why.plan.mode.mode, second_mode=rival.mode.mode)
        last = str(why.reasons[-1])
        assert ("items of one table" in last) is (both is not None and both.of >= LEAST_SHARED)
        if both is not None and both.of >= LEAST_SHARED:
            told += 1
            assert f"in {both.better} of {both.of} items" in last
            assert both.better + both.worse <= both.of
    assert told
    assert first.name not in [str(r) for r in why_not(answer, first.name).reasons[1:]]


def test_the_name_of_a_family_of_machines_names_those_of_the_answer_first() -> None:
    answer = recommend(parse_request({"budget": "1000000JPY", "families": ("gemma3",)}))
    with pytest.raises(UnknownName, match="Did you mean") as raised:
        why_not(answer, "Mac Studio")
    near = str(raised.value.message.facts["near"]).split(", ")
    offered = {o.machine.name for o in answer.grid.offers}
    assert len(near) == 5
    assert all(name.startswith("Mac Studio") for name in near)
    assert near[0] in offered
