"""ggml's scheduler, replayed: which device computes each node, what is copied between devices, and the buffers that follow.

Source: llama.cpp b11434, ggml/src/ggml-backend.cpp (ggml_backend_sched_split_graph); ggml-cuda.cu (offload_op).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gyakusan.engines.llamacpp.ggml_simulation.allocator import Allocator
from gyakusan.engines.llamacpp.ggml_simulation.graph import VIEWS, Node, Tape

COPIES = 4
"""Copies of each input when batches are pipelined over GPUs. GGML_SCHED_MAX_COPIES."""
OFFLOAD = 32
"""Rows from which a GPU takes over work whose weights are in RAM. ggml-cuda.cu, op_offload_min_batch_size."""
UNDECIDED = ("ROPE", "FLASH_ATTN_EXT")
"""Their weights are too small to decide where they run."""


@dataclass(slots=True)
class Section:
    """Nodes that one device computes in a row. inputs: what is copied to it first."""

    device: int
    inputs: list[Node]
    nodes: list[Node]


class Scheduler:
    """Devices are numbers: GPUs first, the host last."""

    def __init__(self, gpus: int, *, copies: int = 1, offload: bool = True) -> None:
        self.host, self.copies, self.offload = gpus, copies, offload and gpus > 0
        self.made: dict[tuple[int, int], list[Node]] = {}

    def buffers(self, tape: Tape, aligns: Sequence[int]) -> tuple[int, ...]:
        """Size of each device's compute buffer, the host's last. [B]"""
        self._assign(tape)
        sections = self._split(tape)
        leaves = self._leaves(tape, sections)
        return Allocator(aligns).run(leaves, list(self._ordered(sections)))

    def _assign(self, tape: Tape) -> None:
        """Passes 1, 2 and 4: homes and weights decide, then neighbours follow, GPUs before the host."""
        for node in (*tape.leaves, *tape.nodes):
            if node.device is None:
                node.device = self._own(node)
        computing = [n for n in tape.nodes if n.op not in VIEWS]
        for order, with_host in ((1, False), (-1, False), (1, True), (-1, True)):
            self._spread(computing[::order], with_host)
        for node in tape.nodes:
            if node.root is not None and node.device is None:
                node.device = node.root.device
            for source in node.sources:
                if source.device is None:
                    source.device = source.root.device if source.root is not None else node.device

    def _own(self, node: Node) -> int | None:
        """Pass 1. ggml_backend_sched_backend_id_from_cur."""
        home = node.root.home if node.root is not None else node.home
        if home is not None:
            return home
        if node.entry:
            return self.host
        if node.op in UNDECIDED:
            return None
        weight = next((s for s in node.sources if s.weight), None)
        if weight is None:
            return None
        if weight.home == self.host and self.offload and node.op != "GET_ROWS" and node.rows >= OFFLOAD:
            return 0
        return weight.home

    def _spread(self, nodes: Iterable[Node], with_host: bool) -> None:
        """Pass 2: a node without a device takes its neighbour's."""
        current: int | None = None
        for node in nodes:
            if node.device is None:
                node.device = current
            elif node.device == self.host and not with_host:
                current = None
            else:
                current = node.device

    def _split(self, tape: Tape) -> list[Section]:
        """Pass 5: a new section where the device changes, and at weights of another device, so that places are used again."""
        sections: list[Section] = []
        waiting: list[Node] = []
        for node in tape.nodes:
            if node.op in VIEWS:
                (sections[-1].nodes if sections else waiting).append(node)
                continue
            assert node.device is not None
            last = sections[-1] if sections else None
            if last is None or node.device != last.device or (last.inputs and self._foreign(node)):
                last = Section(node.device, [], [])
                last.nodes += waiting
                waiting = []
                sections.append(last)
            last.nodes.append(node)
            self._fetch(node, last)
        return sections

    @staticmethod
    def _foreign(node: Node) -> bool:
        return any(s.weight and s.home != node.device for s in node.sources)

    def _fetch(self, node: Node, section: Section) -> None:
        """Sources on other devices are copied once for each device."""
        for i, source in enumerate(node.sources):
            if source.device == section.device:
                continue
            key = (id(source), section.device)
            if key not in self.made:
                self.made[key] = [self._twin(source, section.device) for _ in range(self.copies)]
                section.inputs.append(source)
            node.sources[i] = self.made[key][0]
            if i == 2:
                node.on_gpu += node.apart

    def _twin(self, source: Node, device: int) -> Node:
        twin = Node("NONE", source.shape)
        twin.size, twin.on_gpu, twin.layout, twin.device = source.size, source.on_gpu, source.layout, device
        twin.kept = self.copies > 1
        return twin

    def _leaves(self, tape: Tape, sections: Sequence[Section]) -> list[Node]:
        """With several copies, inputs and what crosses devices is placed first and never freed. Pass 6."""
        if self.copies == 1:
            return tape.leaves
        first: list[Node] = []
        for entry in (x for x in tape.leaves if x.entry):
            entry.kept = True
            first += [entry, *(self._twin(entry, self.host) for _ in range(self.copies - 1))]
        for section in sections:
            for source in section.inputs:
                first += self.made[id(source), section.device]
        return first + tape.leaves

    def _ordered(self, sections: Sequence[Section]) -> Iterable[Node]:
        """Nodes with what keeps a source until its copy is made."""
        for section in sections:
            for source in section.inputs:
                depend = Node("DEPEND", source.shape, (source,), source.root or source)
                depend.device = source.device
                yield depend
                yield self.made[id(source), section.device][0]
            yield from section.nodes
