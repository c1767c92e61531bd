"""The value that every planner starts from: a task's workload, with the lengths that were specified."""

from __future__ import annotations

from gyakusan.planning.request.request import WORKLOADS, PlanRequest


def test_every_default_is_a_value() -> None:
    workload = PlanRequest().workload
    assert (workload.context, workload.prompt_tokens, workload.output_tokens) == (8192, 1000, 400)
    assert PlanRequest(task="coding").workload.quality_metric == "coding"
    assert PlanRequest(language="ja").workload.quality_metric == "japanese"
    short = PlanRequest(context=256).workload
    assert short.prompt_tokens + short.output_tokens <= 256


def test_every_task_fits_into_its_context() -> None:
    assert all(w.prompt_tokens + w.output_tokens <= w.context for w in WORKLOADS.values())


def test_a_machine_is_owned_unless_one_is_bought_or_searched() -> None:
    assert PlanRequest().owned
    assert PlanRequest(device="RTX 4090", model="gpt-oss-20b").owned
    assert not PlanRequest(model="gpt-oss-20b").owned
