"""The tensors of a block under their GGUF names; the `block(b)` of a family puts them together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from msgspec import Struct

from gyakusan.core.model import Dense, Experts, FeedForward, Tensor
from gyakusan.models.families import layers
from gyakusan.models.families.metadata import Metadata

FULL = re.compile(
    r"(_norm|ffn_gate_inp|ffn_gate_inp_shexp|ssm_conv1d(_[qkv])?|shortconv\.conv|altup_\w+_coef|indexer\.([kq]_)?proj)"
    r"\.weight$"
)
"""Weights that the converter leaves in F32 whatever their shape."""


def tensor(name: str, *shape: int) -> Tensor:
    """Return a tensor with the type the converter gives it: F32 for vectors, norms, routers, convolutions; else F16."""
    plain = name.endswith(".weight") and len(shape) > 1 and not FULL.search(name)
    return Tensor(name, shape, "F16" if plain else "F32")


@lru_cache(maxsize=1024)
def _is_full(name: str) -> bool:
    """Return True for a weight of a block that stays in F32 whatever its shape; name: without the block's number."""
    return FULL.search(f"blk.0.{name}.weight") is not None


class Block(Struct, frozen=True):
    """One block of a model, and the tensors it may have.

    m: metadata of the model
    i: number of the block
    embedding: width of the residual stream [values]
    heads: query heads
    kv: key-value heads
    key: width of one head's key [values]
    value: width of one head's value [values]
    ffn: its feed-forward network, None if it has none
    extra: True for a prediction block that is not loaded
    """

    m: Metadata
    i: int
    embedding: int
    heads: int
    kv: int
    key: int
    value: int
    ffn: FeedForward | None
    extra: bool

    def w(self, name: str, *shape: int) -> Tensor:
        """Return a weight of this block."""
        return Tensor(f"blk.{self.i}.{name}.weight", shape, "F32" if len(shape) < 2 or _is_full(name) else "F16")

    def bias(self, name: str, *shape: int) -> Tensor:
        """Return a bias of this block."""
        return Tensor(f"blk.{self.i}.{name}.bias", shape, "F32")

    def bare(self, name: str, *shape: int) -> Tensor:
        """Return a tensor without a suffix, always F32."""
        return Tensor(f"blk.{self.i}.{name}", shape, "F32")

    def norms(self, *names: str, bias: bool = False) -> Iterator[Tensor]:
        """Return norms over the embedding."""
        for name in names:
            yield self.w(name, self.embedding)
            if bias:
                yield self.bias(name, self.embedding)

    def linear(self, name: str, width: int, out: int, bias: bool = False) -> Iterator[Tensor]:
        """Return a matrix from `width` to `out` values."""
        yield self.w(name, width, out)
        if bias:
            yield self.bias(name, out)

    def attention(
        self,
        *,
        bias: bool = False,
        output_bias: bool = False,
        qk_norm: bool = False,
        fused: bool = False,
        queries: int = 1,
    ) -> Iterator[Tensor]:
        """Return grouped-query attention. fused: one matrix for q, k, v; queries: matrices in q (2 with an output gate)."""
        q, k, v = self.heads * self.key * queries, self.kv * self.key, self.kv * self.value
        for name, out in (("attn_qkv", q + k + v),) if fused else (("attn_q", q), ("attn_k", k), ("attn_v", v)):
            yield from self.linear(name, self.embedding, out, bias)
        yield from self.linear("attn_output", self.heads * self.value, self.embedding, output_bias)
        if qk_norm:
            yield self.w("attn_q_norm", self.key)
            yield self.w("attn_k_norm", self.key)

    def latent(self) -> Iterator[Tensor]:
        """Return multi-head latent attention."""
        rank, rope = self.m.positive("attention.kv_lora_rank"), self.m.positive("rope.dimension_count")
        key, value = self.m.positive("attention.key_length_mla"), self.m.positive("attention.value_length_mla")
        low = self.m.number("attention.q_lora_rank", 0)
        if low:
            yield self.w("attn_q_a", self.embedding, low)
            yield self.w("attn_q_a_norm", low)
            yield self.w("attn_q_b", low, self.heads * key)
        else:
            yield self.w("attn_q", self.embedding, self.heads * key)
        yield self.w("attn_kv_a_mqa", self.embedding, rank + rope)
        yield self.w("attn_kv_a_norm", rank)
        yield self.w("attn_k_b", key - rope, rank, self.heads)
        yield self.w("attn_v_b", rank, value, self.heads)
        yield self.w("attn_output", self.heads * value, self.embedding)

    def feed_forward(self, *, fused: bool = False, bias: bool = False, chosen: bool = False) -> Iterator[Tensor]:
        """Return the dense network or the experts of the block.

        fused: gate and up in one matrix; chosen: experts have a bias for being chosen (exp_probs_b).
        """
        match self.ffn:
            case Dense():
                yield from self.dense(self.ffn, fused=fused, bias=bias)
            case Experts():
                yield from self.experts(self.ffn, chosen=chosen)
            case None:
                pass

    def dense(self, ffn: Dense, *, fused: bool = False, bias: bool = False) -> Iterator[Tensor]:
        """Return gate, up and down."""
        if ffn.gated and not fused:
            yield from self.linear("ffn_gate", self.embedding, ffn.width, bias)
        yield from self.linear("ffn_up", self.embedding, ffn.width * (2 if fused else 1), bias)
        yield from self.linear("ffn_down", ffn.width, self.embedding, bias)

    def experts(self, ffn: Experts, *, chosen: bool = False, bias: bool = False) -> Iterator[Tensor]:
        """Return router, experts and shared experts. bias: of the router and each matrix."""
        yield from self.linear("ffn_gate_inp", self.embedding, ffn.count, bias)
        if chosen:
            yield self.bias("exp_probs_b", ffn.count)
        for name, width, out in _matrices(self.embedding, ffn.width, ffn.gated):
            yield self.w(f"ffn_{name}_exps", width, out, ffn.count)
            if bias:
                yield self.bias(f"ffn_{name}_exps", out, ffn.count)
        for name, width, out in _matrices(self.embedding, ffn.shared, ffn.gated) if ffn.shared else ():
            yield self.w(f"ffn_{name}_shexp", width, out)

    def prediction(self, *, table: bool = False) -> Iterator[Tensor]:
        """Return the further tensors of a multi-token-prediction block. table: it has its own embedding and output."""
        yield self.w("nextn.eh_proj", 2 * self.embedding, self.embedding)
        yield from self.norms("nextn.enorm", "nextn.hnorm", "nextn.shared_head_norm")
        if table:
            for name in ("nextn.embed_tokens", "nextn.shared_head_head"):
                yield self.w(name, self.embedding, self.m.positive("vocab_size"))

    def mamba(self, *, norms: bool = False) -> Iterator[Tensor]:
        """Return a Mamba layer. norms: of dt, B and C (Jamba)."""
        inner, state, rank, kernel = state_space(self.m)
        yield self.w("ssm_in", self.embedding, 2 * inner)
        yield from self.linear("ssm_conv1d", kernel, inner, True)
        yield self.w("ssm_x", inner, rank + 2 * state)
        yield from self.linear("ssm_dt", rank, inner, True)
        if norms:
            yield from (self.w("ssm_dt_norm", rank), self.w("ssm_b_norm", state), self.w("ssm_c_norm", state))
        yield self.bare("ssm_a", state, inner)
        yield self.bare("ssm_d", inner)
        yield self.w("ssm_out", inner, self.embedding)

    def mamba2(self, *, norm: bool = True) -> Iterator[Tensor]:
        """Return a Mamba-2 layer. norm: it has a grouped norm before the output."""
        inner, state, rank, kernel = state_space(self.m)
        groups = self.m.positive("ssm.group_count")
        mixed = inner + 2 * groups * state
        yield self.w("ssm_in", self.embedding, inner + mixed + rank)
        yield from self.linear("ssm_conv1d", kernel, mixed, True)
        yield self.bias("ssm_dt", rank)
        yield self.bare("ssm_a", 1, rank)
        yield self.bare("ssm_d", 1, rank)
        if norm:
            yield self.w("ssm_norm", inner // groups, groups)
        yield self.w("ssm_out", inner, self.embedding)

    def delta(self) -> Iterator[Tensor]:
        """Return the tensors of all gated delta layers: q, k, v in one matrix, gate, convolution, decay, norm."""
        inner, state, rank, kernel = state_space(self.m)
        mixed = inner + 2 * state * self.m.positive("ssm.group_count")
        yield self.w("attn_qkv", self.embedding, mixed)
        yield self.w("attn_gate", self.embedding, inner)
        yield self.w("ssm_conv1d", kernel, mixed)
        yield self.bias("ssm_dt", rank)
        yield self.bare("ssm_a", rank)
        yield self.w("ssm_norm", state)
        yield self.w("ssm_out", inner, self.embedding)

    def kda(self, decay: tuple[int, ...]) -> Iterator[Tensor]:
        """Return Kimi delta attention without the low-rank f and g. decay: shape of ssm_a."""
        head, kernel = self.m.positive("kda.head_dim"), self.m.positive("ssm.conv_kernel")
        inner = head * self.heads
        for part in "qkv":
            yield self.w(f"attn_{part}", self.embedding, inner)
            yield self.w(f"ssm_conv1d_{part}", kernel, 1, inner, 1)
        yield self.w("attn_output", inner, self.embedding)
        yield self.w("ssm_beta", self.embedding, self.heads)
        yield self.bias("ssm_dt", inner)
        yield self.bare("ssm_a", *decay)
        yield self.w("ssm_norm", head)

    def shortconv(self) -> Iterator[Tensor]:
        """Return a gated short convolution (LFM2)."""
        yield self.w("shortconv.conv", self.m.positive("shortconv.l_cache"), self.embedding)
        yield self.w("shortconv.in_proj", self.embedding, 3 * self.embedding)
        yield self.w("shortconv.out_proj", self.embedding, self.embedding)


def state_space(m: Metadata) -> tuple[int, int, int, int]:
    """Return inner size, state size, rank of the time step and length of the convolution kernel."""
    keys = ("inner_size", "state_size", "time_step_rank", "conv_kernel")
    inner, state, rank, kernel = (m.positive(f"ssm.{key}") for key in keys)
    return inner, state, rank, kernel


def _matrices(embedding: int, width: int, gated: bool) -> tuple[tuple[str, int, int], ...]:
    gate = (("gate", embedding, width),) if gated else ()
    return (*gate, ("up", embedding, width), ("down", width, embedding))


def edges(
    m: Metadata, vocabulary: int, *, norm: str = "output_norm", rotary: int = 0, tied: bool | None = None
) -> Iterator[Tensor]:
    """Return the tensors outside of the blocks: embedding, last norm, output unless tied, rotary factors.

    tied: None = ask the metadata; rotary: number of rotary factors, 0 = none.
    """
    width = m.positive("embedding_length")
    yield tensor("token_embd.weight", width, vocabulary)
    yield tensor(f"{norm}.weight", width)
    if not (m.stated("tied") if tied is None else tied):
        yield tensor("output.weight", width, vocabulary)
    if rotary:
        yield tensor("rope_freqs.weight", rotary)


def blocks(m: Metadata, groups: Sequence[FeedForward]) -> Iterator[Block]:
    """Return every block of the file. groups: the family's `feed_forward`; prediction blocks take after the last."""
    ffn = {i: g for g in groups for i in g.layers}
    last = next((g for g in groups if isinstance(g, Experts)), groups[-1] if groups else None)
    queries, kvs, count = layers.heads(m), layers.kv_heads(m), layers.loaded(m)
    key, value = (layers.head_width(m, "key"), layers.head_width(m, "value")) if any(queries) else (0, 0)
    width = m.positive("embedding_length")
    for i in range(m.blocks):
        yield Block(m, i, width, queries[i], kvs[i], key, value, ffn.get(i) if i < count else last, i >= count)
