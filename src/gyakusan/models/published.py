"""A model as a published GGUF file holds it: the recipe of its tag, moved to the size of the file where that is known.

A file is longer than its tensors by its header, most of which is the tokenizer: 24 to 66 bytes for each token of the
vocabulary in 60 files whose tensors are known to be those of the recipe (2026-11).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gyakusan.catalog.artifacts import best
from gyakusan.core import recipe

if TYPE_CHECKING:
    from gyakusan.catalog.artifacts import Artifact
    from gyakusan.core.model import Model

HEADER = 44
"""Bytes of a file's header for each token of the vocabulary [B]."""
NEAR = 0.003
"""A recipe that is so near to a file is its recipe: headers differ by as much in small models [fraction]."""
ROUNDED = 54_000_000
"""What a size in GiB with one decimal leaves open [B]."""


def at_tag(model: Model, tag: str) -> Model:
    """Return an unquantised model of the catalogue as the best published file with this tag holds it.

    The recipe alone where no file is known, or no size. Raises UnknownName, BadSetting.
    """
    made = recipe.apply(tag, model)
    artifact = best(model.catalogue_name, tag) if model.catalogue_name else None
    return made if artifact is None else sized_as(made, artifact)


def sized_as(model: Model, artifact: Artifact) -> Model:
    """Return a quantised model with the bytes of a published file, as nearly as whole tensors can."""
    if artifact.bytes is None:
        return model
    target = artifact.bytes - HEADER * _vocabulary(model)
    open_ = max(ROUNDED if artifact.rounded else 0, NEAR * target)
    if abs(target - model.bytes) <= open_:
        return model
    return replace(recipe.sized(model, target), quantization=model.quantization)


def _vocabulary(model: Model) -> int:
    return next((t.shape[-1] for t in model.tensors if t.name == "token_embd.weight"), 0)
