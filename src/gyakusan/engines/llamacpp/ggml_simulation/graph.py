"""A graph of operations as ggml keeps it: nodes, leaves, views, and the order in which they are computed.

Only what decides where memory is taken: shapes, sources, views, homes. Source: llama.cpp b11434, ggml/src/ggml.c
(ggml_visit_parents_graph, ggml_build_forward_expand) and the constructors of the operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

Shape = tuple[int, ...]
"""Values in each dimension, ne0 first."""
INPLACE = frozenset(
    (
        "ADD",
        "ADD_ID",
        "CLAMP",
        "DIV",
        "MUL",
        "RMS_NORM",
        "ROPE",
        "SCALE",
        "SOFT_MAX",
        "SUB",
        "UNARY",
        "FILL",
        "SQR",
        "SQRT",
    )
)
"""Operations that may write over a source. ggml-alloc.c, ggml_op_can_inplace."""
VIEWS = frozenset(("VIEW", "RESHAPE", "PERMUTE", "TRANSPOSE"))
"""Operations that compute nothing. ggml-backend.cpp, ggml_is_view_op."""
F32 = 4


class Node:
    """One tensor. Its last fields are the scheduler's and the allocator's notes.

    size: bytes in RAM; on_gpu: bytes on a GPU [B]; root: the tensor that it is a view of; layout: equal layouts may share
    a place; home: the device of a tensor that exists before the graph (weights, caches), None for others;
    apart: what a GPU needs besides if keys and values are not one tensor there [B];
    weight: True for weights; entry: True for inputs of the graph; rows: tokens by which offloading is decided.
    """

    __slots__ = (
        "apart", "at", "children", "device", "entry", "home", "kept", "layout", "on_gpu", "op", "owner", "root", "rows",
        "seen", "shape", "size", "sources", "taken", "views", "weight",
    )  # fmt: skip

    def __init__(self, op: str, shape: Shape, sources: Sequence[Node] = (), root: Node | None = None) -> None:
        self.op, self.shape, self.sources, self.root = op, shape, list(sources), root
        self.size = self.on_gpu = F32 * prod(shape)
        self.layout: object = shape
        self.home: int | None = None
        self.weight = self.entry = self.kept = self.seen = self.taken = False
        self.rows = prod(shape[1:])
        self.device: int | None = None
        self.children = self.views = self.at = self.owner = self.apart = 0


class Tape:
    """Nodes in the order of computation, and leaves in the order of their first use."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.leaves: list[Node] = []

    def expand(self, node: Node) -> None:
        """Append what `node` needs, sources from left to right, then the node. ggml_build_forward_expand."""
        if node.seen:
            return
        node.seen = True
        for source in node.sources:
            self.expand(source)
        (self.leaves if node.op == "NONE" else self.nodes).append(node)


def leaf(
    size: int, *, home: int | None = None, weight: bool = False, shape: Shape = (), on_gpu: int | None = None
) -> Node:
    """A tensor that no operation makes: an input of the graph if it has no home. size, on_gpu [B]."""
    node = Node("NONE", shape or (size // F32,))
    node.size, node.on_gpu = size, size if on_gpu is None else on_gpu
    node.home, node.weight, node.entry = home, weight, home is None
    return node


def view(op: str, of: Node, shape: Shape, step: int = 0) -> Node:
    """A view: RESHAPE keeps the memory contiguous, the others have a layout of their own.

    step: values from one row of the view to the next, 0 if nothing lies between. A copy of it takes the gaps as well.
    """
    node = Node(op, shape, (of,), of.root or of)
    if op != "RESHAPE":
        node.layout = object()
    if step and node.size:
        node.size = node.on_gpu = F32 * (step * (prod(shape[1:]) - 1) + shape[0])
    return node


def reshape(of: Node, *shape: int) -> Node:
    """The same values in other dimensions."""
    return view("RESHAPE", of, shape)


def matmul(weight: Node, x: Node) -> Node:
    """weight: [n, m], x: [n, tokens, ...] -> [m, tokens, ...]. ggml_mul_mat."""
    node = Node("MUL_MAT", (weight.shape[1], *x.shape[1:]), (weight, x))
    node.rows = node.shape[1]
    return node


def matmul_id(weight: Node, x: Node, ids: Node, used: int, tokens: int) -> Node:
    """Experts' weight [n, m, experts] -> [m, used, tokens]. ggml_mul_mat_id."""
    node = Node("MUL_MAT_ID", (weight.shape[1], used, tokens), (weight, x, ids))
    node.rows = tokens
    return node


def like(op: str, x: Node, *others: Node) -> Node:
    """An elementwise operation: the shape and the contiguous layout of `x`."""
    return Node(op, x.shape, (x, *others))


def rope(x: Node, positions: Node, factors: Node | None = None) -> Node:
    """ggml_rope_ext: [head, heads, tokens]."""
    node = like("ROPE", x, positions, *((factors,) if factors else ()))
    node.rows = x.shape[2]
    return node


def set_rows(into: Node, rows: Node, ids: Node) -> Node:
    """Rows written into another tensor: a view of it. ggml_set_rows keeps the sources in this order."""
    node = Node("SET_ROWS", into.shape, (rows, ids, into), into.root or into)
    node.layout = object()
    return node


def copy_into(x: Node, into: Node) -> Node:
    """ggml_cpy: a view of what is written."""
    node = Node("CPY", x.shape, (x, into), into.root or into)
    node.layout = object()
    return node
