"""Estimate the parameters of a model's image encoder from its config.json, where no tensors were read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LIMIT = 2**24
"""No width, depth or number of positions of a real encoder reaches this."""


def parameters(config: Mapping[str, Any]) -> int:
    """Return the weights of the image encoder and its projector, 0 without a vision_config that says its widths [values].

    Layers of four square matrices and a feed-forward network, patches, positions, a projector to the language part:
    within 1 % of SigLIP in Gemma 3 and of Qwen3-VL's encoder.
    """
    vision = config.get("vision_config")
    if not isinstance(vision, Mapping):
        return 0
    width, wide = _number(vision, "hidden_size", "embed_dim", "width"), _number(vision, "intermediate_size")
    depth = _number(vision, "num_hidden_layers", "depth", "num_layers", "layers")
    if not (width and depth):
        return 0
    matrices = 3 if "gemma4" in str(vision.get("model_type")) else 2
    layer = 4 * width * width + matrices * width * (wide or 4 * width) + 13 * width + wide
    patch = (
        3 * _number(vision, "patch_size", default=14) ** 2 * _number(vision, "temporal_patch_size", default=1) * width
    )
    return depth * layer + patch + _positions(vision) * width + _projector(config, vision, width)


def _positions(vision: Mapping[str, Any]) -> int:
    """Return the number of positions that have an embedding of their own."""
    stated = _number(vision, "num_position_embeddings", "position_embedding_size")
    size, patch = _number(vision, "image_size"), _number(vision, "patch_size", default=14)
    return stated or (size // patch if patch else 0) ** 2


def _projector(config: Mapping[str, Any], vision: Mapping[str, Any], width: int) -> int:
    """Return the weights from the encoder's width to the language part's; merged patches have one hidden layer of their width."""
    text = config.get("text_config")
    out = _number(vision, "out_hidden_size") or (_number(text, "hidden_size") if isinstance(text, Mapping) else 0)
    merged = width * _number(vision, "spatial_merge_size", default=1) ** 2
    hidden = merged * merged if merged > width else 0
    deep = vision.get("deepstack_visual_indexes")
    mergers = 1 + (len(deep) if isinstance(deep, list) else 0)
    return mergers * (hidden + merged * out)


def _number(table: Mapping[str, Any], *names: str, default: int = 0) -> int:
    """Return the first whole number that an encoder can have, else the default."""
    stated = (table.get(n) for n in names)
    return next((v for v in stated if type(v) is int and 0 <= v < LIMIT), default)
