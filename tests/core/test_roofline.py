"""Time: shapes broadcast, limits hold, published identities come out."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from gyakusan.catalog.models import find
from gyakusan.core import traffic
from gyakusan.core.roofline import (
    DeviceRates,
    ModelDemand,
    SpeedConstants,
    closed_loop,
    decode_step,
    expected_batches,
    first_token,
    later_token,
    offloaded,
    open_loop,
    prefill_time,
    uploaded,
)
from gyakusan.core.traffic import ModelShape, RoleBits, expected_distinct_expert_share
from gyakusan.models.assemble import from_record, plain

DENSE = ModelDemand(
    ModelShape(1, 1, 32, 0, 0, 4096, 7_000_000_000, 525_000_000, 0), 4.6e9, 0, cache=134e6, attend=2.7e8, state=0
)
ROUTED = ModelDemand(
    ModelShape(128, 4, 36, 1, 0, 2880, 1_500_000_000, 579_000_000, 114_000_000_000), 1.7e9, 61e9, 42e6, 1.8e8, 0
)
CARD = DeviceRates(1008e9, 82e12, 660e12, 165e12, small_batch_kernels=1)
K = SpeedConstants()


@given(
    st.lists(st.integers(1, 200), min_size=1, max_size=4),
    st.sampled_from([DENSE, ROUTED]),
    st.sampled_from([1, 2, 8]),
    st.sampled_from([0, 1]),
)
@settings(max_examples=60)
def test_one_formula_for_one_number_and_for_many(
    users: list[int], work: ModelDemand, parallel: int, small: int
) -> None:
    device = structs.replace(CARD, parallel=parallel, small_batch_kernels=small)
    many = decode_step(work, np.array(users), device, K).time
    assert many == pytest.approx([decode_step(work, n, device, K).time for n in users])
    prompts = prefill_time(work, np.array(users) * 16, 512, 1e12, device, K)
    assert prompts == pytest.approx([prefill_time(work, n * 16, 512, 1e12, device, K) for n in users])


def test_nothing_is_faster_than_the_bandwidth() -> None:
    perfect = SpeedConstants(weights=50.0, cache=50.0, layer=0, expert=0, hybrid=0, fixed=0, sequence=0)
    assert decode_step(DENSE, 1, CARD, perfect).time >= (DENSE.dense_bytes + DENSE.cache) / CARD.bandwidth


def test_a_step_of_more_users_is_longer_but_each_token_is_cheaper() -> None:
    steps = [decode_step(ROUTED, n, CARD, K).time for n in (1, 2, 4, 16, 64)]
    assert steps == sorted(steps)
    shares = [t / n for t, n in zip(steps, (1, 2, 4, 16, 64), strict=True)]
    assert shares == sorted(shares, reverse=True)


@given(
    st.sampled_from([DENSE, ROUTED]),
    st.floats(0.01, 1000),
    st.floats(0.01, 1000),
    st.floats(0.3, 3),
    st.sampled_from([1, 4]),
    st.floats(0, 10),
)
@settings(max_examples=60)
def test_nobody_is_faster_beside_others_and_all_together_never_slower(
    work: ModelDemand, few: float, many: float, overlap: float, parallel: int, prefill: float
) -> None:
    """The form of the law has it so, whatever was fitted: 9 people were once answered faster than 8."""
    users, k = np.arange(1, 257), structs.replace(K, few=few, many=many, overlap=overlap)
    step = decode_step(work, users, structs.replace(CARD, parallel=parallel), k).time
    assert (np.diff(step) >= 0).all()
    assert (np.diff(users / step) >= 0).all()
    assert (np.diff(closed_loop(step, prefill, users, 256)) >= 0).all()


def test_rows_that_cost_nothing_more_read_the_weights_as_one_row_does() -> None:
    """A CPU's kernels are charged by their arithmetic alone."""
    one, many = (decode_step(DENSE, n, CARD, structs.replace(K, few=0.0, many=float("inf"))).weights for n in (1, 64))
    assert one == many


def test_what_a_step_waits_for() -> None:
    assert decode_step(DENSE, 1, CARD, K).bottleneck == "weights"
    assert decode_step(structs.replace(DENSE, cache=60e9), 1, CARD, K).bottleneck == "cache"
    assert decode_step(structs.replace(DENSE, dense_bytes=1e6), 1, CARD, K).bottleneck == "overhead"


def test_experts_touched() -> None:
    assert expected_distinct_expert_share(1, 128, 4) == pytest.approx(4 / 128)
    assert expected_distinct_expert_share(2, 128, 4, overlap=1.0) == pytest.approx(1 - (124 / 128) ** 2)
    assert expected_distinct_expert_share(100, 1, 1) == 1.0
    assert expected_distinct_expert_share(10_000, 128, 4) == pytest.approx(1.0)


def test_longer_pieces_of_a_prompt_read_the_weights_less_often() -> None:
    assert prefill_time(ROUTED, 4096, 2048, 0, CARD, K) < prefill_time(ROUTED, 4096, 512, 0, CARD, K)


