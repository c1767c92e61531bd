"""Facts of a GGUF file besides its shape."""

from __future__ import annotations

from gyakusan.models.formats import gguf_facts


def test_licence_and_languages() -> None:
    kv = {"general.license": "other", "general.license.name": "my-licence\x1b", "general.languages": ["en", 3, "ja"]}
    assert gguf_facts.facts(kv) == {"license": "my-licence", "languages": ("en", "ja")}
    assert gguf_facts.facts({"general.license": 7, "general.languages": "en"}) == {}


def test_what_only_tensors_show() -> None:
    assert gguf_facts.marks(["rope_freqs.weight", "blk.0.attn_q.bias"]) == {
        "gyakusan.rope_factors": True,
        "gyakusan.attention_bias": True,
    }
    assert gguf_facts.marks(["blk.0.ffn_up_exps.weight"]) == {"gyakusan.expert_bias": False}
    assert gguf_facts.marks(["blk.0.ffn_up_exps.weight", "blk.1.exp_probs_b.bias"]) == {"gyakusan.expert_bias": True}
    assert gguf_facts.marks(["blk.3.attn_k.weight"]) == {"gyakusan.keys_are_values": True}
