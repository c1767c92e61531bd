"""ggml's graph allocator: the largest extent of each device's compute buffer.

Source: llama.cpp b11434, ggml/src/ggml-alloc.c (ggml_dyn_tallocr_alloc, ggml_gallocr_alloc_graph_impl).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from gyakusan.engines.llamacpp.ggml_simulation.graph import INPLACE, Node

_ENDLESS = 1 << 62


class Buffer:
    """ggml_dyn_tallocr of one device: the smallest free block that fits, the last of equals; else the end.

    align: sizes are rounded up to multiples of this [B]
    starts: where each free block starts, the endless one last [B]
    sizes: of each free block [B]
    largest: end of the buffer so far [B]
    """

    def __init__(self, align: int) -> None:
        self.align = align
        self.starts = [0]
        self.sizes = [_ENDLESS]
        self.largest = 0

    def take(self, size: int) -> int:
        """Allocate `size` bytes and return where they start [B]."""
        size = -(-size // self.align) * self.align
        starts, sizes = self.starts, self.sizes
        best, smallest = len(sizes) - 1, _ENDLESS + 1
        for i, free in enumerate(sizes):  # the endless one counts where no other fits: it is larger than any
            if size <= free <= smallest:
                best, smallest = i, free
        start = starts[best]
        starts[best] += size
        sizes[best] -= size
        if not sizes[best]:
            del starts[best], sizes[best]
        if start + size > self.largest:
            self.largest = start + size
        return start

    def free(self, start: int, size: int) -> None:
        """Give `size` bytes at `start` back; neighbours join [B]."""
        size = -(-size // self.align) * self.align
        if not size:
            return
        starts, sizes = self.starts, self.sizes
        i = bisect_left(starts, start)
        starts.insert(i, start)
        sizes.insert(i, size)
        if start + size == starts[i + 1]:
            sizes[i] += sizes.pop(i + 1)
            del starts[i + 1]
        if i and starts[i - 1] + sizes[i - 1] == starts[i]:
            sizes[i - 1] += sizes.pop(i)
            del starts[i]


class Allocator:
    """Places every tensor of a graph whose nodes have a device.

    buffers: one for each device, the host's last
    host: the host's number
    """

    def __init__(self, aligns: Sequence[int]) -> None:
        self.buffers = [Buffer(a) for a in aligns]
        self.host = len(aligns) - 1

    def run(self, leaves: Sequence[Node], nodes: Sequence[Node]) -> tuple[int, ...]:
        """Allocate `leaves`, then `nodes` in order, and return the size of each device's buffer [B]."""
        for node in leaves:
            self._place(node, node.device)
        for node in nodes:
            if node.root is not None and node.op != "DEPEND":
                node.root.views += 1
            for source in node.sources:
                source.children += 1
        place, release = self._place, self._release
        for node in nodes:
            for source in node.sources:
                if not source.allocated:
                    place(source, node.device)
            place(node, node.device)
            for source in node.sources:
                source.children -= 1
                if not (source.children or source.views):
                    release(source)
        return tuple(b.largest for b in self.buffers)

    def _size(self, node: Node, device: int) -> int:
        return node.size if device == self.host else node.gpu_size

    def _place(self, node: Node, device: int | None) -> None:
        if node.allocated or node.home is not None or node.root is not None:
            return
        assert device is not None
        node.allocated = True
        if node.op in INPLACE and self._takes_over_source(node):
            return
        node.buffer = device
        node.start = self.buffers[device].take(self._size(node, device))

    def _takes_over_source(self, node: Node) -> bool:
        """Let the node write over a source that nobody else needs; return False if there is none. Views are kept."""
        for source in node.sources:
            alone = source.children == 1 and not source.views and not source.never_freed
            if source.allocated and alone and source.layout == node.layout:
                node.buffer, node.start, source.allocated = source.buffer, source.start, False
                return True
        return False

    def _release(self, source: Node) -> None:
        """Free what nobody needs any more now that `source` has no readers and no views to come."""
        if source.root is not None:
            root = source.root
            root.views -= 1
            if not root.views and not root.children and root.allocated:
                self._free(root)
        elif source.allocated:
            self._free(source)

    def _free(self, node: Node) -> None:
        if not node.never_freed:
            self.buffers[node.buffer].free(node.start, self._size(node, node.buffer))
            node.allocated = False