def test_recurrent_layers_take_a_prompt_token_by_token() -> None:
    """Twice the prompt costs twice the state's traffic, whatever the pieces; nothing where an engine has no such cost."""
    hybrid, none = structs.replace(DENSE, state=75e6), structs.replace(K, scan=float("inf"))
    for prompt, piece in ((512, 512), (4096, 512), (4096, 2048)):
        more = prefill_time(hybrid, prompt, piece, 0, CARD, K) - prefill_time(DENSE, prompt, piece, 0, CARD, K)
        assert more == pytest.approx(2 * 75e6 * prompt / CARD.bandwidth)
        assert prefill_time(hybrid, prompt, piece, 0, CARD, none) == prefill_time(DENSE, prompt, piece, 0, CARD, K)


def test_layers_shared_out_over_devices_work_at_several_pieces_at_once() -> None:
    alone = prefill_time(DENSE, 4096, 512, 0, CARD, K)
    four = prefill_time(DENSE, 4096, 512, 0, structs.replace(CARD, stages=4), K)
    assert alone / four == pytest.approx(8 * 4 / (8 + 3))


def test_first_tokens_of_users_who_start_together() -> None:
    """A DGX Spark took 1242, 3942 and 6829 ms for 1, 5 and 10 users (djangodevreng/dgx-spark-benchmarks, CC BY 4.0)."""
    wave = SpeedConstants(queue=1.0, busy=0.0, start=0.0)
    for users, measured in ((1, 1.242), (5, 3.942), (10, 6.829)):
        assert first_token(1.242, users, 0.0, 256, wave) == pytest.approx(measured, rel=0.07)


def test_a_prompt_that_comes_alone_waits_for_those_that_it_finds() -> None:
    """Of the exact mean value analysis: nobody, at low load half a prompt of each other, at high load all others' answers."""
    steady = SpeedConstants(queue=0.0, busy=1.0, start=0.0, blend=0.0)
    prompt, step = 0.2, 0.01

    def wait(users: int, answer: int) -> float:
        return float(first_token(prompt, users, step, answer, steady)) - prompt - (step if users > 1 else 0)

    assert wait(1, 256) == pytest.approx(0, abs=1e-12)
    low = 100_000  # tokens of an answer, which takes 1000 s
    assert wait(8, low) == pytest.approx(7 * prompt**2 / 2 / (low * step), rel=0.01)
    assert wait(200, 10) == pytest.approx(199 * prompt - 10 * step, rel=0.02)
    assert [wait(u, 256) for u in (1, 4, 16, 64)] == sorted(wait(u, 256) for u in (1, 4, 16, 64))


def test_prompts_in_one_batch_wait_for_each_other() -> None:
    """llama-server on a CPU: 8 prompts of 256 tokens are one batch of 2,048, two groups of 512, and long ones come one by one."""
    batch = SpeedConstants(queue=1.0, busy=0.0, start=0.0, together=2048)
    waits = [first_token(1.0, 8, 0.0, 256, batch, prompt) for prompt in (64, 256, 512, 2048, 10_000)]
    assert waits == pytest.approx([8.0, 8.0, 6.0, 4.5, 4.5])
    assert first_token(1.0, 1, 0.0, 256, batch, 64) == 1.0
    assert first_token(1.0, 8, 0.0, 256, batch) == 4.5  # a length that is not known
    assert first_token(1.0, 8, 0.0, 256, structs.replace(batch, together=0.0), 64) == 4.5


@pytest.mark.parametrize(
    ("alone", "measured"),
    [(0.40, {4: 1.47, 8: 2.96, 16: 6.37}), (0.16, {4: 0.62, 8: 1.18, 16: 2.43})],
)
def test_llama_servers_first_tokens_come_when_all_prompts_are_read(alone: float, measured: dict[int, float]) -> None:
    """An RTX 3090, 198 tokens each, all at once: Qwen3.8-27B and Qwen3.6-35B-A3B (insiderllm-bench-results, CC BY 4.0)."""
    batch = SpeedConstants(queue=1.0, busy=0.0, start=0.05, together=2048)
    for users, seconds in measured.items():
        assert first_token(alone - 0.05, users, 0.0, 200, batch, 198) == pytest.approx(seconds, rel=0.18)


def test_a_start_is_no_part_of_what_llama_bench_times() -> None:
    """Twice the prompt takes twice the time of whole chunks: nothing is there that a server adds (RTX 5090, pp512 and pp2048)."""
    one, four = (prefill_time(DENSE, n, 512, 0, CARD, structs.replace(K, start=0.1)) for n in (512, 2048))
    assert four / one == pytest.approx(4)


def test_a_prompt_is_felt_in_the_tokens_of_others() -> None:
    assert later_token(0.01, 0.5, 1, 100, K) == 0.01
    assert later_token(0.01, 0.5, 5, 100, SpeedConstants(blend=0.5)) == pytest.approx(0.02)


def test_closed_loop() -> None:
    assert closed_loop(0.01, 0.0, 8, 100) == pytest.approx(800)
    assert closed_loop(0.01, 0.125, 8, 100) == pytest.approx(400)


