"""Families whose windows we know from llama.cpp's source, but not their tensors; no file was measured.

Source: llama.cpp b11434, src/models/ (a file for each).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gyakusan.core.model import Memory, Tensor
from gyakusan.errors import Unsupported
from gyakusan.models.families import layers
from gyakusan.models.families.metadata import Metadata
from gyakusan.models.families.parts import Block


class Window(NamedTuple):
    """Rule of a family's sliding windows.

    period: layers from one full layer to the next, None if the file says
    default: window if the file does not say, 0 = full attention [tokens]
    fixed: window whatever the file says, 0 = as it says [tokens]
    dense_first: True if the first layer of each period is full
    """

    period: int | None
    default: int = 0
    fixed: int = 0
    dense_first: bool = False


WINDOWS = {
    "mellum": Window(4),
    "muse-glimmer": Window(4),
    "smallthinker": Window(4, fixed=4096, dense_first=True),
    "granite-swa": Window(None),
    "spark2-5": Window(None),
    "maple": Window(None),
}
ARCHITECTURES = tuple(WINDOWS)
MODEL_TYPES: dict[str, str] = {}


def memory(m: Metadata) -> tuple[Memory, ...]:
    """Return the groups of layers that have a cache or a state. Attention, with a window where the pattern says so."""
    w = WINDOWS[m.architecture]
    window = m.number("attention.sliding_window", w.default)
    if not window:
        return layers.attention(m, range(layers.loaded(m)))
    return layers.windowed(m, layers.pattern(m, w.period, dense_first=w.dense_first), w.fixed or window)


def block(b: Block) -> Iterator[Tensor]:
    """Raise Unsupported: the tensors of these families are unknown."""
    raise Unsupported(
        "The tensors of {name} are not known.", name=b.m.architecture, mend="Give a GGUF file of the model instead."
    )
