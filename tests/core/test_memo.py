"""Caches outside a model: bounded, told apart by identity, gone with the model."""

from __future__ import annotations

import gc
from dataclasses import replace

import pytest

from gyakusan.core import memo
from gyakusan.core.memo import Memo
from gyakusan.core.model import Model

ONE = Model("one", "llama", 1, 64, 100, 2048, (), ())


def test_a_result_is_computed_once_for_each_model_and_key() -> None:
    results, calls = Memo[str](maxsize=2), []
    twin = replace(ONE)

    def ask(model: Model, key: str) -> str:
        return results.get(model, key, lambda: calls.append((model is ONE, key)) or f"{key} {len(calls)}")

    assert [ask(ONE, "a"), ask(ONE, "a"), ask(twin, "a"), ask(ONE, "b"), ask(ONE, "a")] == [
        "a 1", "a 1", "a 2", "b 3", "a 1",
    ]  # fmt: skip


def test_the_oldest_result_is_dropped() -> None:
    results = Memo[int](maxsize=3)
    for key in range(10):
        results.get(ONE, key, lambda key=key: key)
    assert len(results) == 3
    assert results.get(ONE, 9, lambda: -1) == 9
    assert results.get(ONE, 0, lambda: -1) == -1


def test_results_end_with_their_model() -> None:
    results = Memo[int](maxsize=3)
    for number in range(5):
        results.get(replace(ONE), number, lambda: 1)
        gc.collect()
        assert len(results) == 0


def test_models_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo, "MODELS", 4)
    results, models = Memo[int](maxsize=3), [replace(ONE) for _ in range(9)]
    for number, model in enumerate(models):
        results.get(model, None, lambda number=number: number)
    assert len(results) == 4
    assert results.get(models[-1], None, lambda: -1) == 8
    results.clear()
    assert len(results) == 0


def test_an_error_is_not_kept() -> None:
    results = Memo[int](maxsize=1)
    with pytest.raises(ZeroDivisionError):
        results.get(ONE, None, lambda: 1 // 0)
    assert results.get(ONE, None, lambda: 7) == 7
