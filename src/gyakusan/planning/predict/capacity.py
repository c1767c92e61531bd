"""How far a load can grow on a machine before something does not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load

STEP = 256
"""Contexts are padded to this. [tokens]"""
MOST_USERS = 1024

Price = Callable[[Load], Ledger]
"""A load -> its ledger, with everything else fixed."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """context: most tokens for each of the users asked for [tokens]; users: most users at the context asked for.

    0 = not even the smallest fits. trained: the context is bound by what the model was trained for.
    """

    context: int
    users: int
    trained: bool = False


def find_capacity(price: Price, load: Load, trained_context: int) -> Capacity:
    """Both limits, by bisection: memory never shrinks when context or users grow."""
    most = max(trained_context // STEP, 1)
    steps = _largest(lambda n: price(replace(load, context=n * STEP)).fits, most)
    users = _largest(lambda n: price(replace(load, users=n)).fits, MOST_USERS)
    return Capacity(steps * STEP, users, steps == most)


def _largest(fits: Callable[[int], bool], most: int) -> int:
    """The largest n <= most that fits, 0 if none does."""
    if fits(most):
        return most
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
