"""Quantisation recipes: the element type of each tensor, as llama.cpp's and Ollama's quantisers choose it."""

from gyakusan.core.recipe.choose import apply, types
from gyakusan.core.recipe.guess import guess
from gyakusan.core.recipe.kinds import converted, quantizable
from gyakusan.core.recipe.mixes import find_mix, mixed, people_names, sized
from gyakusan.core.recipe.names import FILE_TYPES, NEEDS_MATRIX, QUANTIZATIONS, canonical

__all__ = [
    "FILE_TYPES",
    "NEEDS_MATRIX",
    "QUANTIZATIONS",
    "apply",
    "canonical",
    "converted",
    "find_mix",
    "guess",
    "mixed",
    "people_names",
    "quantizable",
    "sized",
    "types",
]
