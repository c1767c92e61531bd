"""Mamba-2 layers, and the blocks of Nemotron-H and Granite 4, as llama.cpp builds them.

Source: llama.cpp b11434, src/models/mamba-base.cpp (build_mamba2_layer), nemotron-h.cpp, granite-hybrid.cpp; which scans
CUDA computes: ggml-cuda.cu, ggml_backend_cuda_device_supports_op.
"""

from __future__ import annotations

from gyakusan.core.model import Recurrent
from gyakusan.engines.llamacpp.backends import CUDA_SCAN_STATES
from gyakusan.engines.llamacpp.ggml_simulation.graph import Node, copy_into, like, matmul, reshape, view
from gyakusan.engines.llamacpp.ggml_simulation.states import convolution_window, read_by, state_tensor
from gyakusan.engines.llamacpp.ggml_simulation.transformer_layers import Builder

HEAD_STEP = 16
"""CUDA scans heads whose width is a multiple of this. [values]"""
CHANNEL_STEP = 128
"""CUDA convolves channels whose number is a multiple of this."""


def mamba2(b: Builder, x: Node, block: int, m: Recurrent) -> Node:
    """Return one projection, a convolution over the last tokens, the scan with its state, and the gated output."""
    slots = b.slots
    each, channels = b.tokens // slots, m.inner + 2 * m.groups * m.state_size
    projected = matmul(b.need("ssm_in", block), x)
    step = projected.shape[0]
    z = view("VIEW", projected, (m.inner, b.tokens), step)
    window = convolution_window(b, view("VIEW", projected, (channels, each, slots), step), block, m, channels, each)
    convolved = Node("SSM_CONV", (channels, b.tokens), (window, b.need("ssm_conv1d", block)))
    convolved.host_only = channels % CHANNEL_STEP != 0
    convolved = like("UNARY", b.biased(convolved, "ssm_conv1d", block))
    inputs = view("VIEW", convolved, (m.inner, b.tokens), channels)
    time = like("ADD", Node("CONT", (m.rank, b.tokens), (view("VIEW", projected, (m.rank, b.tokens), step),)),
                b.need("ssm_dt", block, "bias"))  # fmt: skip
    out = read_by(b, block, m.state, lambda states: _scan(b, block, m, (states, inputs, time, convolved)))
    home = state_tensor(b, block, m.state)
    b.tape.expand(copy_into(view("VIEW", out, (m.state, slots)), view("VIEW", home, (m.state, slots))))
    scanned = view("VIEW", out, (m.inner, b.tokens))
    scanned.layout = scanned.shape  # contiguous: a GPU adds in place to its copy of what the host scanned
    kept = like("ADD", scanned, like("MUL", inputs, b.bare("ssm_d", block)))
    gated = Node("GLU", (m.inner, b.tokens), (like("CONT", z), kept))
    if b.weight("ssm_norm", block):
        gated = b.norm(reshape(gated, m.inner // m.groups, m.groups, b.tokens), "ssm_norm", block)
    return matmul(b.need("ssm_out", block), reshape(gated, m.inner, b.tokens))


def _scan(b: Builder, block: int, m: Recurrent, of: tuple[Node, Node, Node, Node]) -> Node:
    """Return the scan: the outputs of all tokens and the states after them. CUDA has no kernel for some widths."""
    states, inputs, time, convolved = of
    each_group = (m.groups * m.state_size, b.tokens)
    keys, queries = (view("VIEW", convolved, each_group, convolved.shape[0]) for _ in range(2))
    size = m.inner * b.tokens + m.state * b.slots
    scan = Node("SSM_SCAN", (size,), (states, inputs, time, b.bare("ssm_a", block), keys, queries, b.own_states))
    scan.host_only = m.state_size not in CUDA_SCAN_STATES["mamba2"] or m.inner // m.rank % HEAD_STEP != 0
    return scan
