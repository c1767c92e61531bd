"""A tag of Ollama's library -> Model, from the catalogue alone: the publisher's own mix, projector and prediction blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gyakusan.core import recipe
from gyakusan.core.model import Extra, Model, Stored, Tensor
from gyakusan.core.recipe.ollama import DEFAULT, apply_ollama
from gyakusan.models import families
from gyakusan.models.assemble import plain

if TYPE_CHECKING:
    from gyakusan.catalog.tags import Tag

TOKEN, PIECE = 40, 25
"""What one token of the vocabulary costs in a file's header: with merges, and without (Gemma). [B] Measured on files."""
_OLD = {"ffn_gate": "Q3_K", "ffn_up": "Q3_K"}
"""What llama.cpp's Q2_K of 2023 held in more bits than today's."""


def from_tag(tag: Tag, quantization: str | None = None) -> Model:
    """Return the model of a tag as Ollama publishes it, or at `quantization` by the same quantiser."""
    asked = recipe.canonical(quantization or tag.quantization)
    model = _mixed(_base(tag), asked, tag)
    usual = asked == recipe.canonical(tag.quantization)
    if tag.whole and usual:
        model = replace(model, tensors=tuple(_whole(t, tag.whole) for t in model.tensors))
    vision = 2 * tag.vision
    extras = (Extra("projector", vision),) if vision else ()
    token = PIECE if model.architecture.startswith("gemma") else TOKEN
    size = model.bytes + vision + token * model.vocabulary
    return replace(model, name=tag.name, source=f"ollama:{tag.name}", stored=Stored("gguf", size, extras=extras))


def _base(tag: Tag) -> Model:
    from gyakusan import catalog
    from gyakusan.catalog import tags

    base = tags.base(tag.model)
    model = families.unquantized(families.convert(base.config)) if base else plain(catalog.model(tag.model))
    if not tag.untied or not model.tied:
        return model
    table = next(t for t in model.tensors if t.name == "token_embd.weight")
    return replace(model, tensors=(*model.tensors, Tensor("output.weight", table.shape, table.type)))


def _mixed(model: Model, quantization: str, tag: Tag) -> Model:
    """Return the model by the quantiser that made it: what Ollama's cannot make was made by llama.cpp's."""
    if tag.by.startswith("ollama") and (quantization in DEFAULT or quantization == "MXFP4_MOE"):
        return apply_ollama(quantization, model, hybrids=tag.by == "ollama")
    made = recipe.apply(quantization, model)
    if tag.by == "llama.cpp 2023" and quantization == "Q2_K":
        return replace(made, tensors=tuple(_older(t) for t in made.tensors))
    return made


def _older(tensor: Tensor) -> Tensor:
    kind = tensor.name.split(".")[-2] if tensor.name.count(".") > 1 else ""
    return tensor.stored_as(_OLD.get(kind, tensor.type)) if tensor.type == "Q2_K" else tensor


def _whole(tensor: Tensor, kinds: tuple[str, ...]) -> Tensor:
    return tensor.stored_as("F16") if f".{tensor.name}".endswith(tuple(f".{k}.weight" for k in kinds)) else tensor
