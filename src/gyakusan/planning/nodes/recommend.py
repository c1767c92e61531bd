"""Recommend a layout: the smallest set of nodes that serves the load, and what more of them would bring."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log

from msgspec import Struct, structs

from gyakusan.errors import BadSetting
from gyakusan.message import Message, say
from gyakusan.planning.candidates import model_table
from gyakusan.planning.nodes.across import Wanted, joined
from gyakusan.planning.nodes.answers import Answers
from gyakusan.planning.nodes.copies import best_copies
from gyakusan.planning.nodes.layout import Layout
from gyakusan.planning.nodes.link import Link
from gyakusan.planning.nodes.node import Node
from gyakusan.planning.nodes.single import best_alone, each_alone, rank
from gyakusan.planning.request.pace import slowest_answer
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.recommend import text_model_name
from gyakusan.units import format_bytes

BETTER = 2.0
"""Points of quality for which more nodes are worth a row where fewer are enough: what the plan's table can tell apart."""
SAME_SPEED = 1.1
"""Speeds of about this ratio or less count as equal, so that fewer nodes come first: far below their intervals."""
MOST_JOINED = 8
"""Most nodes that are joined to one server."""
CONTRADICTED = ("device", "memory", "reserve", "bandwidth", "ram", "budget", "brand", "power")
"""Fields of a request that are about another machine, or one to buy."""


class NodesAnswer(Struct, frozen=True):
    """The layouts of a load on nodes.

    request: what was asked
    nodes: all that there are, the strongest first
    link: between them
    layouts: the smallest set of nodes that is enough first
    nearest: what would help, where there is no layout
    """

    request: PlanRequest
    nodes: tuple[Node, ...]
    link: Link
    layouts: tuple[Layout, ...]
    nearest: tuple[Message, ...]


def plan_nodes(request: PlanRequest, nodes: Sequence[Node], link: Link) -> NodesAnswer:
    """Return the layouts for a request on these nodes. Raises BadSetting, UnknownName."""
    _check(request)
    if request.model is not None and request.model not in model_table.load().places:
        request = structs.replace(request, model=text_model_name(request.model))
    ordered = tuple(sorted(nodes, key=lambda n: (bool(n.machine.gpus), n.memory), reverse=True))
    answers = Answers()
    rows = each_alone(request, ordered, answers)
    alone = best_alone(request, rows)
    found = [] if alone is None else [alone]
    if alone is None or not alone.is_enough(request):
        copies = best_copies(request, ordered, answers)
        found += [] if copies is None else [copies]
    other = max((x for row in rows for x in row), key=lambda x: rank(request, x), default=None)
    known = found if other is None else [*found, other]  # what a node does alone with another of its rows
    for count in range(2, 1 + min(len(ordered), MOST_JOINED)):
        best = _worth_a_row(request, known, joined(request, ordered[:count], link, _wanted(request, known)))
        if best is not None:
            found, known = [*found, best], [*known, best]
    layouts = tuple(sorted(found, key=lambda x: _order(request, x)))
    return NodesAnswer(request, ordered, link, layouts, () if layouts else _nearest(request, ordered))


def _wanted(request: PlanRequest, found: Sequence[Layout]) -> Wanted:
    """Return what joined nodes need for a row, whether they are enough or not."""
    quality = max((x.quality_lower + BETTER for x in found if x.is_enough(request)), default=-inf)
    return Wanted(quality, slowest_answer(request) if found else 0.0)


def _check(request: PlanRequest) -> None:
    for name in CONTRADICTED:
        if getattr(request, name) is not None:
            raise BadSetting(
                "--nodes names the computers, and --{name} another one.", name=name, mend="Leave out --{name}."
            )
    if request.colocated:
        raise BadSetting("--nodes and --also were given together.", mend="Give one.")


def _worth_a_row(request: PlanRequest, found: Sequence[Layout], made: Sequence[Layout]) -> Layout | None:
    """Return the best of joined layouts, None where fewer nodes do as well, or where it is too slow to be of use."""
    best = max(made, key=lambda x: (x.is_enough(request), round(x.quality_lower), x.answer or 0.0), default=None)
    if best is None or (found and best.answer is not None and best.answer < slowest_answer(request)):
        return None
    same = [x for x in found if x.is_enough(request) or not best.is_enough(request)]
    better = all(best.quality_lower >= x.quality_lower + BETTER for x in same)
    return best if better else None


def _order(request: PlanRequest, layout: Layout) -> tuple[bool, int, int, float]:
    """Return what layouts are sorted by: enough first, there the fewest nodes; the others by the speed of the answer."""
    enough, answer = layout.is_enough(request), layout.answer or 1e-9
    steps = 0 if enough else -round(log(answer) / log(SAME_SPEED))
    return not enough, steps, len(layout.nodes), -layout.quality_lower


def _nearest(request: PlanRequest, nodes: Sequence[Node]) -> tuple[Message, ...]:
    total = sum(n.memory for n in nodes)
    facts = {"n": len(nodes), "size": format_bytes(total)}
    told = say("Together the {n} nodes offer {size}; all were tried as one server.", **facts)
    if len(nodes) > MOST_JOINED:
        told = say(
            "Together the {n} nodes offer {size}; up to {most}, the largest first, were tried as one server.",
            most=MOST_JOINED, **facts,
        )  # fmt: skip
    if request.model is None:
        return told, say("Ask for a shorter context or fewer people.")
    return told, say(
        "Ask for a shorter context or fewer people, or for a smaller model than {model}.", model=request.model
    )
