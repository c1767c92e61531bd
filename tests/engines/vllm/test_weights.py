"""Weights by rank against vLLM's own modules on the meta device, and quantised matrices by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs
from tests.engines.vllm import recorded

from gyakusan.core.model import Checkpoint, Tensor
from gyakusan.engines.vllm.settings import QUANTIZATIONS, Settings
from gyakusan.engines.vllm.weights import METHODS, expert_share, stored, weights
from gyakusan.errors import BadSetting
from gyakusan.models import load
from gyakusan.units import GIB

UNSEEN = {"llama4-scout"}
"""Its copied config lacks the vision tower."""


def rotary(name: str) -> int:
    """What we add for rotary tables: buffers, which the recording of parameters does not count. [B]"""
    model = recorded.model(name)
    bare = replace(model, graph=structs.replace(model.graph, positions=0))
    return weights(model, Settings(1)).best - weights(bare, Settings(1)).best


def errors() -> dict[tuple[str, int], float]:
    found = {}
    for row in recorded.rows():
        name, ranks = row["model"], row["tp"]
        if (name, ranks) not in found:
            ours = weights(recorded.model(name), Settings(1, tensor_parallel=ranks)).best - rotary(name)
            found[name, ranks] = ours / row["weight_bytes"] - 1
    return found


def test_ranks_hold_what_vllm_holds() -> None:
    found = errors()
    off = sorted(abs(e) for e in found.values())
    assert len(off) == 184
    assert sum(e == 0 for e in off) >= 81
    assert off[len(off) // 2] < 1e-5
    assert off[len(off) * 95 // 100] < 0.005
    assert {k: e for k, e in found.items() if abs(e) > 0.011 and k[0] not in UNSEEN} == {}


def test_real_servers_load_what_we_say() -> None:
    """ "Model loading took" of RTX 3090 and 4090 servers: Llama 3.1 8B 14.9889 GiB, gpt-oss-20b 13.7194 GiB."""
    assert weights(load("llama3.1-8b", "BF16"), Settings(1)).best / GIB == pytest.approx(14.9889, abs=2e-4)
    assert weights(recorded.model("gpt-oss-20b", quantized=True), Settings(1)).best / GIB == pytest.approx(
        13.7194, rel=3e-3
    )


def one(checkpoint: Checkpoint, shape: tuple[int, ...] = (4096, 1024), name: str = "ffn_up.weight") -> int:
    """Bytes of one matrix stored so, in a model of nothing else. [B]"""
    base = recorded.model("qwen3-8b")
    plain = replace(base, tensors=(), graph=structs.replace(base.graph, positions=0))
    model = replace(plain, tensors=(Tensor(f"blk.0.{name}", shape, "F16"),), checkpoint=checkpoint)
    return weights(model, Settings(1)).best


def test_quantised_matrices_by_hand() -> None:
    values = 4096 * 1024
    assert one(Checkpoint()) == 2 * values
    assert one(METHODS["gptq"]) == values // 2 + values // 128 * 2
    assert one(METHODS["awq"]) == values // 2 + values // 32 * 2 + values // 32 // 2
    assert one(METHODS["nvfp4"]) == values // 2 + values // 16
    assert one(METHODS["mxfp4"]) == values // 2 + values // 32
    assert one(METHODS["fp8"]) == values + 4
    assert one(replace(METHODS["fp8"], group=128)) == values + 4096 // 128 * 1024 // 128 * 4
    assert one(METHODS["int8"]) == values + 1024 * 2
    assert one(METHODS["bitsandbytes"]) == values // 2 + values // 64 * 4


def test_what_a_checkpoint_keeps_stays_wide() -> None:
    values = 4096 * 1024
    kept = replace(METHODS["fp8"], unquantized=("model.layers.*.self_attn", "lm_head"))
    assert one(kept, name="attn_q.weight") == 2 * values
    assert one(kept) == values + 4
    assert one(replace(METHODS["fp8"], unquantized=("model.layers.3.mlp.up_proj",))) == values + 4
    shared = replace(METHODS["gptq"], unquantized=("re:.*shared_experts.*",))
    assert one(shared, name="ffn_up_exps.weight", shape=(4096, 1024, 2)) < 2 * values
    assert one(shared, name="ffn_up_shexp.weight") == 2 * values
    assert one(METHODS["fp8"], name="attn_q_norm.weight", shape=(128,)) == 256


def test_tensors_of_the_files_go_before_the_rules() -> None:
    """Headers were read: their sum, without prediction layers; ranks share it as the rules say."""
    found = (Tensor("model.layers.0.w", (1000, 8), "BF16"), Tensor("mtp.layers.0.w", (1000, 8), "BF16"))
    base = recorded.model("qwen3-8b")
    model = replace(base, checkpoint=Checkpoint(tensors=found), graph=structs.replace(base.graph, positions=0))
    assert weights(model, Settings(1)).best == 16000
    assert weights(model, Settings(1, tensor_parallel=2)).best == pytest.approx(8000, rel=0.01)


def test_gguf_quantisations_are_refused_until_a_method_is_named() -> None:
    model = load("qwen3-8b", "Q4_K_M")
    with pytest.raises(BadSetting, match="does not load Q4_K_M"):
        weights(model, Settings(1))
    assert (
        weights(model, Settings(1, quantization="awq")).best < weights(load("qwen3-8b", "BF16"), Settings(1)).best / 2
    )


def test_mxfp4_of_the_catalogue_is_known() -> None:
    assert stored(load("gpt-oss-20b"), Settings(1)).method == "mxfp4"


@pytest.mark.parametrize("name", [q for q in QUANTIZATIONS if q != "auto"])
def test_every_method_has_a_range(name: str) -> None:
    found = weights(recorded.model("qwen3-30b-a3b"), Settings(1, quantization=name))
    assert 0 < found.low <= found.best <= found.high


@pytest.mark.parametrize("count", [2, 4])
def test_stages_hold_the_whole_once(count: int) -> None:
    model = recorded.model("qwen2.5-14b")
    table = rotary("qwen2.5-14b")
    whole = weights(model, Settings(1)).best - table
    parts = [weights(model, Settings(1, pipeline_parallel=count), i).best - table for i in range(count)]
    assert sum(parts) == whole


def _experts(name: str) -> int:
    """All experts of a model, in 16 bits [B]."""
    return sum(2 * t.values for t in load(name, "BF16").tensors if "_exps." in t.name)


@pytest.mark.parametrize("changes", [{"expert_parallel": True}, {}])
def test_copies_share_experts_and_repeat_everything_else(changes: dict[str, bool]) -> None:
    """fused_moe/config.py, FusedMoEParallelConfig.make: experts are spread over tensor x data parallel ranks either way."""
    model = load("qwen3-30b-a3b", "BF16")
    whole = weights(model, Settings(1)).best
    copies = weights(model, Settings(1, data_parallel=8, **changes)).best
    assert whole - copies == pytest.approx(_experts("qwen3-30b-a3b") * 7 / 8, rel=1e-6)
    ranks = weights(model, Settings(1, tensor_parallel=4)).best
    both = weights(model, Settings(1, tensor_parallel=4, data_parallel=2, **changes)).best
    assert ranks - both == pytest.approx(_experts("qwen3-30b-a3b") / 8, rel=1e-6)


def test_ranks_whose_number_does_not_divide_the_experts_have_one_more() -> None:
    """expert_map_manager.py, determine_expert_map: 128 experts over 6 ranks are 22, 22, 21, 21, 21, 21."""
    spread = Settings(1, data_parallel=6, expert_parallel=True)
    assert expert_share(128, spread) * 128 == 22
    assert expert_share(256, replace(spread, data_parallel=8)) * 256 == 32
    assert expert_share(128, Settings(1, tensor_parallel=2, data_parallel=3)) == 1 / 6


def test_whole_experts_in_mxfp4_are_padded_once() -> None:
    model = load("gpt-oss-20b", "MXFP4")
    sliced, spread = (Settings(1, tensor_parallel=8, expert_parallel=e) for e in (False, True))
    assert weights(model, spread).best < weights(model, sliced).best, "2,880 / 8 = 360, padded to 384"
