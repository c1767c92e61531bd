"""People who come when they like: how many conversations run at once, who waits, and what rate a server bears.

Requests arrive at random (Poisson) with `rate` [1/s]. A server computes prompts one after the other, `prefill` seconds each,
and between them one token for everybody who is being answered, in `step(n)` seconds for n of them. So the prompts take the
share rho = rate x prefill of its time, a token takes step(n) / (1 - rho), and n conversations end at the rate
n (1 - rho) / (answer x step(n)): processor sharing whose speed depends on the number, at most `slots` at once, the others
wait in turn. Its stationary distribution is that of the birth-death chain with these rates, whatever the distribution of the
answers' lengths while nobody waits (Cohen 1979, The multiple phase service network with generalized processor sharing, Acta
Informatica 12). With a constant step it is Erlang's M/M/c; its mean obeys Little's law, N = rate x time.
Every number may be an array; shapes broadcast.

Against a simulation of such a server (tests/core/test_queue.py), slots enough: running within 10 %,
time for each token within 10 %, first token within 25 %; `slots` were enough for 98 % of the time or more where prompts take
less than a third of it, for 92 % where they take half. It does not hold near saturation (waiting there depends on how
answers vary), for requests that come in bursts (everybody at nine o'clock), nor for prompts that share a cached prefix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, exp, log
from statistics import NormalDist

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import is_array, maximum, minimum, where
from gyakusan.core.roofline import SpeedConstants, first_token, later_token, open_loop

SLOT_CONFIDENCE = 0.99
"""Slots are enough if they are so for this share of the time."""
MAX_PREFILL_SHARE = 0.9
"""With more of its time on prompts a server is saturated: measured servers fall behind from there on (see open_loop)."""
EXACT_POISSON_MEAN = 200.0
"""Mean up to which a Poisson quantile is summed; above it the Cornish-Fisher expansion is right to less than one."""


@dataclass(frozen=True, slots=True)
class QueueEstimate:
    """A server under arrivals. running: conversations that are answered at once, their mean; busy: share of the time on

    prompts; waits: chance to find all slots taken; wait: for a slot, the mean [s]; first: to the first token, the mean,
    waiting included [s]; token: for each further token [s]; slots: so many are enough for ENOUGH of the time; highest:
    rate that it bears without saturation [1/s]; saturated: it falls ever further behind, and the other figures are those
    of all slots taken.
    """

    running: Number
    busy: Number
    waits: Number
    wait: Number
    first: Number
    token: Number
    slots: Number
    highest: Number
    saturated: Number


def estimate_queue(
    rate: Number, prefill: Number, step: Callable[[int], Number], answer: Number, slots: int, spread: Number = 1.0
) -> QueueEstimate:
    """What people meet. rate [1/s]; prefill [s]; step: of so many conversations [s]; answer [tokens]; slots: at most at once;

    spread: squared coefficient of variation of the prompts' time, 0 = all alike; 1 is core.roofline.open_loop. The wait for
    others' prompts is Pollaczek's and Khinchine's for one server, (1 + spread) / 2 of the exponential one.
    """
    top = saturation_rate(prefill, answer * step(slots), slots)
    over = rate >= top
    calm = where(over, top * (1 - 1e-6), rate)
    others, _, busy = open_loop(prefill, 1.0, calm)
    taken, running, below = _chain(calm, busy, step, answer, slots, _behind(busy, prefill, spread))
    full = calm * answer * step(slots) / (slots * (1 - busy))
    tail = taken / (1 - full)
    waits = tail / (1 - taken + tail)
    wait = waits * full / (1 - full) / maximum(calm, 1e-300)
    held = running * (1 - waits * full) + slots * waits * full
    token = held / maximum(calm, 1e-300) / answer
    alone = step(1) / (1 - busy)
    token = where(calm * answer * alone < 1e-9, alone, token)
    first = prefill + (others - prefill) * (1 + spread) / 2 + wait + where(held > 0.5, token * (1 - busy), 0.0)
    needed = held + maximum(0.0, _enough(below, waits, full, slots) - held) * _clumped(busy, spread) ** 0.5
    return QueueEstimate(held, busy, waits, wait, first, token, -(-needed // 1), top, over)


def saturation_rate(prefill: Number, work: Number, slots: Number) -> Number:
    """Rate at which a server is just saturated: all slots taken, or too much time on prompts. [1/s]

    work: of one answer while all slots are taken [s]. The rate of core.roofline.closed_loop with as many users.
    """
    return minimum(slots / (work + slots * prefill), MAX_PREFILL_SHARE / maximum(prefill, 1e-12))


def sustainable_rate(
    prefill: Number, work: Number, slots: int, spread: Number = 1.0, share: float = SLOT_CONFIDENCE
) -> Number:
    """Rate at which `slots` are enough for `share` of the time. [1/s] work: see `highest`, so it is on the careful side.

    The offered load m = rate x (work / (1 - rate x prefill) + what stands before the second token) is the mean of a
    Poisson number (Erlang, Palm: M/G/infinity), spread out by others' prompts (`_clumped`). By bisection: more requests
    never need fewer slots.
    """
    z, mean = NormalDist().inv_cdf(share), poisson_mean_for_slots(slots, share)
    room = mean + z * mean**0.5
    low, high = prefill * 0.0, 0.999 * saturation_rate(prefill, work, slots)
    for _ in range(36):
        middle = (low + high) / 2
        wide = _clumped(middle * prefill, spread)
        held = (((z * z * wide + 4 * room) ** 0.5 - z * wide**0.5) / 2) ** 2
        time = work / (1 - middle * prefill) + _behind(middle * prefill, prefill, spread)
        good = middle * time <= held
        low, high = where(good, middle, low), where(good, high, middle)
    return low


def _clumped(busy: Number, spread: Number) -> Number:
    """How much wider the number of conversations varies because everyone stands still during a prompt.

    Linear noise around the mean: an arrival adds one and holds up the others by its prompt, an end takes one away. Of the
    variance half comes from either; the first half grows by (1 + spread busy^2) / (1 - busy)^2.
    """
    return (1 + (1 + spread * busy**2) / (1 - busy) ** 2) / 2


def _behind(busy: Number, prefill: Number, spread: Number) -> Number:
    """Time that prompts take which came while one's own was computed: the queue left behind in M/G/1. [s]"""
    return (busy + busy**2 * (1 + spread) / (2 * (1 - busy))) * prefill / (1 - busy)


