"""Types of numbers and numpy arrays.

numpy is imported by type checkers only, so that a question about one model never loads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]
    IntArray: TypeAlias = NDArray[np.int64]
    FloatArray: TypeAlias = NDArray[np.float64]
    BoolArray: TypeAlias = NDArray[np.bool_]
    Ints: TypeAlias = int | IntArray
    Floats: TypeAlias = float | IntArray | FloatArray
    Number: TypeAlias = int | float | NDArray[Any]
    Truth: TypeAlias = bool | BoolArray
else:
    Array = IntArray = FloatArray = BoolArray = object
    Ints = int
    Floats = float
    Number = Any  # get_type_hints of a Settings finds this: engines read it as "a whole number, or an array of them"
    Truth = bool
