"""The speed of one server whose layers lie on several nodes, one after the other, with the network between them.

Measured with llama.cpp b11434 (November 2026): SmolLM2 135M on two workers behind a proxy that counts. For each token the
direction changed twice at each worker, so that a decode step is one question and one answer for each; 10,298 and 5,058 bytes
went to the workers and 4,032 came back from the first, of which 2,304 are the hidden state (576 values of 4 bytes).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, structs

from gyakusan.core.roofline import closed_loop
from gyakusan.planning.nodes.link import Link
from gyakusan.planning.predict.speed import Estimate, SpeedEstimate

HEADERS = 8000.0 + 1728.0 - 512.0
"""Bytes of a decode step beside hidden states and masks, both ways: measured, see above. [B]"""
VALUE = 4.0
"""Of the hidden state as it is sent. Source: llama.cpp b11434, ggml-rpc.cpp, F32 tensors as they are. [B]"""
MASK, CELLS = 2.0, 256
"""Bytes of the mask for a token and a cell, F16 under flash attention, and to how many cells it is filled up.

Source: llama.cpp b11312, llama-graph.cpp (build_attn_inp_kq_mask), llama-kv-cache.cpp (get_n_kv).
"""
GRAPH = 13_700.0
"""Bytes of a layer in the graph, which is sent anew whenever its shape changes: with each chunk of a prompt, with the first token
of an answer, and each CELLS tokens of it. Measured with llama.cpp b11312 (November 2026): SmolLM2's 30 layers are 410 kB. [B]"""


class Turn(Struct, frozen=True):
    """What goes through the chain.

    users: conversations that are answered at once
    prompt: length of a prompt [tokens]
    answer: output tokens [tokens]
    depth: mean length of a conversation while it is answered [tokens]
    chunk: prompt tokens that are computed at once [tokens]
    width: of the hidden state [values]
    layers: of the model
    """

    users: int
    prompt: float
    answer: float
    depth: float
    chunk: float
    width: float
    layers: float = 0.0


def step_hop(turn: Turn, workers: int, link: Link) -> float:
    """Return the time of the network in one decode step of all users [s]."""
    graphs = _graph(turn, workers) * (1 / CELLS + 1 / max(1.0, turn.answer))
    size = HEADERS + turn.users * (2 * VALUE * turn.width + _mask(turn.depth)) + graphs
    return workers * (link.latency + link.time(size))


def prompt_hop(turn: Turn, workers: int, link: Link) -> float:
    """Return the time of the network in one prompt: graph, hidden states both ways and a mask, chunk by chunk [s]."""
    chunks = -(-turn.prompt // turn.chunk)
    before = max(0.0, turn.depth - turn.prompt - turn.answer / 2)
    mask = _mask(before + (turn.prompt + min(turn.chunk, turn.prompt)) / 2)
    size = chunks * (HEADERS + _graph(turn, workers)) + turn.prompt * (2 * VALUE * turn.width + mask)
    return workers * (chunks * 2 * link.latency + size / link.bandwidth)


def _mask(length: float) -> float:
    """Return the bytes of the mask of one token in a conversation of some length [B]."""
    return MASK * CELLS * -(-length // CELLS)


def _graph(turn: Turn, workers: int) -> float:
    """Return the bytes of the graph of the layers that are on one worker; the server has its own part [B]."""
    return GRAPH * turn.layers / (workers + 1)


def chained(parts: Sequence[tuple[SpeedEstimate, float]], turn: Turn, hop: float, prompt_time: float) -> SpeedEstimate:
    """Return the speed of a chain: each node computes its share of the layers, one after the other.

    parts: speed of each node if it held all layers, and its share of them
    hop, prompt_time: of the network in a decode step and in a prompt [s]
    """
    each = _rate(parts, "decode_each", hop)
    prefill = _rate(parts, "prefill", prompt_time / turn.prompt)
    first = _time(parts, "ttft", prompt_time + hop)
    usual = 1 / sum(share / pace.usual for pace, share in parts)
    low, value, high = (
        float(closed_loop(1 / getattr(each, end), turn.prompt / getattr(prefill, end), turn.users, turn.answer))
        for end in ("low", "value", "high")
    )
    return structs.replace(
        parts[0][0],
        prefill=prefill,
        decode_each=each,
        decode_all=structs.replace(
            each, value=each.value * turn.users, low=each.low * turn.users, high=each.high * turn.users
        ),
        throughput=structs.replace(each, value=value, low=low, high=high),
        ttft=first,
        tpot=structs.replace(each, value=1 / each.value, low=1 / each.high, high=1 / each.low),
        points=(),
        chip=" + ".join(dict.fromkeys(pace.chip for pace, _ in parts)),
        usual=float(usual),
        bottleneck="links" if hop > 0.5 / each.value else parts[0][0].bottleneck,
    )


def _rate(parts: Sequence[tuple[SpeedEstimate, float]], name: str, delay: float) -> Estimate:
    """Return a rate: shares of the time of each node, and a delay for each token [s]."""
    low, value, high = (
        1 / (sum(share / getattr(getattr(pace, name), end) for pace, share in parts) + delay)
        for end in ("low", "value", "high")
    )
    return Estimate(value, low, high, "assumed", getattr(parts[0][0], name).slice, None)


def _time(parts: Sequence[tuple[SpeedEstimate, float]], name: str, delay: float) -> Estimate:
    low, value, high = (
        sum(share * getattr(getattr(pace, name), end) for pace, share in parts) + delay
        for end in ("low", "value", "high")
    )
    return Estimate(value, low, high, "assumed", getattr(parts[0][0], name).slice, None)