def poisson_quantile(mean: float, share: float = SLOT_CONFIDENCE) -> int:
    """The least number that a Poisson number of this mean exceeds with a chance of at most 1 - share."""
    if mean > EXACT_POISSON_MEAN:
        z = NormalDist().inv_cdf(share)
        most_of_it: float = mean + z * mean**0.5 + (z * z - 1) / 6
        return ceil(most_of_it - 0.5)
    chance = total = exp(-mean)
    number = 0
    while total < share and number < 4 * EXACT_POISSON_MEAN:
        number += 1
        chance *= mean / number
        total += chance
    return number


def poisson_mean_for_slots(slots: int, share: float = SLOT_CONFIDENCE) -> float:
    """The greatest mean for which so many slots are `enough`."""
    low, high = 0.0, float(slots) + 1
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if poisson_quantile(middle, share) <= slots else (low, middle)
    return low


def solo_prefill_and_step(
    first: Number, token: Number, users: int, answer: Number, k: SpeedConstants, serves: bool
) -> tuple[Number, Number]:
    """Back from what `users` meet to the server: time of one prompt alone, and of one step. [s]

    first, token: as core.roofline.first_token and later_token have them for these users; serves: others' prompts are computed
    between the steps, so that later_token was used. By bisection: the first token grows with the prompt's time.
    """
    low, high = first * 0.0, first * 1.0
    for _ in range(30):
        middle = (low + high) / 2
        late = (
            first_token(middle, users, step_without_prefills(token, middle, users, answer, k, serves), answer, k)
            > first
        )
        low, high = where(late, low, middle), where(late, middle, high)
    prefill = (low + high) / 2
    return prefill, step_without_prefills(token, prefill, users, answer, k, serves)


def step_without_prefills(
    token: Number, prefill: Number, users: int, answer: Number, k: SpeedConstants, serves: bool
) -> Number:
    """Time of one step, of what later_token makes of it with others' prompts. [s] See `alone`."""
    return maximum(token - later_token(0.0, prefill, users, answer, k), token * 1e-3) if serves and users > 1 else token


def _chain(
    rate: Number, busy: Number, step: Callable[[int], Number], answer: Number, slots: int, behind: Number
) -> tuple[Number, Number, list[Number]]:
    """The chain cut off at `slots`: chance of the last state, the mean, and log of the weight of all states up to each.

    Erlang's recursion for B with rates that depend on the state: no number of it overflows. behind: what
    stands before one's second token [s].
    """
    last: Number = 1.0 + rate * 0.0
    mean: Number = rate * 0.0
    weight: Number = rate * 0.0
    below = [weight]
    for number in range(1, slots + 1):
        late = behind if number < slots else 0.0
        load = rate * (answer * step(number) / (1 - busy) + late) / number * last
        last = load / (1 + load)
        mean = mean * (1 - last) + number * last
        weight = weight - _log(1 - last)
        below.append(weight)
    return last, mean, below


def _enough(below: list[Number], waits: Number, full: Number, slots: int) -> Number:
    """The least number of slots for ENOUGH of the time; beyond those that there are the tail is geometric."""
    whole = below[-1] - _log(1 - waits * full)
    number: Number = whole * 0
    for weight in below:
        number = number + where(weight - whole < log(SLOT_CONFIDENCE), 1, 0)
    late = number > slots
    further = _log(maximum(waits, 1e-300) * full / (1 - SLOT_CONFIDENCE)) / -_log(
        minimum(maximum(full, 1e-9), 1 - 1e-12)
    )
    return where(late, slots - (-maximum(0.0, further) // 1), number)


def _log(value: Number) -> Number:
    if not is_array(value):
        return log(value)
    import numpy as np

    return np.log(value)
