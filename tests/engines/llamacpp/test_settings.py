"""Settings that llama-server refuses, or that mean nothing."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from gyakusan.engines.llamacpp.settings import Settings, check
from gyakusan.errors import BadSetting


@pytest.mark.parametrize(
    "changes",
    [
        {"projector_bytes": -1},
        {"tensor_split": (nan, 1.0)},
        {"tensor_split": (inf, 1.0)},
        {"tensor_split": (-1.0, 2.0)},
        {"tensor_split": (0.0, 0.0)},
        {"batch": 2**31},
        {"ubatch": 2**31},
    ],
)
def test_what_means_nothing_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadSetting, match=f"{next(iter(changes))} cannot be"):
        check(Settings(4096, **changes))


def test_what_is_odd_is_taken() -> None:
    odd = Settings(4096, batch=2**31 - 1, tensor_split=(0.0, 3.0), projector_bytes=0)
    assert check(odd) is odd


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|a)+b", "(a?){30}", ".*.*.*.*x", "a" * 501])
def test_an_override_that_takes_minutes_is_refused(pattern: str) -> None:
    check(Settings(context=4096, overrides=((r"blk\.\d+\.ffn_(up|down|gate)_exps.*[*+]\*", "CPU"),)))
    with pytest.raises(BadSetting, match="takes too long to match"):
        check(Settings(context=4096, overrides=((pattern, "CPU"),)))
