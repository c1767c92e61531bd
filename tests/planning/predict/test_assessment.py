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


def test_a_quantised_cache_is_not_faster() -> None:
    """Three published measurements show it as fast as f16 or slower; plans bought speed with it."""
    small, usual = (judged("RTX 4090", key_type=kind, value_type=kind).turn for kind in ("Q8_0", "F16"))
    assert small.value_bytes == usual.value_bytes == 2.0


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [({"ubatch": 2048}, "chunk", 2048), ({"key_type": "F32", "value_type": "F32"}, "value_bytes", 4.0)],
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


def test_what_drives_a_card_is_heard() -> None:
    """Vulkan answers faster than ROCm on a Radeon RX 7900 XTX: 172 and 136 tokens/s of Llama 2 7B (llama.cpp's scoreboards)."""
    usual, other = judged("RX 7900 XTX").speed, judged("RX 7900 XTX", driver="vulkan").speed
    assert usual is not None
    assert other is not None
    assert other.decode_each.value > 1.1 * usual.decode_each.value


def test_drafts_are_counted() -> None:
    """An RTX 5090 answers about twice as fast with the model's own prediction block (sudoingX/qwen38-mtp, Apache-2.0)."""
    plain, drafted = (judged("RTX 5090", "qwen3.8-27b", mtp=mtp, draft_tokens=3).speed for mtp in (False, True))
    assert plain is not None
    assert drafted is not None
    assert 1.6 < drafted.decode_each.value / plain.decode_each.value < 2.4
    assert drafted.throughput.value > plain.throughput.value
    wide, narrow = (s.decode_each.high / s.decode_each.low for s in (drafted, plain))
    assert wide > narrow


@pytest.mark.parametrize(
    ("experts", "bandwidth", "decode", "prompts"),
    [(40, "34.1", 36.84, 375), (20, "34.1", 60.4, 640), (40, "48", 46.46, 484), (20, "48", 73.43, 812)],
)
def test_experts_in_ram_are_as_fast_as_the_ram(experts: int, bandwidth: str, decode: float, prompts: float) -> None:
    """Qwen3.6-35B-A3B beside an RTX 3090, DDR4-2133 and DDR4-3000 (insiderllm-bench-results, CC BY 4.0)."""
    asked = api.deployment(
        "qwen3.6-35b-a3b",
        load=Load(1, 4096),
        device="RTX 3090",
        bandwidth=f"{bandwidth}GB/s",
        settings={"n_cpu_moe": experts},
    )
    found = assess(asked, asked.ledger, 512).speed
    assert found is not None
    assert found.decode_each.value == pytest.approx(decode, rel=0.12)
    assert found.prefill.value == pytest.approx(prompts, rel=0.3)


def test_a_model_of_the_catalogue_has_what_was_learnt_of_its_twin() -> None:
    """Qwen3.6 and 3.8 have the shapes of 3.5, under whose name they are fitted."""
    for name, twin in (("qwen3.6-35b-a3b", "qwen3.5-35b-a3b"), ("qwen3.8-27b", "qwen3.5-27b")):
        one, other = judged("RTX 3090", name).speed, judged("RTX 3090", twin).speed
        assert one is not None
        assert other is not None
        assert one.decode_each.value == pytest.approx(other.decode_each.value, rel=0.06)
        assert one.decode_each.basis == other.decode_each.basis


def test_a_cpu_with_wide_vectors_reads_prompts_faster_and_formats_differ() -> None:
    """8 cores of a Ryzen 7 7840HS read LFM2-350M in Q4_K_M 1.6 times as fast as in Q2_K (localmaxxing)."""
    rates = {}
    for quant in ("Q4_K_M", "Q6_K"):
        asked = api.deployment(
            "llama3.1-8b", quantization=quant, load=Load(1, 8192), device="Ryzen 9 7950X", memory="64GB"
        )
        found = assessed(asked).speed
        assert found is not None
        rates[quant] = found.prefill.value
    assert rates["Q4_K_M"] > 1.3 * rates["Q6_K"]
    assert rates["Q4_K_M"] > 60  # 74 to 154 were measured
