"""The base of a compute buffer: its inputs and the residual vectors that live through the whole graph."""

from __future__ import annotations

from msgspec import Struct

from gyakusan.core.arrays import Number
from gyakusan.core.model import Model
from gyakusan.engines.llamacpp.backends import ALIGNMENT, F32
from gyakusan.engines.llamacpp.compute_buffer.inputs import inputs
from gyakusan.engines.llamacpp.settings import Settings


class Base(Struct, frozen=True):
    """What the peaks of one graph stand on. Every number may be an array.

    model: whose graph it is
    settings: how the server is started
    inputs: the inputs, and what sparse attention keeps for all layers [B]
    bytes: inputs and residual vectors [B]
    """

    model: Model
    settings: Settings
    inputs: Number
    bytes: Number

    @property
    def on_gpu(self) -> bool:
        """Return True if the GPU computes."""
        return self.settings.backend == "cuda"

    def per_token(self, width: Number) -> Number:
        """Return the bytes of `width` values for each token of the graph [B]."""
        return F32 * self.settings.graph_tokens * width

    @property
    def residual(self) -> Number:
        """Return the bytes of one residual vector for each token [B]."""
        return self.per_token(self.model.embedding)


def base_of(model: Model, s: Settings) -> Base:
    """Return the base of a graph, without what sparse attention keeps."""
    size = inputs(model, s, ALIGNMENT[s.backend], host=s.backend == "cpu")
    vectors = residual_vectors(model, s.backend) * model.embedding + model.graph.per_layer
    return Base(model, s, size, size + F32 * s.graph_tokens * vectors)


def residual_vectors(model: Model, backend: str) -> int:
    """Return the number of residual vectors in the base.

    They are the input, what it was copied from for mixed batches, a block's input and its output; a CPU owns the copied
    rows of the input as well. Several residual streams are kept twice.
    Source: llama-graph.cpp, llm_graph_context::build_inp_embd.
    """
    streams = model.graph.streams
    if not model.graph.mixed:
        return 2 * streams + 2
    return (4 if streams == 1 else streams + 2) + (1 if backend == "cpu" else 0)
