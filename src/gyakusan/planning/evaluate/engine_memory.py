"""Memory of candidates: the weights of a layout, and the sum on the fullest device. Arrays broadcast."""

from __future__ import annotations

import numpy as np

from gyakusan.core.arrays import FloatArray, IntArray, Ints, Number
from gyakusan.core.broadcast import ceil_div, is_array
from gyakusan.core.machine import Machine
from gyakusan.engines.registry import engine
from gyakusan.planning.candidates.model_table import VariantTable


def weight_bytes(name: str, table: VariantTable, rows: Ints, ranks: Ints, machine: Machine) -> IntArray:
    """Return the weights of some rows on one device under an engine [B].

    ranks: devices that share each layer, 1 or (..., rows). More of them than the table has layouts hold their part of the
    last layout: what each holds whole (norms, routers) is little, and the plan is checked with the ledger.
    """
    layout = engine(name).weight_layout(machine, ranks)
    layouts = table.shares.shape[1]
    found: IntArray = table.shares[rows, np.minimum(layout, layouts - 1)]
    beyond: IntArray = found * layouts // np.maximum(layout + 1, layouts)
    return beyond


def fullest_device(
    weights: Number, conversations: Number, fixed: Number, blocks: Ints, split: Ints
) -> Number | FloatArray:
    """Return what the fullest device takes [B].

    split: devices that hold some layers each. Exact for one device and for devices that share each layer. Where blocks are
    dealt out, the fullest card has the rounded-up share of them; the plan is checked with the ledger.
    """
    if not is_array(split) and split == 1:
        return weights + conversations + fixed
    share = ceil_div(blocks + 1, split) / (blocks + 1)
    return (weights + conversations) * share + fixed
