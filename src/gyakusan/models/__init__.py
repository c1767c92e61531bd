"""A reference -> Model: a file, a directory, an address, or a name of the catalogue."""

from gyakusan.models.reference import Reference, load, quantizations, resolve

__all__ = ["Reference", "load", "quantizations", "resolve"]
