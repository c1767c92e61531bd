"""The compute capability of a card by its name."""

from __future__ import annotations

import pytest

from gyakusan.core.machine import Device
from gyakusan.engines.vllm.capability import capability


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("NVIDIA GeForce RTX 5090", 12.0),
        ("NVIDIA GeForce RTX 4090", 8.9),
        ("NVIDIA RTX 6000 Ada Generation", 8.9),
        ("NVIDIA H100 80GB HBM3", 9.0),
        ("NVIDIA A100 80GB", 8.0),
        ("Tesla T4", 7.5),
        ("Some card", None),
    ],
)
def test_a_name_tells_it(name: str, expected: float | None) -> None:
    assert capability(Device(name, "gpu", 1, "cuda")) == expected
