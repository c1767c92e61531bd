"""Speed and quality beside a ledger."""

from __future__ import annotations

import pytest

from gyakusan import api, machines
from gyakusan.core.load import Load
from gyakusan.core.machine import Device, Machine
from gyakusan.engines.deployment import Deployment
from gyakusan.planning.predict.assessment import Assessment, assess


def judged(
    device: str, model: str = "qwen2.5-14b", users: int = 1, server: str = "llama.cpp", **settings: object
) -> Assessment:
    return assessed(api.deployment(model, load=Load(users, 8192), device=device, settings=settings, server=server))


def assessed(deployment: Deployment) -> Assessment:
    return assess(deployment, deployment.ledger)


def test_a_faster_memory_answers_faster() -> None:
    slow, fast = judged("DGX Spark").speed, judged("RTX 5090").speed
    assert slow is not None
    assert fast is not None
    assert fast.decode_each.low > slow.decode_each.high


def test_more_users_share_what_there_is() -> None:
    one, eight = judged("RTX 4090").speed, judged("RTX 4090", users=8).speed
    assert one is not None
    assert eight is not None
    assert eight.decode_each.value < one.decode_each.value
    assert eight.decode_all.value > one.decode_all.value


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [({"ubatch": 2048}, "chunk", 2048), ({"key_type": "Q8_0", "value_type": "Q8_0"}, "value_bytes", 34 / 32)],
)
def test_settings_that_change_time_are_heard(settings: dict[str, object], name: str, value: float) -> None:
    assert getattr(judged("RTX 4090", **settings).turn, name) == value


def test_a_quantisation_costs_quality_and_a_native_one_does_not() -> None:
    coarse, fine = (
        assessed(api.deployment("qwen2.5-14b", quantization=q, load=Load(1, 8192), device="H100")).overall
        for q in ("Q2_K", "Q8_0")
    )
    assert coarse is not None
    assert fine is not None
    assert coarse.value < fine.value - 5
    native = judged("H100", "gpt-oss-120b")
    assert native.quality is not None
    assert native.overall is not None
    assert native.overall.value == pytest.approx(native.quality.overall.value)


def test_what_nobody_knows_is_not_invented() -> None:
    anonymous = assessed(api.deployment("qwen2.5-14b", load=Load(1, 8192), memory="24GiB"))
    assert anonymous.speed is None


def test_experts_in_ram_are_slower_and_it_says_so() -> None:
    whole, part = judged("RTX 5090", "qwen3-30b-a3b"), judged("RTX 5090", "qwen3-30b-a3b", n_cpu_moe=24)
    assert whole.turn.host.read == 0
    assert part.turn.host.read > 0
    assert whole.speed is not None
    assert part.speed is not None
    assert part.speed.decode_each.value < whole.speed.decode_each.value


def test_a_cpu_without_a_bandwidth_is_not_guessed() -> None:
    machine = Machine("x", (), Device("Some CPU", "host", 64 << 30, "cpu"), "Some CPU", 8)
    found = assessed(api.deployment("qwen2.5-14b", load=Load(1, 8192), device="Ryzen 9 7950X 64GB").on(machine))
    assert found.speed is None
    assert "--bandwidth" in str(found.unknown)


def test_a_cpu_s_speed_is_assumed() -> None:
    found = judged("Ryzen 9 7950X 64GB", "llama3.1-8b").speed
    assert found is not None
    assert found.decode_each.basis == "assumed"
    slow = judged("Ryzen 9 5950X 64GB", "llama3.1-8b").speed
    assert slow is not None
    assert slow.decode_each.value < found.decode_each.value


def test_the_cpu_of_a_computer_with_a_card_computes_where_it_is_told_to() -> None:
    box = machines.with_ram_bandwidth(machines.parse("RTX 4090", None), "80GB/s")
    asked = api.deployment("llama3.1-8b", load=Load(1, 8192), device="RTX 4090", settings={"backend": "cpu"})
    found = assessed(asked.on(box))
    assert found.speed is not None
    assert found.speed.decode_each.value < 20
