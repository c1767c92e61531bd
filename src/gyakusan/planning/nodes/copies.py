"""Copies of one model on several nodes, the people dealt out over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import structs

from gyakusan.planning.nodes.answers import Answers
from gyakusan.planning.nodes.layout import Layout
from gyakusan.planning.nodes.node import Node
from gyakusan.planning.nodes.reach import SLACK, Reach, for_share, reach
from gyakusan.planning.nodes.single import rank
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan

MOST_MODELS = 4
"""Models that are tried as copies, the best of the smallest node first."""
ROUNDS = 4
"""How often users are dealt out anew, halfway towards the speeds that the last deal gave."""
FEW = 4
"""Up to so many nodes every deal is tried, and models are looked for at each number of them; beyond at 8 and at 16."""
SAMPLED = (*range(2, FEW + 1), 8, 16)


def best_copies(request: PlanRequest, nodes: Sequence[Node], answers: Answers) -> Layout | None:
    """Return copies on the fewest nodes that are enough, else the fastest; None where no model runs on two nodes.

    nodes: the strongest first
    """
    most = min(len(nodes), request.users)
    models = _models(request, nodes[:most], answers) if most > 1 else {}
    names = tuple(dict.fromkeys(m for tried in models.values() for m in tried))
    if not names:
        return None
    known = reach(request, nodes[:most], names)
    wanted = request.speed or request.workload.target_tps
    rest: list[tuple[int, str]] = []
    made: list[Layout] = []
    for count in models:
        pairs = [(count, m) for m in models[count]]
        hopeful = [p for p in pairs if known.may_reach(p[1], count, wanted)]
        rest += [p for p in pairs if p not in hopeful]
        found = [x for _, m in hopeful if (x := _copies(request, nodes[:count], m, answers, known)) is not None]
        enough = [x for x in found if x.is_enough(request)]
        if enough:
            return max(enough, key=lambda x: x.quality_lower)
        made += found
    return max(_fastest(request, nodes, answers, known, rest, made), key=lambda x: x.answer or 0.0, default=None)


def _fastest(
    request: PlanRequest, nodes: Sequence[Node], answers: Answers, known: Reach, rest: list[tuple[int, str]],
    made: list[Layout],
) -> Iterator[Layout]:  # fmt: skip
    """Yield layouts among which the fastest is: those that were made, and others until none can be faster."""
    yield from made
    best = max((x.answer or 0.0 for x in made), default=-1.0)
    for speed, count, model in sorted(
        ((known.speed(m, c, hopeful=True), c, m) for c, m in rest), key=lambda x: (-x[0], x[1])
    ):
        if SLACK * speed <= best:
            return
        layout = _copies(request, nodes[:count], model, answers, known)
        if layout is not None:
            best = max(best, layout.answer or 0.0)
            yield layout


def _models(request: PlanRequest, nodes: Sequence[Node], answers: Answers) -> dict[int, tuple[str, ...]]:
    """Return the models to try on each number of nodes: the one that is named, else what their smallest runs best."""
    counts = range(2, 1 + len(nodes))
    if request.model is not None:
        return dict.fromkeys(counts, (request.model,))
    sampled = {c for c in counts if c in SAMPLED} | set(counts[-1:])
    best = {c: _models_on(request, nodes[:c], answers) for c in sampled}
    near = {c: (max(s for s in sampled if s <= c), min(s for s in sampled if s >= c)) for c in counts}
    return {c: tuple(dict.fromkeys(m for s in near[c] for m in best[s])) for c in counts}


def _models_on(request: PlanRequest, nodes: Sequence[Node], answers: Answers) -> tuple[str, ...]:
    smallest = min(nodes, key=lambda n: n.memory)
    (plans,) = answers.of(for_share(request, -(-request.users // len(nodes))), [smallest.machine])
    return tuple(dict.fromkeys(p.name for p in plans))[:MOST_MODELS]


def _copies(request: PlanRequest, nodes: Sequence[Node], model: str, answers: Answers, known: Reach) -> Layout | None:
    """Return a copy of one model on each node, the users dealt out so that the slowest answer is fastest.

    They are dealt out by what each node reaches, of few nodes also evenly and by memory, then by the speed of each node.
    """
    asked = structs.replace(request, model=model)
    count = len(nodes)
    weights = [[max(share, 1e-9) for share in deal] for deal in known.deals(model, count)]
    weights += [[1.0] * count, [float(n.memory) for n in nodes]] if count <= FEW else []
    made: dict[tuple[int, ...], tuple[Plan, ...]] = {}
    for users in dict.fromkeys(dealt(request.users, w) for w in weights):
        if (plans := _each(asked, nodes, users, answers)) is not None:
            made[users] = plans
    for _ in range(ROUNDS if made and count <= FEW else min(1, len(made))):
        last, plans = next(reversed(made.items()))
        target = dealt(request.users, [1.0 if p.pace is None else p.pace.throughput.value for p in plans])
        users = dealt(request.users, [float(a + b) for a, b in zip(target, last, strict=True)])
        if users in made or (again := _each(asked, nodes, users, answers)) is None:
            break
        made[users] = again
    layouts = (Layout("copies", tuple(nodes), plans) for plans in made.values())
    return max(layouts, key=lambda x: rank(request, x), default=None)


def _each(
    request: PlanRequest, nodes: Sequence[Node], users: Sequence[int], answers: Answers
) -> tuple[Plan, ...] | None:
    """Return the best plan of each node for its share of the users, in the same mode of thinking; None if one has none."""
    found: list[Plan] = []
    for node, share in zip(nodes, users, strict=True):
        (plans,) = answers.of(for_share(request, share), [node.machine])
        same = [p for p in plans if not found or p.mode.mode == found[0].mode.mode] or list(plans)
        if not same:
            return None
        found.append(max(same, key=lambda p: rank(request, Layout("alone", (node,), (p,)))))
    return tuple(found)


def dealt(users: int, weights: Sequence[float]) -> tuple[int, ...]:
    """Return the users of each node, at least one, in proportion to `weights`; there are as many users as nodes or more."""
    rest, total = users - len(weights), sum(weights)
    exact = [rest * w / total for w in weights]
    shares = [int(x) for x in exact]
    order = sorted(range(len(weights)), key=lambda i: shares[i] - exact[i])
    for i in order[: rest - sum(shares)]:
        shares[i] += 1
    return tuple(1 + s for s in shares)
