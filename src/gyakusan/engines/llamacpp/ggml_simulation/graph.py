"""A graph of operations as ggml keeps it: nodes, leaves, views, and the order in which they are computed.

Only what decides where memory is taken: shapes, sources, views, homes. Source: llama.cpp b11434, ggml/src/ggml.c
(ggml_visit_parents_graph, ggml_build_forward_expand) and the constructors of the operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from gyakusan.engines.llamacpp.backends import F32

Shape = tuple[int, ...]
"""Values in each dimension, ne0 first."""
INPLACE = frozenset((
    "ADD", "ADD_ID", "CLAMP", "DIV", "MUL", "RMS_NORM", "ROPE", "SCALE", "SOFT_MAX", "SUB", "UNARY", "FILL", "SQR", "SQRT",
))  # fmt: skip
"""Operations that may write over a source. ggml-alloc.c, ggml_op_can_inplace."""
VIEWS = frozenset(("VIEW", "RESHAPE", "PERMUTE", "TRANSPOSE"))
"""Operations that compute nothing. ggml-backend.cpp, ggml_is_view_op."""


class Node:
    """One tensor, and what the scheduler and the allocator note on it.

    op: ggml's name of the operation, "NONE" for a leaf
    shape: values in each dimension, ne0 first
    sources: tensors that the operation reads
    root: the tensor that this is a view of, None for others
    size: in RAM [B]
    gpu_size: on a GPU, with what its kernel keeps besides [B]
    unmerged_extra: what a GPU needs besides if keys and values are not one tensor there [B]
    layout: tensors of equal layout may share a place
    home: device of a tensor that exists before the graph (weights, caches), None for others
    weight: True for weights
    graph_input: True for inputs of the graph
    host_only: True if CUDA has no kernel for this operation
    rows: tokens by which offloading is decided, -1 = what the shape says
    seen: True once it is on the tape
    device: the scheduler's: who computes it
    children: the allocator's: readers to come
    views: the allocator's: views to come
    allocated: the allocator's: True while it has a place
    buffer: the allocator's: device of that place
    start: the allocator's: start of that place [B]
    never_freed: the allocator's: True if its place is kept to the end
    """

    __slots__ = (
        "allocated", "buffer", "children", "device", "gpu_size", "graph_input", "home", "host_only", "layout",
        "never_freed", "op", "root", "rows", "seen", "shape", "size", "sources", "start", "unmerged_extra", "views",
        "weight",
    )  # fmt: skip

    def __init__(self, op: str, shape: Shape, sources: Sequence[Node] = (), root: Node | None = None) -> None:
        self.op, self.shape, self.sources, self.root = op, shape, list(sources), root
        self.size = self.gpu_size = F32 * prod(shape)
        self.layout: object = shape
        self.home: int | None = None
        self.weight = self.graph_input = self.host_only = self.never_freed = self.seen = self.allocated = False
        self.rows = -1
        self.device: int | None = None
        self.children = self.views = self.start = self.buffer = self.unmerged_extra = 0

    @property
    def offloaded_rows(self) -> int:
        """Tokens by which offloading is decided [tokens]."""
        return self.rows if self.rows >= 0 else prod(self.shape[1:])


class Tape:
    """A graph in the order in which it is built.

    nodes: operations in the order of computation
    leaves: tensors that no operation makes, in the order of their first use
    """

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
    size: int, *, home: int | None = None, weight: bool = False, shape: Shape = (), gpu_size: int | None = None
) -> Node:
    """Return a tensor that no operation makes: an input of the graph if it has no home. size, gpu_size [B]."""
    node = Node("NONE", shape or (size // F32,))
    node.size, node.gpu_size = size, size if gpu_size is None else gpu_size
    node.home, node.weight, node.graph_input = home, weight, home is None
    return node


def view(op: str, of: Node, shape: Shape, step: int = 0) -> Node:
    """Return a view: RESHAPE keeps the memory contiguous, the others have a layout of their own.

    step: values from one row of the view to the next, 0 if there are none between. A copy of it takes the gaps as well.
    """
    node = Node(op, shape, (of,), of.root or of)
    if op != "RESHAPE":
        node.layout = object()
    if step and node.size:
        node.size = node.gpu_size = F32 * (step * (prod(shape[1:]) - 1) + shape[0])
    return node


def reshape(of: Node, *shape: int) -> Node:
    """Return the same values in other dimensions."""
    return view("RESHAPE", of, shape)


def matmul(weight: Node, x: Node) -> Node:
    """Return ggml_mul_mat: weight [n, m], x [n, tokens, ...] -> [m, tokens, ...]."""
    node = Node("MUL_MAT", (weight.shape[1], *x.shape[1:]), (weight, x))
    node.rows = node.shape[1]
    return node


def matmul_id(weight: Node, x: Node, ids: Node, used: int, tokens: int) -> Node:
    """Return ggml_mul_mat_id: experts' weight [n, m, experts] -> [m, used, tokens]."""
    node = Node("MUL_MAT_ID", (weight.shape[1], used, tokens), (weight, x, ids))
    node.rows = tokens
    return node


def like(op: str, x: Node, *others: Node) -> Node:
    """Return an elementwise operation: the shape and the contiguous layout of `x`."""
    return Node(op, x.shape, (x, *others))


def rope(x: Node, positions: Node, factors: Node | None = None) -> Node:
    """Return ggml_rope_ext of [head, heads, tokens]."""
    node = like("ROPE", x, positions, *((factors,) if factors else ()))
    node.rows = x.shape[2]
    return node


def set_rows(into: Node, rows: Node, ids: Node) -> Node:
    """Return ggml_set_rows: a view of the tensor that rows are written into. It keeps the sources in this order."""
    node = Node("SET_ROWS", into.shape, (rows, ids, into), into.root or into)
    node.layout = object()
    return node


def copy_into(x: Node, into: Node) -> Node:
    """Return ggml_cpy: a view of what is written."""
    node = Node("CPY", x.shape, (x, into), into.root or into)
    node.layout = object()
    return node
