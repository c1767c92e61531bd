"""One formula for one number and for a million: helpers that take ints or numpy arrays.

numpy is imported only when an argument is an array, so that a question about one model stays quick.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Number: TypeAlias = Any
"""A Python int (or float), or a numpy array of them; shapes broadcast."""


def is_array(*values: Number) -> bool:
    """True if any value is a numpy array."""
    return any(hasattr(v, "shape") for v in values)


def round_up(value: Number, step: int) -> Number:
    """`value` rounded up to a multiple of `step`, elementwise."""
    if step & (step - 1) == 0:
        return (value + (step - 1)) & -step
    return -(-value // step) * step


def ceil_div(value: Number, by: Number) -> Number:
    """`value / by`, rounded up to a whole number, elementwise."""
    return -(-value // by)


def minimum(*values: Number) -> Number:
    """The smallest, elementwise."""
    if not is_array(*values):
        return min(values)
    import numpy as np

    out = values[0]
    for value in values[1:]:
        out = np.minimum(out, value)
    return out


def maximum(*values: Number) -> Number:
    """The largest, elementwise."""
    if not is_array(*values):
        return max(values)
    import numpy as np

    out = values[0]
    for value in values[1:]:
        out = np.maximum(out, value)
    return out


def where(condition: Number, then: Number, otherwise: Number) -> Number:
    """`then` where the condition holds, else `otherwise`, elementwise."""
    if not is_array(condition, then, otherwise):
        return then if condition else otherwise
    import numpy as np

    return np.where(condition, then, otherwise)
