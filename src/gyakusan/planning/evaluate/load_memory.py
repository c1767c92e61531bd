"""What the load takes beside the weights, for every model: one value, whoever works it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Array = Any


@dataclass(frozen=True, slots=True)
class LoadMemory:
    """kept: by conversations, fixed: scratch and overhead, on one device [B], (counts or 1, contexts, models).

    kept is infinite where the engine refuses. ranks: devices that share each layer, (counts, 1, models), 1 where none do.
    """

    kept: Array
    fixed: Array
    ranks: Array = 1
