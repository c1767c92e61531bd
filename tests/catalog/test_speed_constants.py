"""The fitted constants, the chips and the names behind them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from msgspec import structs

from gyakusan.catalog import chips, measured, speed_names
from gyakusan.catalog.models import find
from gyakusan.catalog.speed_constants import (
    STEADY,
    Situation,
    bf16_slowdown,
    constants_for,
    device_rates,
    evidence_for,
    interval_factor,
    load,
    parse,
    peak_rates,
)
from gyakusan.core import traffic
from gyakusan.core.roofline import ModelDemand, SpeedConstants, decode_step, first_token
from gyakusan.models.assemble import from_record

SPARK = Situation("llama.cpp", "cuda", "blackwell-gb10", "NVIDIA DGX Spark (GB10)", "q4k", "llama3.1-8b", "unified")
STRANGE = structs.replace(SPARK, family="martian", device="Olympus 1", model="nobody's", api="cuda")


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("RTX 5090", "GeForce RTX 5090"),
        ("NVIDIA GeForce RTX 5090", "GeForce RTX 5090"),
        ("rtx5090", "GeForce RTX 5090"),
        ("5090 laptop", "GeForce RTX 5090 Mobile"),
        ("h100_sxm", "H100 SXM5 80 GB"),
        ("NVIDIA A100-SXM4-80GB", "A100 SXM4 80 GB"),
        ("A100 PCIe 80GB", "A100 PCIe 80 GB"),
        ("DGX Spark (GB10)", "NVIDIA DGX Spark (GB10)"),
        ("Ryzen AI Max+ 395 (Radeon 8060S)", "AMD Ryzen AI Max+ 395 (Radeon 8060S)"),
        ("strix halo", "AMD Ryzen AI Max+ 395 (Radeon 8060S)"),
        ("Apple M4 Max 12P+4E+40GPU", "Apple M4 Max"),
        ("Apple M4 Max 10P+4E+32GPU", "Apple M4 Max 32c"),
        ("M3 Max 40‑Core GPU 64GB", "Apple M3 Max"),
        ("M4 Max 128GB", "Apple M4 Max"),
        ("RX 7900 XTX", "Radeon RX 7900 XTX"),
        ("3090 24GB", "GeForce RTX 3090"),
        ("RTX 3060 Laptop GPU", "GeForce RTX 3060 Mobile"),
        ("RTX PRO 6000 Max-Q", "RTX PRO 6000 Blackwell Max-Q"),
        ("NVIDIA Jetson AGX Thor 128GB", "Jetson AGX Thor 128GB (T5000)"),
        ("NVIDIA RTX 5000 Ada Generation Laptop GPU", "RTX 5000 Mobile Ada Generation"),
        ("RTX A1000", "RTX A1000"),
        ("Intel Arc Pro A40 Graphics", "Arc Pro A40"),
        ("MI300X", "Radeon Instinct MI300X"),
    ],
)
def test_chips_by_many_names(said: str, name: str) -> None:
    found = chips.find(said)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    ("said", "one_way"),
    [
        ("H100 SXM", 450e9),
        ("B200", 900e9),
        ("A100 80GB", 300e9),
        ("A800 SXM4 80GB", 200e9),
        ("H800 SXM5", 200e9),
        ("H20", 450e9),
        ("L40S", 31.5e9),
        ("RTX 3090", 15.75e9),
        ("RTX 4060 Ti", 7.88e9),
        ("RTX 5060 Ti", 15.75e9),
        ("RX 7600 XT", 15.75e9),
        ("RX 9060 XT", 63e9),
        ("RX 6500 XT", 7.88e9),
        ("Arc B580", 15.75e9),
        ("RTX PRO 6000", 63e9),
        ("Tesla P40", 15.75e9),
        ("CMP 170HX", 1e9),
        ("DGX Spark", 25e9),
        ("Jetson AGX Thor 128GB", 12.5e9),
        ("M4", 5e9),
        ("M4 Max", 10e9),
        ("M3 Max", 5e9),
        ("M3 Ultra", 10e9),
        ("Strix Halo", 5e9),
    ],
)
def test_what_connects_two_of_them(said: str, one_way: float) -> None:
    """NVIDIA's data sheets give both directions together; GeForce cards reach each other through the computer's memory."""
    chip = chips.find(said)
    assert chip is not None
    assert chip.between == pytest.approx(one_way, rel=0.001)


def test_prompts_of_bf16_conversions_are_emulated_on_apples_first_chips() -> None:
    """An M1 Max read Qwen3-30B-A3B and Gemma 3 at 0.8 of what Llama 3.1 in FP16 implied (famstack-dev, MIT)."""
    first = structs.replace(SPARK, engine="mlx", api="metal", family="apple-m1", device="Apple M1 Max", quant="w4")
    later = structs.replace(first, family="apple-m4")
    assert bf16_slowdown(structs.replace(first, model="qwen3-30b-a3b")) > 1.5
    assert bf16_slowdown(first) == 1  # llama3.1-8b
    assert bf16_slowdown(structs.replace(later, model="qwen3-30b-a3b")) == 1


def test_servers_compute_recurrent_layers_many_tokens_at_once() -> None:
    assert constants_for(structs.replace(SPARK, engine="vllm", quant="fp8")).scan == float("inf")
    assert 0.3 < constants_for(SPARK).scan < 30


def test_llama_server_reads_every_prompt_first() -> None:
    ours, vllm = constants_for(SPARK), constants_for(structs.replace(SPARK, engine="vllm", quant="fp8"))
    assert (ours.queue, ours.busy, ours.together) == (1.0, 0.0, 2048.0)
    assert vllm.together == 0
    assert (vllm.queue, vllm.together) == (0.0, 0.0)


def test_old_builds_have_constants_of_their_own() -> None:
    old = constants_for(structs.replace(SPARK, era="2025"))
    assert old.layer > constants_for(SPARK).layer


def test_memory_chooses_among_sizes() -> None:
    found = chips.find("RTX 4060 Ti", 16 * 2**30)
    assert found is not None
    assert found.name == "GeForce RTX 4060 Ti 16 GB"


def test_nobody_knows_it() -> None:
    assert chips.find("Intel Core i7-4790 CPU @ 3.60GHz (haswell)") is None
    assert chips.find("") is None


def test_every_chip_has_a_source_a_date_and_figures_that_can_be() -> None:
    for chip in chips.chips():
        assert chip.source, chip.name
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", chip.checked)
        assert 8e9 < chip.bandwidth < 1e13, chip.name
        assert 0 < chip.single <= 2 * chip.half, chip.name
        assert chip.family, chip.name


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Mistral-Small-3.1-24B-Instruct-2503-UD-Q4_K_XL.gguf", "mistral-small-3.2-24b"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama3.1-8b"),
        ("LLaMA 3 70B", "llama3.1-70b"),
        ("qwen2.5:14b", "qwen2.5-14b"),
        ("Qwen/Qwen2.5-14B-Instruct", "qwen2.5-14b"),
        ("gpt-oss 20b", "gpt-oss-20b"),
        ("nvidia/Qwen3-32B-NVFP4", "qwen3-32b"),
        ("DeepSeek-R1-Distill-Llama-8B-Q4_K_M.gguf", "llama3.1-8b"),
        ("Qwen/Qwen3.5-397B-A17B", "qwen3.5-397b-a17b"),
        ("gemma-4-26B-A4B-it-UD-Q8_K_XL", "gemma4-26b-a4b"),
        ("a model of my own", None),
    ],
)
def test_models_by_many_names(said: str, name: str | None) -> None:
    assert speed_names.model_name(said) == name


@pytest.mark.parametrize(
    ("said", "label", "group"),
    [
        ("Q4_K - Medium", "Q4_K_M", "q4k"),
        ("llama 13B Q4_K - Medium", "Q4_K_M", "q4k"),
        ("UD-Q4_K_XL", "Q4_K_XL", "q4k"),
        ("gguf-q8_0", "Q8_0", "q8"),
        ("IQ2_XXS", "IQ2_XXS", "q2"),
        ("BF16", "bf16", "bf16"),
        ("awq-int4", "int4", "w4"),
        ("fp8-dynamic", "fp8", "fp8"),
        ("compressed-tensors-w4a16-g32-asym-rtn", "int4-g32", "w4"),
        ("nvfp4-v23", "nvfp4", "fp4"),
    ],
)
def test_quantisations_by_many_names(said: str, label: str, group: str) -> None:
    found = speed_names.parse_quant(said)
    assert found is not None
    assert (found.label, found.group) == (label, group)


def test_gpt_oss_is_always_mxfp4() -> None:
    found = speed_names.parse_quant("gpt-oss ?B F16", model="gpt-oss-20b")
    assert found is not None
    assert (found.label, found.recipe) == ("mxfp4", "MXFP4_MOE")


def test_the_file_names_every_constant_and_where_it_came_from() -> None:
    fitted = load()
    assert set(fitted.base) == set(SpeedConstants.__struct_fields__) - {"together", "grouped", "queue", "busy"}, (
        "grouped: of a CPU only (catalog.cpu); together, queue, busy: how prompts come and are taken, not fitted"
    )
    assert fitted.provenance["rows"] > 1000
    assert fitted.provenance["rejected"]
    assert re.fullmatch(r"[0-9a-f]{64}", fitted.provenance["sha256"])


def test_shares_of_a_peak_stay_near_it() -> None:
    k = constants_for(SPARK)
    assert 0.5 < k.weights < 1.2
    assert 0.05 < k.mfu < 1.2
    assert 5e-6 < k.layer < 1e-3


def test_an_unknown_device_has_no_multiplier_of_its_own() -> None:
    fitted = load()
    plain = parse({"constants": {"weights": {"base": 0.7, "levels": {"device": {"a": 2.0}}}}, "seen": {}})
    assert constants_for(structs.replace(STRANGE, device="a"), plain).weights == pytest.approx(1.4)
    assert constants_for(STRANGE, plain).weights == pytest.approx(0.7)
    assert constants_for(STRANGE, fitted) == constants_for(structs.replace(STRANGE, device="Olympus 2"), fitted)


def test_what_is_known() -> None:
    assert evidence_for(SPARK) == "model"
    assert evidence_for(structs.replace(SPARK, model="nobody's")) == "device"
    assert evidence_for(STRANGE) == "nothing"


@pytest.mark.parametrize("kind", ["decode", "prefill", "ttft"])
def test_less_knowledge_means_a_wider_interval(kind: str) -> None:
    sure, about = interval_factor(kind, SPARK, 1)
    unsure, _ = interval_factor(kind, STRANGE, 1)
    assert 1 < sure < unsure
    assert 0.6 < about["coverage"] < 1


def test_peaks_follow_the_engine() -> None:
    card = chips.find("RTX 4090")
    assert card is not None
    assert peak_rates(card, "llama.cpp", "cuda", "q4k") == (card.single, card.int8)
    assert peak_rates(card, "llama.cpp", "cuda", "f16") == (card.single, card.int8 / 2)
    assert peak_rates(card, "vllm", "cuda", "fp8") == (card.fp8, card.fp8)
    assert peak_rates(card, "vllm", "cuda", "w4") == (card.half, card.half)


def test_only_measurements_that_may_be_passed_on() -> None:
    assert {s["licence"] for s in measured.sources().values()} <= {"CC BY 4.0", "Apache-2.0", "MIT"}
    every = measured.all_measurements()
    assert len(every) > 1000
    assert {p.source for p in every} <= set(measured.sources())
    assert all(p.figure > 0 for p in every)


def test_points_of_one_thing() -> None:
    found = measured.measurements("NVIDIA DGX Spark (GB10)", "gpt-oss-120b", "mxfp4")
    assert any(p.kind == "decode" and p.users == 1 and 30 < p.figure < 80 for p in found)
    assert measured.measurements("Olympus 1", "gpt-oss-120b", "mxfp4") == ()


@pytest.mark.parametrize("engine", ["vllm", "sglang", "trtllm", "mlx"])
def test_prompts_that_come_together_are_read_in_order_and_those_that_come_one_by_one_have_no_queue(engine: str) -> None:
    served = structs.replace(SPARK, engine=engine)
    together = constants_for(structs.replace(served, style="wave"))
    alone = constants_for(structs.replace(served, style=STEADY))
    assert (together.queue, together.busy) == (1.0, 0.0)
    assert alone.queue == 0 < alone.busy
    assert constants_for(structs.replace(SPARK, engine="llama.cpp", style=STEADY)).queue == 1


@pytest.mark.parametrize("users", [2, 5, 20])
def test_a_first_token_of_a_wave_waits_for_each_prompt_before_it(users: int) -> None:
    k = constants_for(structs.replace(SPARK, engine="vllm", style="wave"))
    shared, step = 2.0, 0.05
    waited = [place * shared for place in range(1, users + 1)]
    assert first_token(shared, users, step, 256, k) == pytest.approx(sum(waited) / users + k.start + step)


DRIVEN = {
    "llama.cpp": ("cuda", "rocm", "metal", "vulkan"),
    "ollama": ("cuda", "rocm", "metal", "vulkan"),
    "mlx": ("metal",),
    "vllm": ("cuda", "rocm"),
    "sglang": ("cuda", "rocm"),
    "trtllm": ("cuda",),
}
"""Engine -> what drives its device."""


def _work(model: str) -> ModelDemand:
    read = traffic.from_model(from_record(find(model)))
    context = 4096
    cache, attend = read.cache(context), read.attention(1, context)
    return ModelDemand(read.shape, read.dense_bytes, read.expert_bytes, cache, attend, read.state)


@pytest.mark.parametrize("engine", DRIVEN)
@pytest.mark.parametrize("model", ["llama3.1-8b", "gpt-oss-120b", "qwen3.5-35b-a3b"])
def test_nobody_is_faster_beside_one_more_person_on_any_chip(engine: str, model: str) -> None:
    """Dense, experts, and experts with recurrent layers; 1 to 256 people; all together are never slower, either."""
    users, work = np.arange(1, 257), _work(model)
    for chip in {c.family: c for c in chips.chips()}.values():
        for api in DRIVEN[engine]:
            for quant in ("q4k", "q8", "fp4"):
                s = Situation(engine, api, chip.family, chip.name, quant, model)
                step = decode_step(work, users, device_rates(chip, s), constants_for(s)).time
                assert (np.diff(step) >= 0).all(), (chip.name, api, quant)
                assert (np.diff(users / step) >= 0).all(), (chip.name, api, quant)
