"""Speeds of a model on a machine, with intervals and measured points."""

from __future__ import annotations

import math

import pytest
from msgspec import structs

import gyakusan
from gyakusan import machines
from gyakusan.catalog.cpu import bandwidth
from gyakusan.catalog.models import find
from gyakusan.core.machine import Device, Machine, Simd
from gyakusan.core.model import Checkpoint
from gyakusan.models import load
from gyakusan.models.assemble import from_record
from gyakusan.planning.predict.speed import TurnShape, estimate_speed, stored_bits
from gyakusan.planning.predict.speed_inputs import HostWeights, bus_bandwidth

LLAMA = from_record(find("llama3.1-8b"), "Q4_K_M")


@pytest.mark.parametrize(
    ("device", "least", "most"),
    [("RTX 4090", 120, 160), ("RTX 5090", 175, 260), ("M4 Max 128GB", 60, 90), ("DGX Spark", 35, 45)],
)
def test_the_guide_s_devices(device: str, least: float, most: float) -> None:
    """Ranges of what llama.cpp's users report for Llama 3.1 8B Q4_K_M and one user."""
    found = estimate_speed(LLAMA, machines.parse(device, None), turn=TurnShape(prompt=128, answer=128))
    assert found is not None
    assert least < found.decode_each.value < most
    assert found.decode_each.low < found.decode_each.value < found.decode_each.high
    assert found.bottleneck == "weights"
    assert found.tpot.value == pytest.approx(1 / found.decode_each.value)


def test_measurements_of_the_same_thing_are_shown_and_used() -> None:
    found = estimate_speed(
        from_record(find("gpt-oss-120b")), machines.parse("DGX Spark", None), turn=TurnShape(prompt=128, answer=32)
    )
    assert found is not None
    assert found.points
    assert found.decode_each.basis == "measured"


def test_many_users_share() -> None:
    card = machines.parse("RTX 4090", None)
    one, many = (estimate_speed(LLAMA, card, "vllm", TurnShape(users=n)) for n in (1, 16))
    assert one is not None
    assert many is not None
    assert many.decode_each.value < one.decode_each.value < many.decode_all.value
    assert many.throughput.value < many.decode_all.value
    assert many.ttft.value > one.ttft.value


def _each(device: str, **turn: object) -> float:
    found = estimate_speed(LLAMA, machines.parse(device, None), turn=TurnShape(prompt=1000, depth=2000, **turn))  # type: ignore[arg-type]
    assert found is not None
    return found.decode_each.value


def test_one_cache_is_one_batch_and_attends_to_others() -> None:
    """Two of eight people: several batches with a cache for each. Of eight: one either way, and less attention with eight."""
    assert _each("RTX 4090", users=2, kept=0) > 1.2 * _each("RTX 4090", users=2, slots=8)
    assert _each("RTX 4090", users=8, kept=0) < _each("RTX 4090", users=8, slots=8)
    assert _each("RTX 4090", users=1, kept=0) == _each("RTX 4090", users=1)


def test_idle_conversations_that_stay_in_one_cache_are_read() -> None:
    left, kept = (_each("RTX 4090", users=2, kept=n) for n in (0, 8))
    assert _each("RTX 4090", users=8, kept=8) < kept < left
    assert _each("M4 Max 128GB", users=2, kept=8) == _each("M4 Max 128GB", users=2, kept=0)


@pytest.mark.parametrize("chunk", [512, 2048])
@pytest.mark.parametrize(("device", "multiplied"), [("RTX 4090", True), ("M4 Max 128GB", False)])
def test_prompts_are_charged_for_others_cells_at_any_physical_batch(
    device: str, multiplied: bool, chunk: float
) -> None:
    """CUDA leaves out cells behind the last own one from 1,024 rows on; that depends on who came first: not counted."""
    card = machines.parse(device, None)
    waits = []
    for kept in (0, 8):
        found = estimate_speed(LLAMA, card, turn=TurnShape(prompt=4096, depth=8192, users=2, chunk=chunk, kept=kept))
        assert found is not None
        waits.append(found.ttft.value)
    assert (waits[1] > 1.05 * waits[0]) == multiplied


