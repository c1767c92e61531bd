"""What a GGUF file says of its model besides its shape, and what only its tensors show."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypedDict


class GgufFacts(TypedDict, total=False):
    """Licence and languages as `general.*` has them."""

    license: str
    languages: tuple[str, ...]


def facts(metadata: Mapping[str, Any]) -> GgufFacts:
    """Return licence and languages, where a converter wrote them. Source: gguf-py/gguf/constants.py."""
    found = GgufFacts()
    named = (metadata.get(f"general.license{end}") for end in (".name", ""))
    licence = next((v for v in named if isinstance(v, str) and v.strip()), "")
    if licence:
        found["license"] = "".join(c for c in licence if c.isprintable()).strip()[:100]
    languages = metadata.get("general.languages")
    if isinstance(languages, Sequence) and not isinstance(languages, str):
        found["languages"] = tuple(v for v in languages[:500] if isinstance(v, str))
    return found


def marks(names: Collection[str]) -> dict[str, bool]:
    """Return keys of our own for what a file shows only by the names of its tensors. See models/families.

    An absent bias of the experts is written, too: families take it for granted from DeepSeek-V3 on.
    """
    kept = set(names)
    blocks = {n.split(".")[1] for n in kept if n.startswith("blk.") and n.count(".") > 1}
    found = {
        "rope_factors": "rope_freqs.weight" in kept,
        "attention_bias": bool({"blk.0.attn_q.bias", "blk.0.attn_qkv.bias"} & kept),
        "expert_bias": any(".exp_probs_b." in n for n in kept),
        "keys_are_values": any(
            f"blk.{i}.attn_k.weight" in kept and f"blk.{i}.attn_v.weight" not in kept for i in blocks
        ),
    }
    present = {f"gyakusan.{key}": True for key, here in found.items() if here}
    if any("_exps." in n for n in kept):
        present.setdefault("gyakusan.expert_bias", False)
    return present
