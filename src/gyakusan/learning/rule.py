"""How measurements of a device correct its built-in speeds: a normal-normal model of logarithms, with shrinkage.

The built-in 80 % interval [figure / f, figure * f] is a log-normal one with s = ln f / 1.2816. A part of its variance, `DEVICE`,
belongs to the device and is the same in all its figures; the rest, `1 - DEVICE`, belongs to a model and a load, and no
measurement of another one tells it:

    s_d^2 = DEVICE s^2        s_r^2 = (1 - DEVICE) s^2

A cell is what all measurements of one setting say: x = ln (measured / predicted), with a variance v of its noise. Then

    precision of a cell  p = trust / (s_r^2 + v)
    correction           ln m = sum p x / (1 / s_d^2 + sum p)
    what remains         s'^2 = 1 / (1 / s_d^2 + sum p) + s_r^2
    interval             [m figure / f', m figure * f'] with ln f' = 1.2816 s'

A cell of another number of people has (DRIFT log2 of the ratio)^2 more in v. Without a cell m = 1 and f' = f. Each further
cell makes f' smaller, down to ln f' = sqrt(1 - DEVICE) ln f and no further. (Gelman et al., Bayesian Data Analysis, 3rd
edition, section 2.5.) Every figure may be an array; shapes broadcast.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec import Struct, structs

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import is_array

Z = 1.2815515655446004
"""Half of the width of a normal distribution's 80 % interval, in standard deviations."""
DEVICE = 0.75
"""Share of the variance that belongs to the device. Assumed: at most, intervals become half as wide."""
DRIFT = 0.08
"""How much the error of the built-in speeds differs between loads of n and 2 n people, as one standard deviation. Assumed."""
PROMPT_DRIFT = 0.5
"""The same for times to the first token of prompts of n and 2 n tokens: a fixed part counts less in a longer one. Assumed."""
RUN = 0.08
"""How much two runs of the same load differ on an idle computer, as one standard deviation. Assumed."""


class Cell(Struct, frozen=True):
    """What all measurements of one setting say.

    shift: mean of ln (measured / predicted), positive where the device is faster
    noise: variance of that mean
    trust: share of their weight that they have: 1 for our own
    prompts: share of prompts in a time to the first token, as it is built in
    users: people of the load, whom a load of as many is like most
    prompt: its length, 0 = not known [tokens]
    """

    shift: Number
    noise: float
    trust: float = 1.0
    prompts: float = 1.0
    users: int = 1
    prompt: float = 0.0


def log(value: Number) -> Number:
    """Return the natural logarithm, elementwise."""
    if not is_array(value):
        return math.log(value)
    import numpy as np

    return np.asarray(np.log(value))


def exp(value: Number) -> Number:
    """Return e to the power of a value, elementwise."""
    if not is_array(value):
        return math.exp(value)
    import numpy as np

    return np.asarray(np.exp(value))


def noise(scatter: float, busy: float) -> float:
    """Return the variance of one measurement's logarithm.

    scatter: standard error of it over the figure; busy: cores that others kept busy, over all cores
    """
    return float(RUN**2 + scatter**2 + math.log1p(max(0.0, busy)) ** 2)


def seen_from(cell: Cell, users: int, prompt: float = 0.0) -> Cell:
    """Return a cell as it counts for a load of `users`: its variance grows with the doublings between the two loads.

    prompt: of the load, for a time to the first token, 0 = it does not matter [tokens]
    """
    doublings = math.log2(max(1, users) / max(1, cell.users))
    longer = math.log2(prompt / cell.prompt) if prompt and cell.prompt else 0.0
    return structs.replace(cell, noise=cell.noise + (DRIFT * doublings) ** 2 + (PROMPT_DRIFT * longer) ** 2)


def corrected(factor: Number, cells: Iterable[Cell]) -> tuple[Number, Number]:
    """Return the multiplier of a figure, and the factor of its 80 % interval.

    factor: of the built-in interval
    """
    whole = (log(factor) / Z) ** 2
    rest = (1 - DEVICE) * whole + 1e-12
    weight: Number = 1 / (DEVICE * whole + 1e-12)
    pull: Number = 0.0
    found = False
    for cell in cells:
        precision = cell.trust / (rest + cell.noise)
        weight, pull, found = weight + precision, pull + precision * cell.shift, True
    if not found:
        return 1.0, factor
    return exp(pull / weight), exp(Z * (1 / weight + rest) ** 0.5)


def narrowed(factor: Number, before: Number, after: Number) -> Number:
    """Return the factor of an interval of a figure that follows from another one, whose factor went from before to after."""
    return exp(log(factor) * log(after) / log(before))
