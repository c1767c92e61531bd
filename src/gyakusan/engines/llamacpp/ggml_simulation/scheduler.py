"""ggml's scheduler: which device computes each node, what is copied between devices, and the buffers that follow.

Source: llama.cpp b11434, ggml/src/ggml-backend.cpp (ggml_backend_sched_split_graph); ggml-cuda.cu (offload_op).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from gyakusan.engines.llamacpp.ggml_simulation.allocator import Allocator
from gyakusan.engines.llamacpp.ggml_simulation.graph import VIEWS, Node, Tape

MAX_COPIES = 4
"""Copies of each input when batches are pipelined over GPUs. GGML_SCHED_MAX_COPIES."""
OFFLOAD_ROWS = 32
"""Rows from which a GPU takes over work whose weights are in RAM. ggml-cuda.cu, op_offload_min_batch_size."""
NOT_DECIDED_BY_WEIGHTS = ("ROPE", "FLASH_ATTN_EXT")
"""Operations whose weights are too small to decide where they run."""


class Split(Struct):
    """Nodes that one device computes in a row. ggml_backend_sched_split.

    device: the scheduler's number
    inputs: what is copied to the device first
    nodes: in the order of computation
    """

    device: int
    inputs: list[Node]
    nodes: list[Node]


class Scheduler:
    """Devices are numbers: GPUs first, the host last.

    host: the host's number
    copies: copies of each input, more than 1 if batches are pipelined
    offload: True if GPUs take over large batches whose weights are in RAM
    fetched: (identity of a tensor, device) -> its copies on that device
    """

    def __init__(self, gpus: int, *, copies: int = 1, offload: bool = True) -> None:
        self.host, self.copies, self.offload = gpus, copies, offload and gpus > 0
        self.fetched: dict[tuple[int, int], list[Node]] = {}

    def buffers(self, tape: Tape, aligns: Sequence[int]) -> tuple[int, ...]:
        """Return the size of each device's compute buffer, the host's last. [B] aligns: of each device's tensors [B]."""
        self._assign(tape)
        splits = self._split(tape)
        leaves = self._leaves(tape, splits)
        return Allocator(aligns).run(leaves, list(self._in_order(splits)))

    def _assign(self, tape: Tape) -> None:
        """Passes 1 to 4: homes and weights decide, then neighbours follow, GPUs before the host; what is left is the host's."""
        for node in (*tape.leaves, *tape.nodes):
            if node.device is None:
                node.device = self._own_device(node)
        computing = [n for n in tape.nodes if n.op not in VIEWS]
        for order, with_host in ((1, False), (-1, False), (1, True), (-1, True)):
            self._expand(computing[::order], with_host)
        for node in computing:
            if node.device is None:
                node.device = self.host
        for node in tape.nodes:
            if node.root is not None and node.device is None:
                node.device = node.root.device
            for source in node.sources:
                if source.device is None:
                    source.device = source.root.device if source.root is not None else node.device

    def _own_device(self, node: Node) -> int | None:
        """Pass 1: return the device that home or weights give, None if neither does. sched_backend_id_from_cur."""
        home = node.root.home if node.root is not None else node.home
        if home is not None:
            return home
        if node.graph_input:
            return self.host
        if node.op in NOT_DECIDED_BY_WEIGHTS:
            return None
        weight = None
        for source in node.sources:
            if source.weight:
                weight = source
                break
        if weight is None or (node.host_only and weight.home != self.host):
            return None
        if weight.home == self.host and self.offload and node.op != "GET_ROWS" and node.offloaded_rows >= OFFLOAD_ROWS:
            return 0
        return weight.home

    def _expand(self, nodes: Iterable[Node], with_host: bool) -> None:
        """Pass 2: give a node without a device its neighbour's."""
        current: int | None = None
        for node in nodes:
            if node.device is None:
                node.device = None if node.host_only and current != self.host else current
            elif node.device == self.host and not with_host:
                current = None
            else:
                current = node.device

    def _split(self, tape: Tape) -> list[Split]:
        """Pass 5: return the splits.

        One begins where the device changes, and at weights of another device, so that the place of their copies is reused.
        """
        splits: list[Split] = []
        leading_views: list[Node] = []
        for node in tape.nodes:
            if node.op in VIEWS:
                (splits[-1].nodes if splits else leading_views).append(node)
                continue
            assert node.device is not None
            last = splits[-1] if splits else None
            if last is None or node.device != last.device or (last.inputs and self._reads_foreign_weight(node)):
                last = Split(node.device, [], leading_views)
                leading_views = []
                splits.append(last)
            last.nodes.append(node)
            self._fetch(node, last)
        return splits

    @staticmethod
    def _reads_foreign_weight(node: Node) -> bool:
        for source in node.sources:  # noqa: SIM110 - asked of every node: `any` takes three times as long
            if source.weight and source.home != node.device:
                return True
        return False

    def _fetch(self, node: Node, split: Split) -> None:
        """Replace the node's sources on other devices by copies, made once for each device."""
        for i, source in enumerate(node.sources):
            if source.device == split.device:
                continue
            key = (id(source), split.device)
            if key not in self.fetched:
                self.fetched[key] = [self._copy(source, split.device) for _ in range(self.copies)]
                split.inputs.append(source)
            node.sources[i] = self.fetched[key][0]
            if i == 2:
                node.gpu_size += node.unmerged_extra

    def _copy(self, source: Node, device: int) -> Node:
        copy = Node("NONE", source.shape)
        copy.size, copy.gpu_size, copy.layout, copy.device = source.size, source.gpu_size, source.layout, device
        copy.never_freed = self.copies > 1
        return copy

    def _leaves(self, tape: Tape, splits: Sequence[Split]) -> list[Node]:
        """Pass 6: with several copies, inputs and what crosses devices are placed first and never freed."""
        if self.copies == 1:
            return tape.leaves
        first: list[Node] = []
        for node in (x for x in tape.leaves if x.graph_input):
            node.never_freed = True
            first += [node, *(self._copy(node, self.host) for _ in range(self.copies - 1))]
        for split in splits:
            for source in split.inputs:
                first += self.fetched[id(source), split.device]
        return first + tape.leaves

    def _in_order(self, splits: Sequence[Split]) -> Iterable[Node]:
        """Return the nodes, with a DEPEND node that keeps a source until its copy is made."""
        for split in splits:
            for source in split.inputs:
                depend = Node("DEPEND", source.shape, (source,), source.root or source)
                depend.device = source.device
                yield depend
                yield self.fetched[id(source), split.device][0]
            yield from split.nodes