def test_open_loop_fills_up() -> None:
    first, tpot, busy = open_loop(0.5, 0.02, 1.0)
    assert (first, tpot, busy) == (1.0, 0.04, 0.5)
    assert open_loop(0.5, 0.02, 5.0)[2] == 0.99


def test_weights_in_ram_cost_their_own_time() -> None:
    assert offloaded(0.01, 13e9, 50e9, efficiency=0.65) == pytest.approx(0.41)
    assert uploaded(0.5, 10e9, 20e9, chunks=4) == 2.5


class TestTraffic:
    def test_the_embedding_table_is_not_read(self) -> None:
        model = from_record(find("llama3.1-8b"), "Q4_K_M")
        table = next(t.bytes for t in model.tensors if t.name == "token_embd.weight")
        read = traffic.from_model(model)
        assert read.dense_bytes == model.bytes - table
        assert (read.expert_bytes, read.shape.experts, read.shape.layers) == (0, 1, 32)

    def test_a_tied_table_is_read_once_as_the_output(self) -> None:
        model = from_record(find("llama3.2-1b"), "Q8_0")
        assert traffic.from_model(model).dense_bytes == model.bytes

    def test_per_layer_embeddings_are_looked_up(self) -> None:
        model = from_record(find("gemma4-e4b"), "Q4_K_M")
        table = next(t.bytes for t in model.tensors if t.name == "per_layer_token_embd.weight")
        assert traffic.from_model(model).dense_bytes == model.bytes - table

    def test_experts_are_counted_apart(self) -> None:
        model = from_record(find("gpt-oss-20b"))
        read = traffic.from_model(model)
        assert read.expert_bytes == sum(t.bytes for t in model.tensors if "_exps" in t.name)
        assert (read.shape.experts, read.shape.experts_used, read.shape.moe_share) == (32, 4, 1.0)

    def test_windows_cap_the_cache(self) -> None:
        read = traffic.from_model(from_record(find("gpt-oss-20b")))
        one_layer = 8 * 64 * 2 * 2
        assert read.cache(100_000) == one_layer * (12 * 100_000 + 12 * 128)
        assert read.cache(100) == one_layer * 24 * 100

    def test_a_latent_vector_replaces_keys_and_values(self) -> None:
        assert traffic.from_model(from_record(find("deepseek-v3.2"))).cache(1000, 1) >= 61 * 576 * 1000

    def test_attention_of_a_prompt(self) -> None:
        read = traffic.from_model(from_record(find("llama3.1-8b")))
        assert read.attention(1000) == 4 * 32 * 128 * 32 * 1000 * 500
        assert read.attention(np.array([1000, 2000])).tolist() == [read.attention(1000), read.attention(2000)]

    def test_states_of_a_hybrid(self) -> None:
        assert traffic.from_model(from_record(find("qwen3.5-35b-a3b"))).state == 30 * 32 * 128 * 128 * 4

    def test_bits_by_role(self) -> None:
        model = plain(find("llama3.1-8b"))
        half = traffic.from_model(model, RoleBits())
        assert half.dense_bytes == pytest.approx(2 * (half.shape.matrices + half.shape.output_matrix), rel=1e-3)
        eight = traffic.from_model(model, RoleBits(attention=8, linear=8, experts=8))
        assert eight.dense_bytes == pytest.approx(half.shape.matrices + 2 * half.shape.output_matrix, rel=1e-3)

    @pytest.mark.parametrize(
        ("name", "size"), [("auto", 2), ("fp8_e4m3", 1), ("Q8_0", 34 / 32), ("q4_0", 18 / 32), ("", 2)]
    )
    def test_cache_types(self, name: str, size: float) -> None:
        assert traffic.cache_value_bytes(name) == size


class TestNeighbouringSlots:
    @pytest.mark.parametrize("slots", [1, 2, 5, 8])
    def test_it_is_the_mean_number_of_runs(self, slots: int) -> None:
        for active in range(1, slots + 1):
            sets = list(combinations(range(slots), active))
            runs = [sum(slot - 1 not in some for slot in some) for some in sets]
            assert expected_batches(active, slots) == pytest.approx(sum(runs) / len(runs))

    def test_one_cache_is_one_batch_and_shapes_broadcast(self) -> None:
        assert expected_batches(6, 1) == 1
        assert expected_batches(np.array([[1], [4], [8]]), np.array([1, 8])).tolist() == [[1, 1], [1, 2.5], [1, 1]]

    def test_what_is_discarded_takes_what_a_prompt_s_products_take(self) -> None:
        more = structs.replace(DENSE, discarded=1e9)
        plain, slow = (decode_step(d, 8, CARD, K).cache for d in (DENSE, more))
        own = 8 * DENSE.attend / (CARD.half * K.attend)
        gather = (plain**2 - own**2) ** 0.5
        assert slow == pytest.approx((gather**2 + (own + 8e9 / (CARD.half * K.attention)) ** 2) ** 0.5)

    def test_a_step_is_several_steps(self) -> None:
        step = decode_step(DENSE, 2, DeviceRates(1e12, 1e14, 1e14, 1e14), SpeedConstants())
        assert step.times(2.5).time == pytest.approx(2.5 * step.time)
        assert step.times(2.5).bottleneck == step.bottleneck
