"""ggml's graph allocator, replayed: the largest extent of each device's compute buffer.

Source: llama.cpp b11434, ggml/src/ggml-alloc.c (ggml_dyn_tallocr_alloc, ggml_gallocr_alloc_graph_impl).
"""

from __future__ import annotations

from collections.abc import Sequence

from gyakusan.engines.llamacpp.ggml_simulation.graph import INPLACE, Node

ENDLESS = 1 << 62


class Buffer:
    """One device. The smallest free block that fits, the last of equals; else the end."""

    def __init__(self, align: int) -> None:
        self.align = align
        self.starts = [0]
        self.sizes = [ENDLESS]
        self.largest = 0

    def take(self, size: int) -> int:
        """Where `size` bytes are placed. [B]"""
        size = -(-size // self.align) * self.align
        best, room = len(self.sizes) - 1, ENDLESS + 1
        for i in range(len(self.sizes) - 1):
            if size <= self.sizes[i] <= room:
                best, room = i, self.sizes[i]
        at = self.starts[best]
        self.starts[best] += size
        self.sizes[best] -= size
        if not self.sizes[best]:
            del self.starts[best], self.sizes[best]
        self.largest = max(self.largest, at + size)
        return at

    def free(self, at: int, size: int) -> None:
        """Give a place back; neighbours join."""
        size = -(-size // self.align) * self.align
        if not size:
            return
        i = 0
        while self.starts[i] < at:
            i += 1
        self.starts.insert(i, at)
        self.sizes.insert(i, size)
        if at + size == self.starts[i + 1]:
            self.sizes[i] += self.sizes.pop(i + 1)
            del self.starts[i + 1]
        if i and self.starts[i - 1] + self.sizes[i - 1] == self.starts[i]:
            self.sizes[i - 1] += self.sizes.pop(i)
            del self.starts[i]


class Allocator:
    """Places every tensor of a graph whose nodes have a device. gpus: devices below this number are GPUs."""

    def __init__(self, aligns: Sequence[int]) -> None:
        self.buffers = [Buffer(a) for a in aligns]
        self.host = len(aligns) - 1

    def run(self, leaves: Sequence[Node], nodes: Sequence[Node]) -> tuple[int, ...]:
        """Size of each device's buffer. [B]"""
        for node in leaves:
            self._place(node, node.device)
        for node in nodes:
            if node.root is not None and node.op != "DEPEND":
                node.root.views += 1
            for source in node.sources:
                source.children += 1
        for node in nodes:
            for source in node.sources:
                self._place(source, node.device)
            self._place(node, node.device)
            for source in node.sources:
                self._done(source)
        return tuple(b.largest for b in self.buffers)

    def _size(self, node: Node, device: int) -> int:
        return node.size if device == self.host else node.on_gpu

    def _place(self, node: Node, device: int | None) -> None:
        if node.taken or node.home is not None or node.root is not None:
            return
        assert device is not None
        node.taken = True
        if node.op in INPLACE and self._over_source(node):
            return
        node.owner = device
        node.at = self.buffers[device].take(self._size(node, device))

    def _over_source(self, node: Node) -> bool:
        """True if the node takes the place of a source that nobody else needs. A view never gives its place."""
        for source in node.sources:
            if (
                source.taken
                and not source.kept
                and source.layout == node.layout
                and source.children == 1
                and not source.views
            ):
                node.owner, node.at, source.taken = source.owner, source.at, False
                return True
        return False

    def _done(self, source: Node) -> None:
        source.children -= 1
        if source.children or source.views:
            return
        if source.root is not None:
            root = source.root
            root.views -= 1
            if not root.views and not root.children and root.taken:
                self._free(root)
        elif source.taken:
            self._free(source)

    def _free(self, node: Node) -> None:
        if not node.kept:
            self.buffers[node.owner].free(node.at, self._size(node, node.owner))
            node.taken = False
