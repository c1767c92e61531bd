"""The best plan of one node alone."""

from __future__ import annotations

from collections.abc import Sequence

from gyakusan.planning.nodes.answers import Answers
from gyakusan.planning.nodes.layout import Layout
from gyakusan.planning.nodes.node import Node
from gyakusan.planning.request.request import PlanRequest


def each_alone(request: PlanRequest, nodes: Sequence[Node], answers: Answers) -> list[list[Layout]]:
    """Return the rows of each node that has any, the first as `gyakusan plan` recommends it there."""
    rows = answers.of(request, [n.machine for n in nodes])
    return [[Layout("alone", (n,), (p,)) for p in plans] for n, plans in zip(nodes, rows, strict=True) if plans]


def best_alone(request: PlanRequest, rows: Sequence[Sequence[Layout]]) -> Layout | None:
    """Return the node that does best with what is recommended for it: what is enough first, then by quality, then by speed."""
    return max((r[0] for r in rows), key=lambda x: rank(request, x), default=None)


def rank(request: PlanRequest, layout: Layout) -> tuple[bool, float, float]:
    """Return what layouts of equally many nodes are compared by."""
    enough = layout.is_enough(request)
    worth = layout.quality_lower if enough else (layout.answer or 0.0)
    return enough, round(worth), layout.answer or 0.0
