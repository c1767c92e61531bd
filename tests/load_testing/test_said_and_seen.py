"""Predicted beside measured: which figures, inside or out, and the likely cause of a miss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.engines.deployment import Deployment
from gyakusan.load_testing.client import ClientCost
from gyakusan.load_testing.conditions import Conditions, conditions
from gyakusan.load_testing.result import BenchResult, Comparison, Distribution, Figure, StepResult
from gyakusan.load_testing.said_and_seen import compare, speed_of, unpredicted
from gyakusan.load_testing.workload import Shape, Step

BEGINS = {
    "weights": "load_tensors:",
    "kv_cache": "llama_kv_cache:",
    "scratch": "sched_reserve:",
    "output": "llama_context:",
}
IDLE = Conditions(0.1, 8)


@pytest.fixture(scope="module")
def asked() -> Deployment:
    return api.deployment("gpt-oss-20b", load=Load(4, 8192), device="RTX 4090")


def step(asked: Deployment, users: int, factor: float = 1.0, **more: object) -> StepResult:
    """A load in which everything is `factor` times as fast as predicted."""
    plain = StepResult(
        Step(Shape(1000, 400), users=users),
        30.0,
        20,
        prompt_tokens=1000.0,
        completion_tokens=400.0,
        counted_share=1,
        request_rate=20 / 30,
    )
    plain = replace(plain, **more)  # type: ignore[arg-type]
    speed = speed_of(asked, plain)
    assert speed
    first = speed.ttft.value / factor
    return replace(
        plain,
        each=Figure(speed.decode_each.value * factor),
        all=Figure(speed.throughput.value * factor),
        prefill=Figure(speed.prefill.value * factor),
        ttft=Distribution(20, Figure(first), Figure(first)),
    )


def result(*steps: StepResult, busy: float = 0.01) -> BenchResult:
    return BenchResult(
        "http://127.0.0.1:1/v1", "m", "2026-11-29T00:00:00Z", steps, client=ClientCost(10, 1e-4, 0, 0, busy)
    )


def causes(rows: tuple[Comparison, ...]) -> set[str]:
    return {r.cause.kind for r in rows if r.cause}


def test_every_predicted_figure_is_compared(asked: Deployment) -> None:
    rows = compare(asked, result(step(asked, 1), step(asked, 4), step(asked, 8)), 4, IDLE)
    found = [(r.quantity, r.users) for r in rows]
    assert found == [("decode", 1), ("decode", 4), ("prefill", 1), ("ttft", 1), ("ttft", 4), ("throughput", 4)]
    assert all(r.inside and r.cause is None for r in rows)
    assert all(r.error_share == pytest.approx(0) for r in rows)


@pytest.mark.parametrize(
    ("source", "limit", "rate", "compared"),
    [
        ("gyakusan", None, 0.0, False),
        ("gyakusan", None, 0.5, True),
        ("gyakusan", 100, 0.0, True),
        ("guidellm", None, 0.0, True),
    ],
)
def test_the_speed_of_everybody_is_compared_where_the_result_has_one(
    asked: Deployment, source: str, limit: int | None, rate: float, compared: bool
) -> None:
    """Two rules said whether answers came late: that of the result (BenchResult.is_late) decides."""
    measured = result(step(asked, 4, request_rate=rate))
    measured = replace(measured, source=source, limit=limit)
    rows = compare(asked, measured, 4, IDLE)
    assert ("throughput" in {r.quantity for r in rows}) is compared
    assert (measured.together(measured.steps[0]) is not None) is compared


def test_more_people_than_planned_are_said(asked: Deployment) -> None:
    told = [str(m) for m in unpredicted(asked, result(step(asked, 8)))]
    assert told == ["Planned for 4 people: loads of more people were not predicted."]
    assert compare(asked, result(step(asked, 8)), 4, IDLE) == ()


SLOW = [
    ({"busy": 0.95}, IDLE, 4, {}, "client"),
    ({}, Conditions(6.0, 8), 4, {}, "other_programs"),
    ({}, Conditions(0.1, 8, 210.0, 450.0), 4, {}, "power_limit"),
    ({}, IDLE, 2, {}, "slots"),
    ({}, IDLE, 4, {"scatter": 0.4}, "scatter"),
    ({}, IDLE, 4, {}, "unknown"),
]


@pytest.mark.parametrize("case", SLOW, ids=[c[-1] for c in SLOW])
def test_why_it_is_slower(asked: Deployment, case: tuple[Any, Conditions, int, Any, str]) -> None:
    more, seen, slots, facts, kind = case
    rows = compare(asked, result(step(asked, 4, 0.2, **facts), **more), slots, seen)
    assert not any(r.inside for r in rows)
    assert causes(rows) == {kind}


def test_why_it_is_faster(asked: Deployment) -> None:
    fast = replace(step(asked, 1, 20.0), cached_share=0.9)
    rows = compare(asked, result(fast), 4, Conditions(6.0, 8))
    assert {r.quantity: r.cause.kind for r in rows if r.cause}[
        "decode"
    ] == "unknown"  # other programs do not make it faster


def test_memory_comes_from_the_log() -> None:
    small = api.deployment("smollm2", load=Load(4, 2048), device="cpu")
    lines = [f"{b.device} {b.kind}" for b in small.server.predicted_buffers(small.model, small.settings)]
    assert lines
    log = log_of(small)
    rows = compare(small, result(), None, IDLE, log)
    assert rows[0].label == ""
    assert all(r.quantity == "memory" and r.inside for r in rows)
    wrong = [line.replace("KV buffer size =   180.00", "KV buffer size =   200.00") for line in log]
    missed = [r for r in compare(small, result(), None, IDLE, wrong) if not r.inside]
    assert {r.label for r in missed} == {"", "kv_cache host"}
    assert causes(tuple(missed)) == {"other_build"}


def log_of(asked: Deployment) -> list[str]:
    """Lines as llama.cpp writes them, with our figures."""

    def made() -> Iterator[str]:
        words = {"weights": "model", "kv_cache": "KV", "scratch": "compute", "output": "output"}
        for b in asked.server.predicted_buffers(asked.model, asked.settings):
            if b.bytes:
                begin = BEGINS[b.kind]
                yield f"{begin}        CPU {words[b.kind]} buffer size = {b.bytes / 2**20:8.2f} MiB"

    return list(made())


def test_this_computer_tells_its_state() -> None:
    found = conditions()
    assert found.cores >= 1
    assert found.other_load is None or found.other_load >= 0


def test_some_of_the_slots_are_slower_each_than_the_same_people_with_a_slot_each() -> None:
    """llama.cpp computes only neighbouring slots together; one cache for all slots is one batch again."""
    few = StepResult(Step(Shape(64, 32), users=4), 8.0, 20, prompt_tokens=64.0, completion_tokens=32.0, counted_share=1)

    def decode(slots: int, **settings: Any) -> float:
        planned = api.deployment("smollm2", load=Load(slots, 2048), device="RTX 4090", **settings)
        speed = speed_of(planned, few)
        assert speed
        return speed.decode_each.value

    vllm = {"server": "vllm", "quantization": "none"}
    assert decode(8) < 0.85 * decode(4)
    assert decode(8, settings={"unified": True}) == pytest.approx(decode(4), rel=0.01)
    assert decode(8, **vllm) == pytest.approx(decode(4, **vllm), rel=0.01)


def test_experts_in_ram_are_read_by_each_batch() -> None:
    few = StepResult(Step(Shape(64, 32), users=4), 8.0, 20, prompt_tokens=64.0, completion_tokens=32.0, counted_share=1)

    def decode(slots: int) -> float:
        planned = api.deployment(
            "gpt-oss-120b", load=Load(slots, 2048), device="RTX 4090", ram="128GiB", settings={"n_cpu_moe": 36}
        )
        speed = speed_of(planned, few)
        assert speed
        return speed.decode_each.value

    assert decode(8) < 0.9 * decode(4)


def test_of_several_people_the_answer_in_the_middle_says_what_the_device_does() -> None:
    speeds = Distribution(9, Figure(0.05), Figure(0.04, 0.03, 0.05))
    few = StepResult(Step(Shape(64, 32), users=4), 8.0, 20, each=Figure(20.0), tpot=speeds)
    assert few.typical_each == Figure(25.0, pytest.approx(20.0), pytest.approx(1 / 0.03))
    assert replace(few, step=Step(Shape(64, 32), users=1)).typical_each == few.each
    assert replace(few, tpot=None).typical_each == few.each
