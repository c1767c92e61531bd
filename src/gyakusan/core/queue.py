"""Randomly arriving requests: how many conversations run at once, who waits, and what rate servers sustain.

Requests arrive at random (Poisson) with `rate` [1/s]. A server computes prompts one after the other, `prefill` seconds each,
and between them one token for everybody who is being answered, in `step(n)` seconds for n of them. So the prompts take the
share rho = rate x prefill of its time, a token takes step(n) / (1 - rho), and n conversations end at the rate
n / (prefill + answer x step(n) / (1 - rho)): processor sharing whose speed depends on the number, at most `slots` at once, the
others wait in turn. Its stationary distribution is that of the birth-death chain with these rates, whatever the distribution
of the answers' lengths while nobody waits (Cohen 1979, The multiple phase service network with generalized processor sharing,
Acta Informatica 12). With a constant step it is Erlang's M/M/c; its mean obeys Little's law, N = rate x time.
Every number may be an array; shapes broadcast.

Several replicas are one queue over all their slots: a balancer that joins the shortest queue (fewest open requests) keeps
them even, so n conversations on R replicas are n / R on each, and nobody is held up by others' prompts while n <= R. One in
the balancer's queue waits for its own replica, not for the first that is free: fewer wait than Erlang's C says, and longer
(Gupta, Harchol-Balter, Sigman and Whitt 2007, Analysis of join-the-shortest-queue routing for web server farms, Performance
Evaluation 64). The exponents in `_waiting_share` and `estimate_queue` that say so were set against the simulation below.

Against a simulation of such servers (tests/core/test_queue.py), slots enough: running within 10 %,
time for each token within 10 %, first token within 25 %; `slots` were enough for 98 % of the time or more where prompts take
less than a third of it, for 92 % where they take half. It does not hold near saturation (waiting there depends on how
answers vary), for requests that come in bursts (everybody at nine o'clock), nor for prompts that share a cached prefix.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil, exp, log, sqrt

from msgspec import Struct

from gyakusan.core.arrays import BoolArray, Number
from gyakusan.core.broadcast import is_array, maximum, minimum, where
from gyakusan.core.roofline import SpeedConstants, first_token, later_token, open_loop

SLOT_CONFIDENCE = 0.99
"""Slots are enough if they are so for this share of the time."""
MAX_PREFILL_SHARE = 0.9
"""With more of its time on prompts a server is saturated: measured servers fall behind from there on (see open_loop)."""
NEVER = 1e-15
"""Chance of a state beyond which none is computed."""
EXACT_POISSON_MEAN = 200.0
"""Mean up to which a Poisson quantile is summed; above it the Cornish-Fisher expansion is right to less than one."""


class QueueEstimate(Struct, frozen=True):
    """Replicas of a server under random arrivals.

    running: conversations that hold a slot, in all replicas, their mean
    busy: share of the time on prompts
    working: share of the time in which a replica computes anything
    waits: probability that all slots are taken
    wait: mean time until a slot is free [s]
    first: mean time to first token, waiting included [s]
    token: time of each further token [s]
    slots: slots in all replicas that are enough for SLOT_CONFIDENCE of the time
    saturation_rate: rate above which the replicas are saturated [1/s]
    saturated: True if they fall ever further behind; the other figures are then those of all slots taken
    """

    running: Number
    busy: Number
    working: Number
    waits: Number
    wait: Number
    first: Number
    token: Number
    slots: Number
    saturation_rate: Number
    saturated: Number


def estimate_queue(
    rate: Number,
    prefill: Number,
    step: Callable[[float], Number],
    answer: Number,
    slots: int,
    spread: Number = 1.0,
    replicas: int = 1,
) -> QueueEstimate:
    """Return what users meet at a rate of requests.

    rate: of requests to all replicas [1/s]; prefill: time of one prompt [s]; step: time of a decode step of n conversations
    on one replica [s]; answer: output tokens [tokens]; slots: conversations at once at most, of one replica; spread: squared
    coefficient of variation of the prompts' time, 0 = all alike, 1 = core.roofline.open_loop. The wait for others' prompts
    is that of M/G/1, (1 + spread) / 2 of the exponential one (Pollaczek and Khinchine; Kleinrock 1975, Queueing Systems 1,
    section 5.6), and only half of it where the balancer deals requests to many replicas in turn (Kingman 1961).
    """
    turn = _turn(prefill, answer * step(slots), slots)
    top = replicas * saturation_rate(prefill, answer * step(slots), slots)
    over = rate >= top
    calm = where(over, top * (1 - 1e-6), rate)
    others, _, busy = open_loop(prefill, 1.0, calm / replicas)
    chain = _birth_death_chain(calm, prefill, busy, step, answer, slots, replicas, spread)
    full = calm / replicas * turn
    waits = _waiting_share(chain.taken, full, slots, replicas)
    mean = chain.running * (1 - waits * full) + slots * replicas * waits * full
    whole = chain.below[-1] - _log(1 - waits * full)
    below = [_exp(weight - whole) for weight in chain.below[:replicas]]
    token = maximum(mean / maximum(calm, 1e-300) - prefill, 0.0) / answer
    token = where(calm * (prefill + answer * step(1)) < 1e-9, step(1) / (1 - busy), token)
    wait = waits * turn / (1 - full**replicas)
    crowded = 1 - below[-1] if len(below) == replicas else 0.0
    dealt = 1.0 if replicas == 1 else (1 + 1 / replicas) / 2 * crowded
    first = prefill + (others - prefill) * (1 + spread) / 2 * dealt + wait + step(1) / 2 * crowded
    inflation = _variance_inflation(busy, spread) if slots > 1 else 1.0
    needed = mean + maximum(0.0, _slots_needed(chain.below, waits, full, slots * replicas) - mean) * inflation**0.5
    working = sum(1 - share for share in below) / replicas
    return QueueEstimate(mean, busy, working, waits, wait, first, token, -(-needed // 1), top, over)


def saturation_rate(prefill: Number, work: Number, slots: Number) -> Number:
    """Return the rate at which a server is just saturated: all slots taken, or too much time on prompts [1/s].

    prefill: time of one prompt [s]; work: time of one answer while all slots are taken [s]. With all slots taken it is the
    rate of core.roofline.closed_loop with as many users.
    """
    return minimum(1 / _turn(prefill, work, slots), MAX_PREFILL_SHARE / maximum(prefill, 1e-12))


def _turn(prefill: Number, work: Number, slots: Number) -> Number:
    """Return the time between two answers of one server whose slots are all taken [s]."""
    return work / slots + prefill


def sustainable_rate(
    prefill: Number,
    work: Number,
    slots: int,
    spread: Number = 1.0,
    share: float = SLOT_CONFIDENCE,
    replicas: int = 1,
) -> Number:
    """Return the rate at which the slots of all replicas are enough for `share` of the time [1/s].

    prefill, work: see `saturation_rate`, so it is on the careful side; spread: see `estimate_queue`. By bisection: more
    requests never need fewer slots.
    """
    room = _slot_room(slots * replicas, share)
    low, high = prefill * 0.0, 0.999 * replicas * saturation_rate(prefill, work, slots)
    for _ in range(36):
        middle = (low + high) / 2
        good = _sustained(middle, prefill, work, slots, spread, share, replicas, room)
        low, high = where(good, middle, low), where(good, high, middle)
    return low


def replicas_needed(
    rate: float, prefill: Number, work: Number, slots: int, most: int, share: float = SLOT_CONFIDENCE
) -> Number:
    """Return the fewest replicas whose slots together are enough for `share` of the time, most + 1 if `most` are too few.

    rate: of all requests [1/s]; prefill, work, slots: of one replica, see `sustainable_rate`. By bisection: more replicas
    never sustain less.
    """
    low, high = prefill * 0, prefill * 0 + most + 1
    for _ in range((most + 1).bit_length()):
        middle = (low + high) // 2
        room = _slot_rooms(middle * slots, share)
        good = _sustained(rate, prefill, work, slots, 1.0, share, maximum(middle, 1), room)
        good = good & (rate < 0.999 * middle * saturation_rate(prefill, work, slots))
        low, high = where(good, low, middle), where(good, middle, high)
    return high


def _sustained(
    rate: Number,
    prefill: Number,
    work: Number,
    slots: int,
    spread: Number,
    share: float,
    replicas: Number,
    room: Number,
) -> BoolArray | bool:
    """Return True if the slots of all replicas are enough for this rate.

    The offered load m = rate x (prefill + work / (1 - rate x prefill) + what stands before the second token) is the mean of
    a Poisson number (Erlang, Palm: M/G/infinity), spread out by others' prompts (`_variance_inflation`). One slot meets no
    others. room: see `_slot_room`
    """
    z, busy = _normal_quantile(share), minimum(rate / replicas * prefill, 0.99)
    inflation, time = prefill * 0 + 1.0, prefill + work
    if slots > 1:
        inflation = _variance_inflation(busy, spread)
        time = prefill + work / (1 - busy) + _prefill_backlog_wait(busy, prefill, spread) / replicas
    sustained = (((z * z * inflation + 4 * room) ** 0.5 - z * inflation**0.5) / 2) ** 2
    return rate * time <= sustained


@lru_cache(maxsize=4096)
def _slot_room(slots: int, share: float) -> float:
    """Return the mean of the greatest Poisson number for these slots, and its z standard deviations."""
    mean = poisson_mean_for_slots(slots, share)
    return mean + _normal_quantile(share) * sqrt(mean)


def _normal_quantile(share: float) -> float:
    """Return the quantile of the standard normal distribution."""
    from statistics import NormalDist  # takes 10 ms to import, and most questions have no queue

    return NormalDist().inv_cdf(share)


def _slot_rooms(slots: Number, share: float) -> Number:
    """Return `_slot_room` for each of many numbers of slots."""
    if not is_array(slots):
        return _slot_room(int(slots), share)
    import numpy as np

    values, places = np.unique(slots, return_inverse=True)
    return np.array([_slot_room(int(v), share) for v in values.tolist()], float)[places]


def _variance_inflation(busy: Number, spread: Number) -> Number:
    """Return how many times larger the variance of conversations is because all stand still during a prompt.

    Linear noise around the mean: an arrival adds one and holds up the others by its prompt, an end takes one away. Of the
    variance half comes from either; the first half grows by (1 + spread busy^2) / (1 - busy)^2.
    """
    return (1 + (1 + spread * busy**2) / (1 - busy) ** 2) / 2


def _prefill_backlog_wait(busy: Number, prefill: Number, spread: Number) -> Number:
    """Return the time of prompts that came while one's own was computed: the queue left behind in M/G/1 [s]."""
    return (busy + busy**2 * (1 + spread) / (2 * (1 - busy))) * prefill / (1 - busy)