def test_a_prompt_attends_to_what_lies_in_its_cache() -> None:
    card = machines.parse("RTX 4090", None)
    turns = (TurnShape(users=8, slots=8), TurnShape(users=8, kept=0))
    apart, together = (estimate_speed(LLAMA, card, turn=t) for t in turns)
    assert apart is not None
    assert together is not None
    assert together.prefill.value == pytest.approx(apart.prefill.value)  # of one alone
    assert together.ttft.value > apart.ttft.value


def test_a_device_that_nobody_measured_has_a_wide_interval() -> None:
    strange = Machine("x", (Device("Olympus 1", "gpu", 24 << 30, "cuda", bandwidth=800e9),), None)
    found, usual = estimate_speed(LLAMA, strange), estimate_speed(LLAMA, machines.parse("RTX 4090", None))
    assert found is not None
    assert usual is not None
    assert found.decode_each.basis == "assumed"
    wide = found.decode_each.high / found.decode_each.low
    assert wide > 1.5 * usual.decode_each.high / usual.decode_each.low


def test_no_figure_without_a_bandwidth() -> None:
    assert estimate_speed(LLAMA, Machine("x", (Device("Olympus 1", "gpu", 24 << 30, "cuda"),), None)) is None
    assert estimate_speed(LLAMA, Machine("x", (), Device("CPU", "host", None, "cpu"))) is None


def test_weights_in_ram_bind() -> None:
    found = estimate_speed(
        LLAMA, machines.parse("RTX 4090", None), turn=TurnShape(host=HostWeights(read=4e9, bandwidth=50e9))
    )
    assert found is not None
    assert found.bottleneck == "host"
    assert found.decode_each.value < 10


def test_bits_of_a_checkpoint() -> None:
    assert stored_bits(Checkpoint()).linear == 16
    awq = stored_bits(Checkpoint(method="awq", bits=4, group=128, symmetric=False))
    assert (awq.linear, awq.output) == (pytest.approx(4.1875), 16)
    assert stored_bits(Checkpoint(method="mlx", bits=4, group=64)).output < 5


def test_weights_in_ram_cross_the_bus_for_every_piece_of_a_prompt() -> None:
    card = machines.parse("RTX 4090", None)
    asked = TurnShape(prompt=2048, chunk=512, host=HostWeights(read=1e9, held=3e9, bandwidth=24e9))
    plain, beside = (
        estimate_speed(LLAMA, card, turn=structs.replace(asked, host=HostWeights())),
        estimate_speed(LLAMA, card, turn=asked),
    )
    assert plain is not None
    assert beside is not None
    assert beside.ttft.value == pytest.approx(plain.ttft.value + 4 * 3e9 / 12e9, rel=0.1)
    assert beside.ttft.basis == "assumed"


@pytest.mark.parametrize(
    ("card", "reached"), [("RTX 4090", 24e9), ("RTX 4060", 12e9), ("Tesla P40", 12e9), ("RTX 5090", 24e9)]
)
def test_eight_lanes_bring_half_of_sixteen(card: str, reached: float) -> None:
    assert bus_bandwidth(machines.parse(card, None)) == pytest.approx(reached)


@pytest.mark.parametrize(
    ("cores", "simd", "speed", "model", "measured"),
    [
        (8, "avx512", 89.6e9, "llama3.2-1b", 68.2),  # Ryzen 7 7840HS, localmaxxing
        (4, "neon", 17.1e9, "llama3.2-3b", 4.88),  # Raspberry Pi 5, geerlingguy/ai-benchmarks
        (4, "avx2", 38.4e9, "llama3.2-3b", 9.06),  # Intel N150, the same
        (192, "neon", 332.8e9, "llama3.3-70b", 3.86),  # AmpereOne, the same (Llama 3.1 70B has the same shape)
    ],
)
def test_published_speeds_of_cpus_are_in_the_interval(
    cores: int, simd: Simd, speed: float, model: str, measured: float
) -> None:
    host = Device("x", "host", 64 << 30, "cpu", bandwidth=speed)
    machine = Machine("x", (), host, "x", cores, simd=simd)
    found = estimate_speed(from_record(find(model), "Q4_K_M"), machine, turn=TurnShape(prompt=128, answer=128))
    assert found is not None
    assert found.decode_each.low < measured < found.decode_each.high


