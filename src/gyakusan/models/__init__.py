"""A reference (file, directory, address, repository, tag or catalogue name) -> Model."""

from gyakusan.models.reference import Reference, load, published_quantization, quantizations, resolve

__all__ = ["Reference", "load", "published_quantization", "quantizations", "resolve"]