def poisson_quantile(mean: float, share: float = SLOT_CONFIDENCE) -> int:
    """Return the Poisson quantile: the smallest n with P(N > n) <= 1 - share.

    mean: of N. Above EXACT_POISSON_MEAN by the expansion of Cornish and Fisher 1938, "Moments and cumulants in the
    specification of distributions".
    """
    if mean > EXACT_POISSON_MEAN:
        z = _normal_quantile(share)
        quantile: float = mean + z * mean**0.5 + (z * z - 1) / 6
        return ceil(quantile - 0.5)
    chance = total = exp(-mean)
    number = 0
    while total < share and number < 4 * EXACT_POISSON_MEAN:
        number += 1
        chance *= mean / number
        total += chance
    return number


def poisson_mean_for_slots(slots: int, share: float = SLOT_CONFIDENCE) -> float:
    """Return the greatest mean of a Poisson number whose quantile is at most `slots`: the inverse of `poisson_quantile`."""
    low, high = 0.0, float(slots) + 1
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if poisson_quantile(middle, share) <= slots else (low, middle)
    return low


def solo_prefill_and_step(
    first: Number,
    token: Number,
    users: int,
    answer: Number,
    k: SpeedConstants,
    interleaved: bool,
    prompt: Number = 0.0,
) -> tuple[Number, Number]:
    """Return the time of one prompt alone and of one decode step, from what `users` meet [s].

    first, token: as core.roofline.first_token and later_token give them for these users [s]; answer: output tokens [tokens];
    interleaved: True if others' prompts are computed between the steps, so that later_token was used; prompt: its
    length, 0 = not known [tokens]. By bisection: the first token grows with the prompt's time.
    """
    low, high = first * 0.0, first * 1.0
    for _ in range(30):
        middle = (low + high) / 2
        step = step_without_prefills(token, middle, users, answer, k, interleaved)
        late = first_token(middle, users, step, answer, k, prompt) > first
        low, high = where(late, low, middle), where(late, middle, high)
    prefill = (low + high) / 2
    return prefill, step_without_prefills(token, prefill, users, answer, k, interleaved)


