"""The JSON of `gyakusan plan --nodes`: layouts of a model over computers that differ."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from gyakusan.documents.common import catalogue_date
from gyakusan.documents.plan import PlanJson, plan
from gyakusan.documents.request import RequestJson, request
from gyakusan.message import Message
from gyakusan.planning.nodes.across import weight_shares
from gyakusan.planning.nodes.layout import Form, Layout
from gyakusan.planning.nodes.node import Node
from gyakusan.planning.nodes.recommend import NodesAnswer
from gyakusan.show.nodes import remarks


class LinkJson(Struct, frozen=True):
    """The network between the nodes.

    bandwidth: that it carries in one direction [B/s]
    latency: of one message [s]
    assumed: true if nobody named it
    """

    bandwidth: float
    latency: float
    assumed: bool


class NodeJson(Struct, frozen=True):
    """One computer.

    name: as it is called here
    address: how others reach it, null = not known
    devices: that engines use: its GPUs, or without one its RAM
    usable: bytes that engines may have of them [B]
    """

    name: str
    address: str | None
    devices: tuple[str, ...]
    usable: int


class LayoutNodeJson(Struct, frozen=True):
    """A node of a layout.

    name: of the node
    users: conversations that it answers, 0 for a worker
    share: of the layers
    """

    name: str
    users: int
    share: float


class LayoutJson(Struct, frozen=True, kw_only=True):
    """One way to serve the load.

    form: alone, copies, workers (one server that uses devices of others) or pipeline (one server on equal nodes)
    nodes: that are used, the one with the server first
    enough: true if it surely fits and is as fast as asked for, or else as the task wants
    link_share: share of a decode step that the network takes
    throughput: output tokens per second of all users, 0 if not known [tokens/s]
    plans: of each copy in the order of the nodes; else one, whose ledger names the devices of all nodes
    """

    form: Form
    nodes: tuple[LayoutNodeJson, ...]
    enough: bool
    link_share: float
    throughput: float
    plans: tuple[PlanJson, ...]


class NodesJson(Struct, frozen=True, kw_only=True):
    """A plan over nodes: `gyakusan plan --nodes`.

    schema: name and version of this form
    catalogue: date of the catalogue
    question: what was asked, with defaults
    nodes: all that there are, the strongest first
    link: between them
    layouts: the smallest set of nodes that is enough first
    nearest: what would help, where nothing fits
    notes: what holds for these layouts
    """

    question: RequestJson
    nodes: tuple[NodeJson, ...]
    link: LinkJson
    layouts: tuple[LayoutJson, ...]
    nearest: tuple[Message, ...]
    notes: tuple[Message, ...]
    schema: Literal["gyakusan/nodes/1"] = "gyakusan/nodes/1"
    catalogue: str = field(default_factory=catalogue_date)


def nodes(answer: NodesAnswer) -> NodesJson:
    """Return an answer; each plan carries its whole ledger."""
    link = answer.link
    return NodesJson(
        question=request(answer.request),
        nodes=tuple(_node(n) for n in answer.nodes),
        link=LinkJson(link.bandwidth, link.latency, link.assumed),
        layouts=tuple(_layout(answer, x) for x in answer.layouts),
        nearest=answer.nearest,
        notes=tuple(remarks(answer.layouts, link)),
    )


def _node(node: Node) -> NodeJson:
    devices = node.machine.gpus or node.machine.devices
    return NodeJson(node.name, node.address, tuple(d.name for d in devices), node.memory)


def _layout(answer: NodesAnswer, layout: Layout) -> LayoutJson:
    return LayoutJson(
        form=layout.form,
        nodes=_users(layout),
        enough=layout.is_enough(answer.request),
        link_share=layout.link_share,
        throughput=float(layout.throughput),
        plans=tuple(plan(p) for p in layout.plans),
    )


def _users(layout: Layout) -> tuple[LayoutNodeJson, ...]:
    """Return who answers how many, and which share of the layers lies where."""
    if not layout.owners:
        pairs = zip(layout.nodes, layout.plans, strict=True)
        return tuple(LayoutNodeJson(n.name, int(p.ledger.load.users), 1.0) for n, p in pairs)
    ledger, count = layout.first.ledger, len(layout.nodes)
    shares, users = weight_shares(ledger, layout.owners, count), int(ledger.load.users)
    answers = (users, *(0,) * (count - 1))
    return tuple(LayoutNodeJson(n.name, u, s) for n, u, s in zip(layout.nodes, answers, shares, strict=True))
