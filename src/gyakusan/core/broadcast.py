"""Elementwise arithmetic on Python numbers and numpy arrays alike: one formula for one number and for a million.

numpy is imported only where an argument is an array, so that a question about one model never loads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast, overload

from gyakusan.core.arrays import Number

if TYPE_CHECKING:
    from gyakusan.core.arrays import FloatArray, IntArray, Ints


def is_array(*values: object) -> bool:
    """Return True if any value is a numpy array."""
    for value in values:  # noqa: SIM110 - a sweep asks a hundred thousand times, and a generator takes twice as long
        if hasattr(value, "shape"):
            return True
    return False


def distinct(places: IntArray) -> IntArray:
    """Return each of some whole numbers >= 0 once, in order. numpy.unique would import numpy.ma, which takes 15 ms."""
    import numpy as np

    return np.flatnonzero(np.bincount(places.ravel()))


def median(values: FloatArray | IntArray) -> float:
    """Return the median of some numbers, at least one; without numpy.ma, as `distinct`."""
    middle: list[float] = sorted(values.tolist())[(len(values) - 1) // 2 : len(values) // 2 + 1]
    return sum(middle) / len(middle)


@overload
def round_up(value: int, step: int) -> int: ...
@overload
def round_up(value: Number, step: int) -> Number: ...
def round_up(value: Number, step: int) -> Number:
    """Return `value` rounded up to a multiple of `step`, elementwise. Whole numbers only if `step` is a power of two."""
    if step & (step - 1) == 0:
        return (cast("Ints", value) + (step - 1)) & -step
    return -(-value // step) * step


@overload
def ceil_div(value: int, by: int) -> int: ...
@overload
def ceil_div(value: Number, by: Number) -> Number: ...
def ceil_div(value: Number, by: Number) -> Number:
    """Return `value / by` rounded up to a whole number, elementwise."""
    return -(-value // by)


@overload
def minimum(*values: int) -> int: ...
@overload
def minimum(*values: float) -> float: ...
@overload
def minimum(*values: Number) -> Number: ...
def minimum(*values: Number) -> Number:
    """Return the smallest of the values, elementwise."""
    if not is_array(*values):
        return min(values)
    import numpy as np

    out = values[0]
    for value in values[1:]:
        out = np.minimum(out, value)
    return out


@overload
def maximum(*values: int) -> int: ...
@overload
def maximum(*values: float) -> float: ...
@overload
def maximum(*values: Number) -> Number: ...
def maximum(*values: Number) -> Number:
    """Return the largest of the values, elementwise."""
    if not is_array(*values):
        return max(values)
    import numpy as np

    out = values[0]
    for value in values[1:]:
        out = np.maximum(out, value)
    return out


@overload
def where(condition: bool, then: int, otherwise: int) -> int: ...
@overload
def where(condition: object, then: Number, otherwise: Number) -> Number: ...
def where(condition: object, then: Number, otherwise: Number) -> Number:
    """Return `then` where the condition holds, else `otherwise`, elementwise."""
    if not is_array(condition, then, otherwise):
        return then if condition else otherwise
    import numpy as np

    return cast("Number", np.where(cast("bool", condition), then, otherwise))
