"""How a model lies on nodes: on one alone, as copies, or joined as one server."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from gyakusan.planning.nodes.node import Node
from gyakusan.planning.request.pace import longest_wait
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.plan import Plan

Form = Literal["alone", "copies", "workers", "pipeline"]
"""One node; a copy on each node; one server that uses devices of others through workers; one server on equal nodes."""


class Layout(Struct, frozen=True):
    """One way to serve the load.

    form: how the model lies on the nodes
    nodes: that are used, the one with the server first
    plans: of each copy in the order of the nodes; else one
    owners: place in `nodes` of each GPU of a joined server, in the order of its ledger
    link_share: share of a decode step that the network takes
    """

    form: Form
    nodes: tuple[Node, ...]
    plans: tuple[Plan, ...]
    owners: tuple[int, ...] = ()
    link_share: float = 0.0

    @property
    def first(self) -> Plan:
        """The plan of the first node, or of all together."""
        return self.plans[0]

    @property
    def speed(self) -> float | None:
        """Output tokens per second of the slowest user, None where a speed is not known [tokens/s]."""
        paces = [p.pace for p in self.plans]
        return None if None in paces else min(p.decode_each.value for p in paces if p is not None)

    @property
    def answer(self) -> float | None:
        """Visible tokens per second of the slowest user, None where a speed is not known [tokens/s]."""
        speeds = [None if p.pace is None else p.pace.decode_each.value / p.thinking.factor for p in self.plans]
        return None if None in speeds else min(s for s in speeds if s is not None)

    @property
    def throughput(self) -> float:
        """Output tokens per second of all users together, 0 where a speed is not known [tokens/s]."""
        return sum(p.pace.throughput.value for p in self.plans if p.pace is not None)

    @property
    def quality(self) -> float:
        """Quality of the worst copy [points]."""
        return min(float(p.score.value) for p in self.plans)

    @property
    def quality_lower(self) -> float:
        """Quality of the worst copy less one standard error [points]."""
        return min(float(p.score.value - p.score.error) for p in self.plans)

    @property
    def spare(self) -> int | None:
        """Bytes to spare on the fullest device at the high end of doubt, None where a capacity is unknown [B]."""
        left = [p.spare for p in self.plans]
        return None if None in left else min(s for s in left if s is not None)

    def is_enough(self, request: PlanRequest) -> bool:
        """Return True if it surely fits and every user has the speed that is asked for, or else wanted by the task."""
        wanted, answer = request.speed or request.workload.target_tps, self.answer
        sure = self.spare is None or self.spare >= 0
        soon = all(p.pace is not None and p.pace.ttft.value <= longest_wait(request) for p in self.plans)
        return sure and answer is not None and answer >= wanted and soon
