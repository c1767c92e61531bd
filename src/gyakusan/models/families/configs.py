"""Read a Hugging Face config.json: the hyper-parameters of GGUF under other names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gyakusan.errors import Malformed
from gyakusan.models.families.metadata import BLOCKS, LIMIT

TEXT = ("text_config", "llm_config", "thinker_config", "language_config")
"""Where a model with eyes or ears keeps the config of its language part."""
COMMON = {
    "block_count": ("num_hidden_layers", "n_layers", "n_layer", "num_layers"),
    "context_length": (
        "max_position_embeddings",
        "n_ctx",
        "n_positions",
        "max_length",
        "max_sequence_length",
        "model_max_length",
    ),
    "embedding_length": ("hidden_size", "n_embd", "dim", "d_model"),
    "feed_forward_length": ("intermediate_size", "ffn_dim", "n_inner", "hidden_dim"),
    "attention.head_count": ("num_attention_heads", "n_head", "n_heads"),
    "attention.head_count_kv": ("num_key_value_heads", "n_kv_heads"),
    "attention.key_length": ("head_dim",),
    "attention.value_length": ("head_dim",),
    "vocab_size": ("vocab_size",),
    "expert_count": ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"),
    "expert_used_count": ("num_experts_per_tok", "num_experts_per_token", "moe_k", "moe_topk", "top_k_experts"),
}
"""GGUF key -> names in config.json, first found wins."""
MIXTURE = {
    "expert_feed_forward_length": ("moe_intermediate_size", "expert_ffn_hidden_size", "moe_ffn_hidden_size"),
    "expert_shared_count": ("n_shared_experts", "num_shared_experts", "moe_num_shared_experts"),
    "expert_shared_feed_forward_length": ("shared_expert_intermediate_size", "moe_shared_expert_intermediate_size"),
    "leading_dense_block_count": ("first_k_dense_replace", "num_dense_layers", "moe_layer_start_index"),
}
"""The same for models with experts."""
OLDER = {"mamba": "linear_attention", "attention": "full_attention"}
"""Words of layer_types before transformers 5 -> today's. Source: remap_legacy_layer_types (configuration_utils.py)."""


def words(kind: str) -> tuple[str, ...]:
    """Return every word for one kind of layer: today's, and what it was called before."""
    return kind, *(older for older, today in OLDER.items() if today == kind)


class Config(Struct, frozen=True):
    """The language part of a config.json.

    values: its keys
    outer: the keys around it, where it is one part of several
    """

    values: Mapping[str, Any]
    outer: Mapping[str, Any]

    @property
    def model_type(self) -> str:
        """Return the model_type of the language part, else of the whole."""
        found = self.values.get("model_type", self.outer.get("model_type"))
        if not isinstance(found, str) or not found:
            raise Malformed("The config has no model_type.", mend="Give the directory of a Hugging Face model.")
        return found

    def with_defaults(self, defaults: Mapping[str, Any]) -> Config:
        """Return the config with `defaults` for absent keys. A key that is there wins, under another name and as null, too."""
        groups = (names for names in (*COMMON.values(), *MIXTURE.values()) if any(n in self.values for n in names))
        stated = {name for names in groups for name in names}
        return Config({**{k: v for k, v in defaults.items() if k not in stated}, **self.values}, self.outer)

    def get(self, *names: str) -> Any:
        """Return the first of `names` that is there and not null, else None."""
        return next((v for n in names if (v := self.values.get(n)) is not None), None)

    def number(self, *names: str, default: int | None = None) -> int:
        """Return a whole number >= 0. Raises Malformed if it is absent without a default, or no such number."""
        value = self.get(*names)
        if value is None:
            value = default
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < LIMIT:
            raise self.bad(names[0], value)
        return value

    def numbers(self, *names: str) -> list[int] | None:
        """Return a list of whole numbers, None if it is absent. Raises Malformed for other lists."""
        value = self.get(*names)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(v, int) and 0 <= v < LIMIT for v in value):
            raise self.bad(names[0], value)
        return [int(v) for v in value]

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a truth value, also from the config around."""
        return bool(self.values.get(name, self.outer.get(name, default)))

    def kinds(self, name: str = "layer_types") -> list[str] | None:
        """Return one word for each layer, as transformers 5 has them; None if the config has none."""
        value = self.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.bad(name, value)
        return [OLDER.get(str(v), str(v)) for v in value]

    @property
    def layers(self) -> int:
        """Return the number of layers; without one, as many as have a kind. Raises Malformed above BLOCKS.

        Source: transformers, configuration_utils.py (layer_types has one word for each of num_hidden_layers).
        """
        kinds = self.kinds()
        count = self.number(*COMMON["block_count"], default=len(kinds) if kinds else None)
        if not 0 < count <= BLOCKS:
            raise self.bad("num_hidden_layers", count)
        return count

    @property
    def width(self) -> int:
        """Return the width of the feed-forward network [values]."""
        return self.number(*COMMON["feed_forward_length"])

    @property
    def rope(self) -> Mapping[str, Any]:
        """Return rope_scaling, or rope_parameters as newer configs call it."""
        found = self.get("rope_scaling", "rope_parameters")
        return found if isinstance(found, Mapping) else {}

    def windows(self) -> list[bool] | None:
        """Return for each layer if it has a sliding window, from layer_types; None if the config has none."""
        kinds = self.kinds()
        return None if kinds is None else [k in ("sliding_attention", "chunked_attention") for k in kinds]

    def bad(self, key: str, value: Any) -> Malformed:
        """Return the Malformed error that names a key and its value."""
        shown = "missing" if value is None else str(value)[:40]
        return Malformed(
            "{key} is {value}.",
            key=key,
            value=shown,
            mend="The config.json is incomplete or damaged; download it again.",
        )


def language(config: Mapping[str, Any]) -> Config:
    """Return the language part of `config`."""
    for name in TEXT:
        inner = config.get(name)
        if isinstance(inner, Mapping):
            return language(inner) if name == "thinker_config" else Config(inner, config)
    return Config(config, config)


def common(c: Config) -> dict[str, Any]:
    """Return the keys that nearly all architectures share. Keys of our own: tied, rope_factors, attention_bias."""
    found: dict[str, Any] = {"block_count": c.layers}
    found |= {key: c.number(*names) for key, names in COMMON.items() if c.get(*names) is not None}
    for key in ("embedding_length", "vocab_size", "attention.head_count"):
        found[key] = c.number(*COMMON[key])
    found.setdefault("attention.head_count_kv", found["attention.head_count"])
    found["gyakusan.tied"] = c.flag("tie_word_embeddings")
    found["gyakusan.rope_factors"] = c.rope.get("rope_type", c.rope.get("type")) == "llama3"
    found["gyakusan.attention_bias"] = c.flag("attention_bias")
    return found


def mixture(c: Config) -> dict[str, Any]:
    """Return the keys of a mixture: widths of experts and shared experts, leading dense layers."""
    found = {key: c.number(*keys) for key, keys in MIXTURE.items() if c.get(*keys) is not None}
    sigmoid = c.get("scoring_func", "score_function", "moe_router_activation_func") == "sigmoid"
    return found | ({"expert_gating_func": 2} if sigmoid else {})