def step_without_prefills(
    token: Number, prefill: Number, users: int, answer: Number, k: SpeedConstants, interleaved: bool
) -> Number:
    """Return the time of a decode step without the other users' prefill [s]: the inverse of `roofline.later_token`.

    Arguments as in `solo_prefill_and_step`.
    """
    if not interleaved or users <= 1:
        return token
    return maximum(token - later_token(0.0, prefill, users, answer, k), token * 1e-3)


class _Chain(Struct, frozen=True):
    """The conversations of all replicas, cut off where all slots are taken.

    taken: chance of the last state
    running: mean
    below: log of the weight of all states up to each; what never happens is left out
    """

    taken: Number
    running: Number
    below: list[Number]


def _birth_death_chain(
    rate: Number,
    prefill: Number,
    busy: Number,
    step: Callable[[float], Number],
    answer: Number,
    slots: int,
    replicas: int,
    spread: Number,
) -> _Chain:
    """Return the chain of `estimate_queue`; busy: share of a replica's time on prompts.

    Erlang's recursion for B with rates that depend on the state: no number of it overflows.
    """
    last: Number = 1.0 + rate * 0.0
    mean: Number = rate * 0.0
    weight: Number = rate * 0.0
    below = [weight]
    backlog = _prefill_backlog_wait(busy, prefill, spread) / replicas
    for number in range(1, slots * replicas + 1):
        if number <= replicas:
            time = prefill + answer * step(1)
        else:
            time = prefill + answer * step(number / replicas) / (1 - busy) + backlog
        load = rate * time / number * last
        last = load / (1 + load)
        mean = mean * (1 - last) + number * last
        weight = weight - _log(1 - last)
        below.append(weight)
        if not is_array(last) and last < NEVER and number > mean:
            return _Chain(0.0, mean, below)
    return _Chain(last, mean, below)


def _waiting_share(taken: Number, full: Number, slots: int, replicas: int) -> Number:
    """Return the probability that all slots are taken: for one replica from the chance of loss as Erlang's C from B.

    taken: chance of the last state of the chain that is cut off; full: load over what the slots serve. (Cooper 1981,
    Introduction to Queueing Theory.) Replicas with queues of their own end those queues sooner than one would.
    """
    tail = taken / (1 - full) ** (1 - (1 - 1 / replicas) / (2 * slots))
    return tail / (1 - taken + tail)


def _slots_needed(below: list[Number], waits: Number, full: Number, slots: int) -> Number:
    """Return the least number of slots for SLOT_CONFIDENCE of the time; beyond those that there are the tail is geometric."""
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


def _exp(value: Number) -> Number:
    if not is_array(value):
        return exp(value)
    import numpy as np

    return np.exp(value)
