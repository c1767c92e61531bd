"""How fast each node answers how many people with a model, from sweeps alone: which sets of copies can be enough.

A sweep gives speeds without the engine's own ledger. It is asked at 1, 2, 3, 4, 6, 8 ... people; between two of them the
speed is taken as a power of their number. Copies that seem enough are then planned in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

import numpy as np
from msgspec import Struct, structs

from gyakusan.planning.candidates import model_table
from gyakusan.planning.nodes.answers import plain, swept
from gyakusan.planning.nodes.node import Node
from gyakusan.planning.request.pace import longest_wait
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.request.request_rate import slots_for_rate

SLACK = 1.15
"""A bound may be this much too low before a set is dropped: a ledger and a sweep differ by less."""
HALVINGS = 24
"""Of the interval in which the speed of the slowest is looked for."""


class Curve(Struct, frozen=True):
    """The speed of a model on one node over the number of people.

    users: at which it is known, rising
    visible_tokens_per_s: speed of each of them, falling; 0 = it does not run [tokens/s]
    """

    users: tuple[int, ...]
    visible_tokens_per_s: tuple[float, ...]

    def most(self, speed: float, *, hopeful: bool = False) -> float:
        """Return how many people have at least this speed; 0 for none.

        hopeful: where it runs for some and no longer for the next known number, count up to that number
        """
        found = 0
        for place, (people, has) in enumerate(zip(self.users, self.visible_tokens_per_s, strict=True)):
            if has <= 0:
                return float(people - 1) if hopeful and place else float(found)
            if has < speed:
                return self._between(place, speed) if place else 0.0
            found = people
        return float(found)

    def _between(self, place: int, speed: float) -> float:
        """Return how many people have a speed between that of a known number and of the one before it."""
        before, faster = self.users[place - 1], self.visible_tokens_per_s[place - 1]
        slope = log(self.users[place] / before) / log(faster / self.visible_tokens_per_s[place])
        return before * exp(slope * log(faster / speed))


class Reach(Struct, frozen=True):
    """The curves of models on nodes.

    users: people who are to be served
    curves: model -> curve of each node, in their order
    """

    users: int
    curves: dict[str, tuple[Curve, ...]]

    def shares(self, model: str, count: int, speed: float, *, hopeful: bool = False) -> list[float]:
        """Return how many people each of the first `count` nodes serves at a speed."""
        return [curve.most(speed, hopeful=hopeful) for curve in self.curves[model][:count]]

    def may_reach(self, model: str, count: int, speed: float) -> bool:
        """Return False where the first `count` nodes cannot give this speed to everybody with a copy on each."""
        shares = self.shares(model, count, speed / SLACK, hopeful=True)
        return min(shares) > 0 and SLACK * sum(shares) >= self.users

    def speed(self, model: str, count: int, *, hopeful: bool = False) -> float:
        """Return the speed of the slowest where people are dealt out best over the first `count` nodes [tokens/s]."""
        low, high = 0.0, min(c.visible_tokens_per_s[0] for c in self.curves[model][:count])
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            if sum(self.shares(model, count, middle, hopeful=hopeful)) >= self.users:
                low = middle
            else:
                high = middle
        return low

    def deals(self, model: str, count: int) -> list[list[float]]:
        """Return how people may be dealt out over the first `count` nodes: what each reaches, carefully and hopefully."""
        return [
            self.shares(model, count, self.speed(model, count, hopeful=hopeful), hopeful=hopeful)
            for hopeful in (False, True)
        ]


def reach(request: PlanRequest, nodes: Sequence[Node], models: Sequence[str]) -> Reach:
    """Return how far models reach on nodes."""
    unlike = list({plain(n.machine): n.machine for n in nodes}.values())
    where = {plain(m): place for place, m in enumerate(unlike)}
    table = model_table.load()
    places = [table.places[m] for m in models]
    people = _sampled(request.users)
    speeds = np.zeros((len(people), len(unlike), len(models)))
    for row, users in enumerate(people):
        asked, grid = swept(for_share(request, users), unlike, places)
        cells = grid.cells
        expected = cells.expected_visible_tokens_per_s
        soon = np.where(cells.ttft <= longest_wait(asked), np.nan_to_num(expected), 0.0)
        for place, model in enumerate(places):
            at = np.flatnonzero(grid.models == model)
            np.maximum.at(speeds[row, :, place], cells.offer[at], soon[at])
    falling = np.minimum.accumulate(speeds, axis=0)
    curves = {
        m: tuple(Curve(tuple(people), tuple(falling[:, where[plain(n.machine)], k].tolist())) for n in nodes)
        for k, m in enumerate(models)
    }
    return Reach(request.users, curves)


def _sampled(users: int) -> list[int]:
    """Return the numbers of people at which nodes are asked: two for each doubling."""
    return sorted({min(round(2 ** (k / 2)), users) for k in range(2 * users.bit_length() + 1)})


def for_share(request: PlanRequest, users: int) -> PlanRequest:
    """Return the request of one copy: its people; where requests arrive, its share of them and the slots that these need.

    Slots that follow from the rate are more than the share of all slots: copies that wait apart need more room.
    """
    rate = request.arrivals
    if rate is None:
        return structs.replace(request, users=users)
    share = rate * users / request.users
    follows = request.users == slots_for_rate(rate, request.workload)
    slots = slots_for_rate(share, request.workload) if follows else users
    return structs.replace(request, users=slots, arrivals=share)
