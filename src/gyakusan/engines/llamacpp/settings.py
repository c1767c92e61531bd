"""Settings of llama.cpp that change memory, with llama-server's own defaults. Every number may be an array.

Source: llama.cpp b11434, common/common.h (common_params), src/llama-context.cpp (llama_context::llama_context).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import ceil_div, is_array, minimum, round_up
from gyakusan.core.dtypes import CACHE_TYPES
from gyakusan.core.load import Load
from gyakusan.core.machine import Simd
from gyakusan.engines.llamacpp.backends import GpuBackend
from gyakusan.errors import BadSetting, unknown
from gyakusan.message import say

VERSION = "b11434"
"""The build whose source and measurements these rules come from."""


@dataclass(frozen=True)
class Settings:
    """How the server is started.

    context: n_ctx, all slots together [tokens]; slots: --parallel; unified: one KV pool for all slots;
    batch, ubatch: logical and physical batch [tokens]; flash_attention: "auto" counts as on;
    key_type, value_type: element types of the cache; swa_full: keep whole context in sliding-window layers;
    outputs: whose logits are kept, "server" (one row for each slot) or "bench" (every token of a batch);
    backend: "cpu", or "cuda" with everything offloaded unless the next ones say otherwise; mmap, repack: how the CPU
    holds weights; driver: what drives the GPUs, "cuda" or another: it decides how buffers are rounded up.
    projector: --mmproj, "" = the one that came with the model, None = none; lora: --lora, files of adapters;
    draft: --model-draft, a second model that drafts; mtp: the file's own prediction blocks draft; draft_tokens: at a time
    [tokens]; lazy: --lazy-mode, whether tables of per-layer embeddings stay on disk, "auto" = above 4 GiB;
    rpc: --rpc, workers as host:port; the first GPUs of the machine stand for them.
    gpu_layers: -ngl, units (blocks, and the output as one more) on GPUs, counted from the end; -1 = all;
    split_mode: "none" = one GPU, main_gpu; "layer" = blocks are shared out over all GPUs of the machine;
    tensor_split: shares of the GPUs, empty = by their free memory; main_gpu: number of the one GPU;
    n_cpu_moe, n_cpu_ffn: the experts (or the dense feed-forward networks) of the first blocks stay in RAM [blocks];
    overrides: -ot, pairs of a regular expression and "CPU": such tensors stay in RAM;
    offload_kv: the cache lives where its block lives, else in RAM; op_offload: large batches are computed on the first
    GPU with weights copied from RAM; fit: the placement was computed for the machine, with a margin on each GPU;
    simd: vector units of the CPU, for which weights are repacked.
    """

    context: Number
    slots: Number = 1
    unified: bool = False
    batch: Number = 2048
    ubatch: Number = 512
    flash_attention: Literal["auto", "on", "off"] = "auto"
    key_type: str = "F16"
    value_type: str = "F16"
    swa_full: bool = False
    outputs: Literal["server", "bench"] = "server"
    backend: Literal["cpu", "cuda"] = "cuda"
    mmap: bool = True
    repack: bool = True
    gpu_layers: int = -1
    split_mode: Literal["layer", "none"] = "none"
    tensor_split: tuple[float, ...] = ()
    main_gpu: int = 0
    n_cpu_moe: int = 0
    n_cpu_ffn: int = 0
    overrides: tuple[tuple[str, str], ...] = ()
    offload_kv: bool = True
    op_offload: bool = True
    fit: bool = False
    simd: Simd = "avx2"
    driver: GpuBackend = "cuda"
    projector: str | None = ""
    lora: tuple[str, ...] = ()
    draft: str = ""
    mtp: bool = False
    draft_tokens: int = 3
    lazy: Literal["auto", "on", "off"] = "auto"
    rpc: tuple[str, ...] = ()

    @property
    def stores(self) -> str:
        """Whose rules of padding apply where the model is: a key of drivers.PADDING."""
        return "cpu" if self.backend == "cpu" else self.driver

    @property
    def overridden(self) -> bool:
        """True if any rule keeps tensors in RAM. A rule that matches nothing counts as well."""
        return bool(self.overrides or self.n_cpu_moe or self.n_cpu_ffn)

    @property
    def plain(self) -> bool:
        """True if one GPU holds everything, or the CPU does."""
        alone = self.split_mode == "none" and self.main_gpu >= 0
        whole = self.gpu_layers < 0 and not self.overridden and self.offload_kv
        return self.backend == "cpu" or (alone and whole)

    @property
    def flash(self) -> bool:
        """True if flash attention is used."""
        return self.flash_attention != "off"

    @property
    def streams(self) -> Number:
        """Separate caches. One if unified, else one for each slot."""
        return 1 if self.unified else self.slots

    @cached_property
    def cells(self) -> Number:
        """Tokens that one stream holds. [tokens] llama_context: n_ctx padded to 256, divided, padded again."""
        total = round_up(self.context, 256)
        return total if self.unified else round_up(total // self.slots, 256)

    @cached_property
    def effective_ubatch(self) -> Number:
        """Tokens in one graph: never more than the batch, or the context asked for (before padding). [tokens]"""
        return minimum(self.context, self.batch, self.ubatch)

    def window_cells(self, window: int) -> Number:
        """Tokens that one stream of a sliding-window layer holds. [tokens] llama_kv_cache_iswa."""
        tokens = window * (self.slots if self.unified else 1) + self.effective_ubatch
        return self.cells if self.swa_full else round_up(minimum(self.cells, tokens), 256)

    @cached_property
    def graph_tokens(self) -> Number:
        """Tokens of the worst-case graph: one ubatch, the same number for each slot. [tokens] llama_context::graph_reserve."""
        return ceil_div(self.effective_ubatch, self.slots) * self.slots


def for_load(load: Load, **changes: object) -> Settings:
    """Settings that give each user the whole context: one stream for each, none can starve another."""
    return Settings(context=load.context * load.users, slots=load.users, **changes)  # type: ignore[arg-type]


def check(settings: Settings) -> Settings:
    """`settings`, or BadSetting for what llama.cpp refuses. Only scalars are checked."""
    for name in ("context", "slots", "batch", "ubatch"):
        value = getattr(settings, name)
        if not is_array(value) and value < 1:
            raise BadSetting("{name} is {value}.", name=name, value=value, mend="Give 1 or more.")
    if settings.split_mode not in ("layer", "none"):
        raise BadSetting(
            "split_mode {mode} is not priced: llama.cpp dropped rows on CUDA, and tensors are an experiment.",
            mode=settings.split_mode,
            mend="Use layer, or none for one GPU.",
        )
    for pattern, device in settings.overrides:
        if "," in pattern + device:
            raise BadSetting(
                "The override {rule} has a comma, which separates overrides.",
                rule=pattern,
                mend="Write it as several rules.",
            )
    for name in ("n_cpu_moe", "n_cpu_ffn"):
        if getattr(settings, name) < 0:
            raise BadSetting("{name} is {value}.", name=name, value=getattr(settings, name), mend="Give 0 or more.")
    _drafting(settings)
    for kind in (settings.key_type, settings.value_type):
        if kind.upper() not in CACHE_TYPES:
            raise unknown(say("cache type"), kind, CACHE_TYPES)
    if not settings.flash and settings.value_type.upper() not in ("F32", "F16", "BF16"):
        raise BadSetting(
            "A quantised value cache ({type}) needs flash attention.",
            type=settings.value_type,
            mend="Leave flash attention on, or use f16 values.",
        )
    return settings


def _drafting(settings: Settings) -> None:
    if settings.draft and settings.mtp:
        raise BadSetting("mtp and draft were both given.", mend="Let one of them draft.")
    if settings.draft_tokens < 1:
        raise BadSetting("{name} is {value}.", name="draft_tokens", value=settings.draft_tokens, mend="Give 1 or more.")
    for worker in settings.rpc:
        host, colon, port = worker.rpartition(":")
        if not (host and colon and port.isdecimal()):
            raise BadSetting("The RPC worker {worker} has no port.", worker=worker, mend="Write host:port.")
