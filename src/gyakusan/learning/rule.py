"""How measurements of a device correct its built-in speeds: a normal-normal model of logarithms, with shrinkage.

The built-in 80 % interval [figure / f, figure * f] is a log-normal one with s = ln f / 1.2816. Its variance has three parts: what
all figures of the device have in common, what all loads of one model have in common, and what belongs to one load:

    s_d^2 = DEVICE s^2      s_m^2 = MODEL s^2      s_l^2 = (1 - DEVICE - MODEL) s^2

A cell is what all measurements of one setting say: x = ln (measured / predicted), with a variance v of its noise. The cells of
one model have the precision q = sum of 1 / (s_l^2 + v) and the mean y = sum of x / (s_l^2 + v) / q. With the trust t in
them, then

    device, of other models    P = 1 / s_d^2 + sum of t / (s_m^2 + 1 / q)      d = sum of t y / (s_m^2 + 1 / q) / P
    device and this model      Q = 1 / (1 / P + s_m^2) + t q                   ln m = (d / (1 / P + s_m^2) + t q y) / Q
    interval                   [m figure / f', m figure * f'] with ln f' = 1.2816 (1 / Q + s_l^2)^(1/2)

with q = 0 for a model that was not measured. A cell of another number of people has (DRIFT log2 of the ratio)^2 more in v.
Without a cell m = 1 and f' = f. Each further cell makes f' smaller. (Gelman et al., Bayesian Data Analysis, 3rd edition, sections
2.5 and 5.4.) Every figure may be an array; shapes broadcast.

What a first token waits for besides prompts and steps is a time, not a factor: the same for short and long prompts, normal
with mean 0 and `DELAY` before anything is measured.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable

from msgspec import Struct, structs

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import is_array

Z = 1.2815515655446004
"""Half of the width of a normal distribution's 80 % interval, in standard deviations."""
DEVICE = 0.75
"""Share of the variance that belongs to the device. Assumed."""
MODEL = 0.15
"""Share of the variance that belongs to a model on the device. Assumed."""
DRIFT = 0.12
"""How much the error of the built-in speeds differs between loads of n and 2 n people, as one standard deviation: the median
of 34 doublings of six quantisations on a CPU (processor time of an EPYC, 2026-11-29; other programs ran)."""
DELAY = 0.05
"""How long a server's programs may delay a first token, as one standard deviation. Assumed. [s]"""
RUN = 0.08
"""How much two runs of the same load differ on an idle computer, as one standard deviation. Assumed."""


class Cell(Struct, frozen=True):
    """What all measurements of one setting say.

    shift: mean of ln (measured / predicted), positive where the device is faster
    noise: variance of that mean
    trust: share of their weight that they have: 1 for our own
    users: people of the load, whom a load of as many is like most
    model: its name, "" = not known
    """

    shift: Number
    noise: float
    trust: float = 1.0
    users: int = 1
    model: str = ""


class Delay(Struct, frozen=True):
    """What one measurement says of the time that a first token waits for besides prompts and steps.

    seconds: measured less what follows from the speeds [s]
    noise: variance of it [s^2]
    trust: share of its weight that it has: 1 for our own
    """

    seconds: float
    noise: float
    trust: float = 1.0


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


def seen_from(cell: Cell, users: int) -> Cell:
    """Return a cell as it counts for a load of `users`: its variance grows with the doublings between the two loads."""
    doublings = math.log2(max(1, users) / max(1, cell.users))
    return structs.replace(cell, noise=cell.noise + (DRIFT * doublings) ** 2)


def never(model: str) -> Number:
    """Return 0: no cell is of the model that is asked about."""
    return 0.0


def corrected(factor: Number, cells: Iterable[Cell], same: Callable[[str], Number] = never) -> tuple[Number, Number]:
    """Return the multiplier of a figure, and the factor of its 80 % interval.

    factor: of the built-in interval; same: 1 for the name of the model that is asked about, 0 for others
    """
    models: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        models[cell.model].append(cell)
    if not models:
        return 1.0, factor
    whole = (log(factor) / Z) ** 2
    of_model, of_load = MODEL * whole, (1 - DEVICE - MODEL) * whole + 1e-12
    device: Number = 1 / (DEVICE * whole + 1e-12)
    pull: Number = 0.0
    own: Number = 0.0
    own_pull: Number = 0.0
    for name, some in models.items():
        trust = max(cell.trust for cell in some)
        weights = [cell.trust / trust / (of_load + cell.noise) for cell in some]
        precision = sum(weights)
        mean = sum(w * cell.shift for w, cell in zip(weights, some, strict=True)) / precision
        is_own = same(name)
        weight = trust * (1 - is_own) / (of_model + 1 / precision)
        device, pull = device + weight, pull + weight * mean
        own, own_pull = own + trust * is_own * precision, own_pull + trust * is_own * precision * mean
    before = 1 / (1 / device + of_model)
    known = before + own
    return exp((before * pull / device + own_pull) / known), exp(Z * (1 / known + of_load) ** 0.5)


def delay(told: Iterable[Delay]) -> float:
    """Return the time by which a first token comes later than prompts and steps say, shrunk towards 0 [s]."""
    weight, pull = 1 / DELAY**2, 0.0
    for one in told:
        weight, pull = weight + one.trust / one.noise, pull + one.trust * one.seconds / one.noise
    return pull / weight


def narrowed(factor: Number, before: Number, after: Number) -> Number:
    """Return the factor of an interval of a figure that follows from another one, whose factor went from before to after."""
    return exp(log(factor) * log(after) / log(before))
