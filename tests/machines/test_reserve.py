"""--reserve: what the OS keeps, as the user says it."""

from __future__ import annotations

import pytest

from gyakusan import machines
from gyakusan.errors import BadQuantity
from gyakusan.units import GIB


@pytest.mark.parametrize("name", ["M4 Max 128GB", "DGX Spark", "Ryzen AI Max+ 395 128GB", "RTX 5090", "2x RTX 3090"])
def test_it_replaces_our_figure(name: str) -> None:
    before, after = machines.parse(name), machines.reserving(machines.parse(name), "8GiB")
    for was, gpu in zip(before.gpus, after.gpus, strict=True):
        assert was.reserved not in (0, 8 * GIB)
        assert (gpu.reserved, gpu.memory) == (8 * GIB, was.memory)
        assert "--reserve" in str(gpu.reserved_reason)


def test_nothing_may_be_kept() -> None:
    gpu = machines.reserving(machines.parse("DGX Spark"), "0 GiB").gpus[0]
    assert gpu.usable == gpu.memory


def test_ram_where_there_is_no_gpu() -> None:
    found = machines.reserving(machines.parse("cpu", "64GiB"), "4GiB")
    assert found.host is not None
    assert found.host.usable == 60 * GIB


@pytest.mark.parametrize("text", ["8", "-1GiB", "400GiB", "much"])
def test_what_makes_no_sense(text: str) -> None:
    with pytest.raises(BadQuantity):
        machines.reserving(machines.parse("DGX Spark"), text)
