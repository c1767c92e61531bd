"""Ollama's own mix: what its quantiser does to each kind of tensor. Source of the rules: see core/recipe/ollama.py."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.models.recorded import files

from gyakusan import catalog, errors
from gyakusan.core import recipe
from gyakusan.core.model import Model
from gyakusan.core.recipe.ollama import apply_ollama
from gyakusan.models.assemble import plain


def made(name: str, quantization: str = "Q4_K_M") -> Model:
    return apply_ollama(quantization, plain(catalog.model(name)))


def types(model: Model, part: str) -> Counter[str]:
    return Counter(t.type for t in model.tensors if f".{part}.weight" in t.name)


def test_qwen_hybrids() -> None:
    found = made("qwen3.5-35b-a3b")
    for part in ("ffn_down_exps", "ffn_down_shexp", "attn_v"):
        assert set(types(found, part)) == {"Q6_K"}, part
    for part in ("ffn_up_exps", "attn_qkv", "ssm_out", "attn_q", "attn_output"):
        assert set(types(found, part)) == {"Q4_K"}, part
    older = apply_ollama("Q4_K_M", plain(catalog.model("qwen3-next-80b")), hybrids=False)
    assert set(types(older, "ffn_down_exps")) == {"Q4_K", "Q6_K"}
    assert set(types(older, "attn_qkv")) == {"Q5_K"}


def test_latent_attention_stays_fine() -> None:
    found = made("glm-4.7-flash")
    for part in ("attn_k_b", "attn_v_b", "attn_kv_a_mqa", "attn_q_a", "attn_q_b"):
        assert types(found, part) in (Counter(), Counter({"Q8_0": 47})) or set(types(found, part)) <= {"Q8_0", "F16"}
    assert set(types(found, "attn_q_b")) == {"Q8_0"}
    plainer = recipe.apply("Q4_K_M", plain(catalog.model("glm-4.7-flash")))
    assert found.bytes > plainer.bytes


def test_shared_experts_count_as_layers() -> None:
    """Two ffn_down in a block: the last eighth begins before the middle."""
    kinds = [t.type for t in made("glm-4.7-flash").tensors if ".ffn_down_exps." in t.name]
    assert set(kinds[len(kinds) // 2 :]) == {"Q6_K"}
    assert "Q4_K" in kinds[: len(kinds) // 2]


def test_per_layer_embeddings_are_left_alone() -> None:
    assert {t.type for t in made("gemma4-e4b").tensors if t.name == "per_layer_token_embd.weight"} == {"F16"}


def test_gpt_oss_as_published() -> None:
    found = made("gpt-oss-20b", "MXFP4")
    assert set(types(found, "ffn_up_exps")) == {"MXFP4"}
    assert set(types(found, "attn_q")) == {"BF16"}
    assert {t.type for t in found.tensors if t.name in ("token_embd.weight", "output.weight")} == {"BF16"}
    assert {t.type for t in found.tensors if t.name.endswith("norm.weight")} == {"F32"}


def test_eight_experts() -> None:
    found = made("mixtral-8x7b")
    assert set(types(found, "attn_v")) == set(types(found, "attn_k")) == {"Q8_0"}
    assert set(types(found, "attn_output")) == {"Q5_K"}


@pytest.mark.parametrize("quantization", ["Q8_0", "F16", "BF16", "F32"])
def test_one_type_for_all_matrices(quantization: str) -> None:
    found = made("llama3.2-3b", quantization)
    wanted = recipe.names.DEFAULT[quantization]
    assert {t.type for t in found.tensors if len(t.shape) > 1} == {wanted}


@pytest.mark.parametrize("name", ["llama3.1-8b", "qwen2.5-7b", "qwen2.5-0.5b", "phi4-14b", "qwen3-4b"])
@pytest.mark.parametrize("quantization", ["Q4_K_M", "Q8_0"])
def test_dense_models_are_as_llama_cpp_makes_them(name: str, quantization: str) -> None:
    """The port began as a copy: where it was not changed, both agree to the byte. Fused q, k, v was changed."""
    ours, theirs = made(name, quantization), recipe.apply(quantization, plain(catalog.model(name)))
    differ = {a.name for a, b in zip(ours.tensors, theirs.tensors, strict=True) if a.type != b.type}
    assert all("attn_qkv" in n for n in differ)
    assert (name == "phi4-14b" and quantization == "Q4_K_M") == bool(differ)


def test_what_it_does_not_make() -> None:
    with pytest.raises(errors.BadSetting, match=r"cannot quantise to IQ2_XS\. It supports F32, .*Q4_K_M"):
        made("qwen2.5-7b", "IQ2_XS")
    with pytest.raises(errors.UnknownName):
        made("qwen2.5-7b", "Q99")


def test_recorded_models_are_all_made() -> None:
    assert len(files()) > 100
    for name in ("qwen3.5-9b", "gemma3n-e4b", "nemotron-3-nano-30b", "deepseek-v3.2"):
        model = made(name)
        assert len(model.tensors) == len(plain(catalog.model(name)).tensors)
