"""What thinking costs: figures that their sources give, more effort that is never faster, and what templates take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyakusan.catalog.quality_names import EFFORTS
from gyakusan.catalog.records import entries
from gyakusan.catalog.thinking import (
    NO_THINKING,
    effort_control,
    effort_of,
    template_arguments,
    thinking,
    usual_name,
)

TASKS = ("chat", "coding", "rag", "agents", "translation")
NAMES = tuple(e.name for e in entries("model"))


@given(st.sampled_from(NAMES), st.sampled_from(TASKS))
def test_every_figure_is_ordered_and_has_a_source(name: str, task: str) -> None:
    found = thinking(name, "on", task)
    assert 1 < found.low <= found.factor <= found.high
    assert found.source
    assert thinking(name, "off", task) == NO_THINKING


@given(st.sampled_from(NAMES), st.sampled_from(TASKS))
def test_more_effort_never_writes_less(name: str, task: str) -> None:
    control = effort_control(name)
    efforts = [e for e in ("low", "medium", "high") if control is not None and e in (*control.efforts, control.default)]
    factors = [thinking(name, e, task).factor for e in efforts]
    assert factors == sorted(factors)
    assert all(f >= 1 for f in factors)


@pytest.mark.parametrize(
    ("name", "task", "with_thinking", "without"),
    [
        ("deepseek-v3.2", "coding", 1645129, 573477),
        ("gemma4-31b", "chat", 1384, 755),
        ("gemma4-26b-a4b", "chat", 1683, 866),
        ("qwen3.5-397b-a17b", "chat", 2016, 719),
        ("glm-5", "chat", 2420, 981),
        ("nemotron-3-nano-30b", "chat", 2702, 1365),
        ("qwen3-32b", "rag", 598, 385),
        ("qwen3-8b", "rag", 1227, 443),
    ],
)
def test_measured_models_are_charged_what_was_measured(name: str, task: str, with_thinking: int, without: int) -> None:
    found = thinking(name, "on", task)
    assert found.basis == "measured"
    assert found.factor == pytest.approx(with_thinking / without, rel=0.04)


def test_a_dated_release_does_not_pass_for_the_model_before_it() -> None:
    assert thinking("qwen3-235b-a22b", "on", "chat").basis == "measured"
    assert thinking("qwen3-235b-a22b-thinking-2507", "on", "chat").basis == "family"
    assert thinking("qwen3-30b-a3b-thinking-2507", "on", "rag").basis == "family"
    assert thinking("nobody/model-8b", "on", "chat").basis == "assumed"


def test_high_effort_costs_what_exams_measured() -> None:
    """Thinking alone: 66, 316, 1148 tokens of gpt-oss-120b; 61, 293, 977 of llm-jp-4-32b (jmedqa-eval)."""
    low, medium, high = (thinking("gpt-oss-120b", m, "rag").factor - 1 for m in ("low", "on", "high"))
    assert high / medium == pytest.approx(1148 / 316, rel=0.05)
    assert low / medium == pytest.approx(66 / 316, rel=0.05)
    assert thinking("gpt-oss-120b", "medium", "rag") == thinking("gpt-oss-120b", "on", "rag")


def test_efforts_are_those_that_the_template_takes() -> None:
    assert [usual_name("gpt-oss-20b", m) for m in ("on", *EFFORTS)] == [
        "on",
        "low",
        "on",
        "high",
    ]  # medium is its default
    assert [usual_name("qwen3.8-27b", m) for m in ("on", *EFFORTS)] == [
        "on",
        "low",
        "medium",
        None,
    ]  # "high" is refused
    assert [usual_name("qwen3-8b", m) for m in ("off", "on", *EFFORTS)] == ["off", "on", None, None, None]
    assert effort_of("gpt-oss-20b", "on") == "medium"
    assert effort_of("qwen3.8-27b", "on") == "xhigh"
    assert effort_of("qwen3.8-27b", "off") == effort_of("qwen3-8b", "on") == ""


@pytest.mark.parametrize(
    ("name", "mode", "arguments"),
    [
        ("qwen3-8b", "on", {}),
        ("qwen3-8b", "off", {"enable_thinking": False}),
        ("gemma4-26b-a4b", "on", {"enable_thinking": True}),
        ("deepseek-v3.2", "on", {"thinking": True}),
        ("kimi-k2.6", "off", {"thinking": False}),
        ("gpt-oss-20b", "on", {}),
        ("gpt-oss-20b", "high", {"reasoning_effort": "high"}),
        ("qwen3.8-27b", "low", {"reasoning_effort": "low"}),
    ],
)
def test_templates_get_what_they_know(name: str, mode: str, arguments: dict[str, object]) -> None:
    assert template_arguments(name, mode) == arguments
