"""How far a load can grow on a machine before something does not fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

from msgspec import Struct, structs

from gyakusan.engines.deployment import Deployment

STEP = 256
"""Servers pad contexts to this; what ends a context, the training of a model, need not be a multiple of it [tokens]."""
UNSAID = 2**20
"""Longest context that is tried of a model that does not say how long it was trained for: about the most of others [tokens]."""
MOST_USERS = 1024


class Capacity(Struct, frozen=True):
    """How far a load can grow on a machine before the high end of its memory is over; 0 = not even the smallest fits.

    context: most tokens for each of the load's users [tokens]
    users: most users at the load's context
    trained: True if the context ends at what the model was trained for
    """

    context: int
    users: int
    trained: bool = False


def find_capacity(deployment: Deployment, longest: int | None = None) -> Capacity:
    """Return both limits of a deployment. Raises BadSetting.

    longest: context beyond which none is tried, None = the one that the model was trained for [tokens].
    Memory never shrinks when context or users grow. What fits at its best figure only holds its own load at least.
    """
    context, trained = longest_context(deployment, longest)
    users, load = most_users(deployment), deployment.load
    if (context < load.context or users < load.users) and deployment.ledger.fits:
        context = context if longest is not None else max(context, int(load.context))
        users = max(users, int(load.users))
    return Capacity(context, users, trained)


def grown(deployment: Deployment, most: Collection[str]) -> Deployment:
    """Return a deployment with the largest load that fits; as it is where nothing fits. Raises BadSetting.

    most: what may grow: "context", "users"
    """
    if "context" in most:
        context, _ = longest_context(deployment)
        deployment = deployment.at(structs.replace(deployment.load, context=context)) if context else deployment
    if "users" in most:
        users = most_users(deployment)
        deployment = deployment.at(structs.replace(deployment.load, users=users)) if users else deployment
    return deployment


def longest_context(deployment: Deployment, longest: int | None = None) -> tuple[int, bool]:
    """Return the most tokens for each of the load's users, 0 for none, and whether the training, or `longest`, ends them.

    Of a model that does not say how long it was trained for, the memory alone is the limit, up to `UNSAID`.
    """
    said = deployment.model.trained_context if longest is None else longest
    longest = said or UNSAID
    most = max(-(-longest // STEP), 1)

    def tokens(steps: int) -> int:
        return min(steps * STEP, longest)

    steps = largest(lambda n: deployment.at(structs.replace(deployment.load, context=tokens(n))).spare, most)
    return tokens(steps), bool(said) and steps == most


def most_users(deployment: Deployment) -> int:
    """Return the most users at the load's context, 0 if not even one fits."""
    return largest(lambda n: deployment.at(structs.replace(deployment.load, users=n)).spare, MOST_USERS)


def largest(headroom: Callable[[int], float], most: int) -> int:
    """Return the largest n <= most with headroom, 0 if none has it.

    Memory is nearly linear in n: the straight line between the bounds says where to look, and bisection where it is bent.
    """
    low, high, short = 1, most, headroom(most)
    if short >= 0:
        return most
    spare = headroom(low)
    if spare < 0:
        return 0
    straight = True
    while high - low > 1:
        middle = (low + high) // 2
        if straight and math.isfinite(spare):
            middle = min(max(low + int((high - low) * spare / (spare - short)), low + 1), high - 1)
        width, found = high - low, headroom(middle)
        low, high = (middle, high) if found >= 0 else (low, middle)
        spare, short = (found, short) if found >= 0 else (spare, found)
        straight = not straight or high - low <= width // 2
    return low
