"""Speeds of a model on a machine, with intervals and measured points."""

from __future__ import annotations

import pytest

from gyakusan import machines
from gyakusan.catalog.models import find
from gyakusan.core.machine import Device, Machine
from gyakusan.core.model import Checkpoint
from gyakusan.models.assemble import from_record
from gyakusan.planning.pace import Asked, pace, stored

LLAMA = from_record(find("llama3.1-8b"), "Q4_K_M")


@pytest.mark.parametrize(
    ("device", "least", "most"),
    [("RTX 4090", 120, 160), ("RTX 5090", 175, 260), ("M4 Max 128GB", 60, 90), ("DGX Spark", 35, 45)],
)
def test_the_guide_s_devices(device: str, least: float, most: float) -> None:
    """Ranges of what llama.cpp's users report for Llama 3.1 8B Q4_K_M and one user."""
    found = pace(LLAMA, machines.parse(device, None), asked=Asked(prompt=128, answer=128))
    assert found is not None
    assert least < found.decode_each.value < most
    assert found.decode_each.low < found.decode_each.value < found.decode_each.high
    assert found.binds == "weights"
    assert found.tpot.value == pytest.approx(1 / found.decode_each.value)


def test_measurements_of_the_same_thing_are_shown_and_used() -> None:
    found = pace(
        from_record(find("gpt-oss-120b")), machines.parse("DGX Spark", None), asked=Asked(prompt=128, answer=32)
    )
    assert found is not None
    assert found.points
    assert found.decode_each.basis == "measured"


def test_many_users_share() -> None:
    card = machines.parse("RTX 4090", None)
    one, many = (pace(LLAMA, card, "vllm", Asked(users=n)) for n in (1, 16))
    assert one is not None
    assert many is not None
    assert many.decode_each.value < one.decode_each.value < many.decode_all.value
    assert many.throughput.value < many.decode_all.value
    assert many.ttft.value > one.ttft.value


def test_a_device_that_nobody_measured_has_a_wide_interval() -> None:
    strange = Machine("x", (Device("Olympus 1", "gpu", 24 << 30, "cuda", bandwidth=800e9),), None)
    found, usual = pace(LLAMA, strange), pace(LLAMA, machines.parse("RTX 4090", None))
    assert found is not None
    assert usual is not None
    assert found.decode_each.basis == "assumed"
    wide = found.decode_each.high / found.decode_each.low
    assert wide > 1.5 * usual.decode_each.high / usual.decode_each.low


def test_no_figure_without_a_bandwidth() -> None:
    assert pace(LLAMA, Machine("x", (Device("Olympus 1", "gpu", 24 << 30, "cuda"),), None)) is None
    assert pace(LLAMA, Machine("x", (), Device("CPU", "host", None, "cpu"))) is None


def test_weights_in_ram_bind() -> None:
    found = pace(LLAMA, machines.parse("RTX 4090", None), asked=Asked(host_bytes=4e9, host_bandwidth=50e9))
    assert found is not None
    assert found.binds == "host"
    assert found.decode_each.value < 10


def test_bits_of_a_checkpoint() -> None:
    assert stored(Checkpoint()).linear == 16
    awq = stored(Checkpoint(method="awq", bits=4, group=128, symmetric=False))
    assert (awq.linear, awq.output) == (pytest.approx(4.1875), 16)
    assert stored(Checkpoint(method="mlx", bits=4, group=64)).output < 5
