"""The best plan of one node, and of several equal loads on several nodes."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from gyakusan.core.machine import Machine
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.nodes.layout import Layout
from gyakusan.planning.nodes.node import Node
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.select.recommendation import Recommendation

MOST_MODELS = 4
"""Models that are tried as copies, the best of the smallest node first."""

ROUNDS = 4
"""How often users are dealt out anew, halfway towards the speeds that the last deal gave."""


def plans_on(request: PlanRequest, machine: Machine) -> Recommendation:
    """Return the answer for one machine that is owned. Raises GyakusanError."""
    owned = structs.replace(request, device=machine.name, arrivals=None)
    return recommend(owned, offers=(option(machine),))


def option(machine: Machine) -> HardwareOption:
    """Return a machine that is owned."""
    return HardwareOption(machine, max(1, len(machine.gpus)), None, (), None, owned=True)


def best_alone(request: PlanRequest, nodes: Sequence[Node]) -> Layout | None:
    """Return the best plan on a single node: what is enough first, then by quality, then by speed. Equal nodes are asked once."""
    unlike: list[Node] = []
    for node in nodes:
        if not any(node.machine.devices == n.machine.devices and node.machine.cores == n.machine.cores for n in unlike):
            unlike.append(node)
    found = (Layout("alone", (node,), (p,)) for node in unlike for p in plans_on(request, node.machine).plans)
    return max(found, key=lambda x: _rank(request, x), default=None)


def _rank(request: PlanRequest, layout: Layout) -> tuple[bool, float, float]:
    enough = layout.is_enough(request)
    worth = layout.quality_lower if enough else (layout.answer or 0.0)
    return enough, round(worth), layout.answer or 0.0


def best_copies(request: PlanRequest, nodes: Sequence[Node]) -> Layout | None:
    """Return copies on the fewest nodes that are enough, else the fastest; None where no model runs on two nodes.

    nodes: the strongest first
    """
    found: list[Layout] = []
    for count in range(2, 1 + min(len(nodes), request.users)):
        layouts = [_copies(request, nodes[:count], model) for model in _models(request, nodes[:count])]
        made = [x for x in layouts if x is not None]
        enough = [x for x in made if x.is_enough(request)]
        if enough:
            return max(enough, key=lambda x: x.quality_lower)
        found += made
    return max(found, key=lambda x: x.answer or 0.0, default=None)


def _models(request: PlanRequest, nodes: Sequence[Node]) -> tuple[str, ...]:
    """Return the models to try: the one that is named, else those that the node with the least memory runs best."""
    if request.model is not None:
        return (request.model,)
    smallest = min(nodes, key=lambda n: n.memory)
    each = structs.replace(request, users=-(-request.users // len(nodes)))
    return tuple(dict.fromkeys(p.name for p in plans_on(each, smallest.machine).plans))[:MOST_MODELS]


def _copies(request: PlanRequest, nodes: Sequence[Node], model: str) -> Layout | None:
    """Return a copy of one model on each node, the users dealt out so that the slowest answer is fastest.

    They are dealt out evenly and by memory, then from what these give by the speed of each node.
    """
    asked = structs.replace(request, model=model)
    weights = [[1.0] * len(nodes), [float(n.memory) for n in nodes]]
    tried = [dealt(request.users, w) for w in weights]
    made = [plans for users in tried if (plans := _each(asked, nodes, users)) is not None]
    for _ in range(ROUNDS if made else 0):
        speeds = [1.0 if p.pace is None else p.pace.throughput.value for p in made[-1]]
        target, last = dealt(request.users, speeds), [int(p.ledger.load.users) for p in made[-1]]
        users = dealt(request.users, [float(a + b) for a, b in zip(target, last, strict=True)])
        if users in tried or (plans := _each(asked, nodes, users)) is None:
            break
        tried.append(users)
        made.append(plans)
    layouts = (Layout("copies", tuple(nodes), plans) for plans in made)
    return max(layouts, key=lambda x: _rank(request, x), default=None)


def _each(request: PlanRequest, nodes: Sequence[Node], users: Sequence[int]) -> tuple[Plan, ...] | None:
    """Return the best plan of each node for its share of the users, in the same mode of thinking; None if one has none."""
    found: list[Plan] = []
    for node, share in zip(nodes, users, strict=True):
        plans = plans_on(structs.replace(request, users=share), node.machine).plans
        same = [p for p in plans if not found or p.mode.mode == found[0].mode.mode] or list(plans)
        if not same:
            return None
        found.append(max(same, key=lambda p: _rank(request, Layout("alone", (node,), (p,)))))
    return tuple(found)


def dealt(users: int, weights: Sequence[float]) -> list[int]:
    """Return the users of each node, at least one, in proportion to `weights`; there are as many users as nodes or more."""
    rest, total = users - len(weights), sum(weights)
    exact = [rest * w / total for w in weights]
    shares = [int(x) for x in exact]
    order = sorted(range(len(weights)), key=lambda i: shares[i] - exact[i])
    for i in order[: rest - sum(shares)]:
        shares[i] += 1
    return [1 + s for s in shares]
