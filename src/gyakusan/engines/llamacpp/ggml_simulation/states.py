"""The states of recurrent layers as llama.cpp's graphs read and write them.

Source: llama.cpp b11434, src/llama-graph.cpp (build_rs), src/models/delta-net-base.cpp, mamba-base.cpp.
"""

from __future__ import annotations

from collections.abc import Callable

from gyakusan.core.model import Recurrent
from gyakusan.engines.llamacpp.backends import F32
from gyakusan.engines.llamacpp.ggml_simulation.graph import Node, copy_into, leaf, reshape, view
from gyakusan.engines.llamacpp.ggml_simulation.transformer_layers import Builder


def state_tensor(b: Builder, block: int, width: int) -> Node:
    """Return a state of all slots, where its block's cache is: one leaf for each use, which takes no place."""
    return leaf(F32 * width * b.slots, home=b.cache_device(block), shape=(width, b.slots))


def gathered_state(b: Builder, block: int, width: int) -> Node:
    """Return the states of all slots, gathered; one is cleared first. build_rs."""
    home, slots = state_tensor(b, block, width), b.slots
    states = reshape(home, width, slots)
    b.tape.expand(Node("SCALE", (0,), (view("VIEW", states, (0,)),), home))
    gathered = Node("GET_ROWS", (width, slots), (states, b.states))
    out = view("VIEW", gathered, (width, slots))
    b.tape.expand(out)
    b.tape.expand(copy_into(view("VIEW", gathered, (width, 0)), view("VIEW", home, (width, 0))))
    return out


def read_by(b: Builder, block: int, width: int, read: Callable[[Node], Node]) -> Node:
    """Return the operation that reads the states of all slots itself; one is cleared first. build_rs, get_state_rows.

    The states of all slots but one are gathered besides, to be moved where conversations changed their place.
    read: makes that operation of the states. width: of one state [values].
    """
    home, slots = state_tensor(b, block, width), b.slots
    states = reshape(home, width, slots)
    b.tape.expand(Node("SCALE", (0,), (view("VIEW", states, (0,)),), home))
    out = read(states)
    b.tape.expand(out)
    others = Node("GET_ROWS", (width, slots - 1), (states, b.other_states))
    b.tape.expand(copy_into(view("VIEW", others, (width, 0)), view("VIEW", home, (width, 0))))
    return out


def convolution_window(b: Builder, mixed: Node, block: int, m: Recurrent, channels: int, each: int) -> Node:
    """Return the convolution's input, its last tokens and the new ones; store the last of these. build_conv_state."""
    slots, before = b.slots, m.kernel - 1
    last = reshape(gathered_state(b, block, m.convolution), before, channels, slots)
    window = Node("CONCAT", (before + each, channels, slots), (last, view("TRANSPOSE", mixed, (each, channels, slots))))
    home = state_tensor(b, block, m.convolution)
    new_last = view("VIEW", window, (before, channels, slots), before + each)
    b.tape.expand(copy_into(new_last, view("VIEW", home, (m.convolution, slots))))
    return window