def test_a_processor_is_known_by_the_name_that_the_os_reports() -> None:
    assert bandwidth("AMD Ryzen 9 7950X 16-Core Processor") == 83.2e9
    assert bandwidth("Intel(R) Core(TM) i9-14900K") == 89.6e9
    assert bandwidth("AMD EPYC") is None
    assert bandwidth("RTX 4090") is None


@pytest.mark.parametrize("engine", ["MLX-LM", "vLLM", "Ollama", "llama.cpp"])
@pytest.mark.parametrize("name", ["qwen3-8b", "llama4-scout", "lfm2.5-8b-a1b"])
def test_a_first_token_never_comes_earlier_with_more_people(name: str, engine: str) -> None:
    """MLX-LM answers 32 at once: 1,000 people were told a first token after 3.6 s, and speeds as if all were answered."""
    machine = machines.parse("M3 Ultra 512GB" if engine == "MLX-LM" else "8x H100 SXM5")
    figures = [
        estimate_speed(load(name), machine, engine, TurnShape(users=n)) for n in (1, 2, 31, 32, 33, 64, 300, 1000)
    ]
    firsts = [f.ttft.value for f in figures if f is not None]
    assert len(firsts) == len(figures)
    assert firsts == sorted(firsts)


def test_those_who_wait_for_a_place_wait_for_whole_turns() -> None:
    machine, model = machines.parse("M3 Ultra 512GB"), load("qwen3-8b")
    few, many = (estimate_speed(model, machine, "MLX-LM", TurnShape(users=n)) for n in (32, 320))
    assert few is not None
    assert many is not None
    turn = few.ttft.value + 256 * few.tpot.value
    assert many.ttft.value == pytest.approx(few.ttft.value + 9 * turn)
    assert (many.decode_each.value, many.decode_all.value) == (few.decode_each.value, few.decode_all.value)
    alone, two = (estimate_speed(load("llama4-scout"), machine, "MLX-LM", TurnShape(users=n)) for n in (1, 2))
    assert alone is not None
    assert two is not None
    assert two.decode_all.value == alone.decode_each.value, "its caches cannot be merged: one after the other"


@pytest.mark.parametrize(
    ("name", "quantization", "device", "engine"),
    [
        ("gpt-oss-20b", "MXFP4", "DGX Spark", "llama.cpp"),
        ("gpt-oss-120b", "MXFP4", "DGX Spark", "llama.cpp"),
        ("qwen3.5-35b-a3b", "Q4_K_M", "Ryzen AI Max+ 395 128GB", "llama.cpp"),
        ("qwen3.5-9b", "BF16", "DGX Spark", "vllm"),
        ("gpt-oss-120b", "MXFP4", "H200", "vllm"),
    ],
)
def test_a_measurement_moves_every_number_of_people_alike(
    name: str, quantization: str, device: str, engine: str
) -> None:
    """The places of the server that was asked about moved what others had measured: 8 people had 29 tokens/s, 9 had 31."""
    before = (math.inf, 0.0)
    for users in (2, 3, 5, 8, 9, 16, 17, 20, 32, 33, 40, 64):
        pace = gyakusan.inspect(name, quant=quantization, users=users, context=4096, device=device, engine=engine).pace
        assert pace is not None
        each, every = pace.decode_each.value, pace.decode_all.value
        assert pace.decode_each.basis == "measured"
        assert each <= before[0] * 1.0001, users
        assert every >= before[1] * 0.9999, users
        before = (each, every)
