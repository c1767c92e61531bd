"""An Ollama tag, in its store or its registry -> Model. Its projector and adapters are the model's extras."""

from __future__ import annotations

from dataclasses import replace

from gyakusan.core.model import Extra, Model, Stored, Tensor
from gyakusan.errors import Malformed, Unsupported
from gyakusan.models.assemble import from_config, from_gguf
from gyakusan.models.sources.ollama import LONGEST, Layer, Manifest

EYES = ("v.", "a.", "mm.")
"""First letters of tensors for images and sound, which Ollama writes into the same file."""


def from_manifest(manifest: Manifest) -> Model:
    """Return the model of a tag. Raises BadModel, BadReference, SourceError."""
    found = manifest.of("model")
    if not found:
        return _tensors(manifest)
    where = manifest.where(found[0])
    model = from_gguf(where, remote=manifest.store is None, opener=lambda _: manifest.open(found[0]))
    eyes = tuple(t for t in model.tensors if t.name.startswith(EYES))
    inside = (Extra("projector", sum(t.bytes for t in eyes)),) if eyes else ()
    return replace(
        model,
        name=str(manifest.name),
        source=where,
        tensors=tuple(t for t in model.tensors if t not in set(eyes)) if eyes else model.tensors,
        stored=Stored("gguf", sum(layer.size for layer in found), extras=(*inside, *_extras(manifest))),
    )


def _extras(manifest: Manifest) -> tuple[Extra, ...]:
    projectors = [Extra("projector", layer.size, manifest.where(layer)) for layer in manifest.of("projector")]
    adapters = [Extra("adapter", layer.size, manifest.where(layer)) for layer in manifest.of("adapter")]
    return (*projectors, *adapters)


def _tensors(manifest: Manifest) -> Model:
    """Return a model stored tensor by tensor, with its config.json: each layer is a safetensors file of its own."""
    from gyakusan.models.formats import json_text
    from gyakusan.models.formats.safetensors import Header

    layers = manifest.of("tensor")
    config = next((layer for layer in manifest.of("json") if layer.name == "config.json"), None)
    if not layers or config is None:
        raise Unsupported(
            "{name} has no model that runs here.", name=str(manifest.name),
            mend="Ollama's cloud tags have no weights: choose another tag.",
        )  # fmt: skip
    if config.size > LONGEST:
        raise Malformed("config.json of {name} is too large.", name=str(manifest.name), mend="Download it again.")
    with manifest.open(config) as source:
        read = json_text.loads(source.read(0, config.size), "config.json")
    if not isinstance(read, dict):
        raise Malformed("config.json of {name} is not an object.", name=str(manifest.name), mend="Download it again.")
    heads = _heads(manifest, layers) if manifest.store is not None else ()
    size = sum(layer.size for layer in layers)
    head = Header(str(manifest.name), {}, heads, 0, size, ())
    found = from_config(read, head, name=str(manifest.name), source=f"ollama:{manifest.name}")
    return replace(found, stored=replace(found.stored, extras=_extras(manifest))) if found.stored else found


def _heads(manifest: Manifest, layers: tuple[Layer, ...]) -> tuple[Tensor, ...]:
    """Return names, shapes and types of tensors; read only in the store of this computer, where it costs nothing."""
    from gyakusan.models.formats import safetensors

    found: list[Tensor] = []
    totals = safetensors.Totals()
    for layer in layers:
        with manifest.open(layer) as source:
            found.extend(safetensors.read(source, totals).tensors)
    return tuple(found)
