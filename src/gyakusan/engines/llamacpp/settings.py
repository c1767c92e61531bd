"""Settings of llama.cpp that change memory, with llama-server's own defaults. Every number may be an array.

Source: llama.cpp b11434, common/common.h (common_params), src/llama-context.cpp (llama_context::llama_context).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import ceil_div, is_array, minimum, round_up
from gyakusan.core.dtypes import CACHE_TYPES
from gyakusan.core.load import Load
from gyakusan.core.machine import Simd
from gyakusan.engines.llamacpp import builds
from gyakusan.engines.llamacpp.backends import GpuBackend
from gyakusan.errors import BadSetting, unknown
from gyakusan.message import quoted, say
from gyakusan.units import MIB

VERSION = "b11434"
"""The build whose source and measurements these rules come from."""
INT32 = 2**31 - 1
"""The largest number that the server reads."""
LONGEST_PATTERN, MOST_REPEATS = 500, 3
"""Of an override: characters, and repeats such as `.*` in it. Four of them took seconds on the names of a large model."""
STEP = 256
"""Caches hold multiples of this. llama-context.cpp, GGML_PAD(n_ctx, 256). [tokens]"""


@dataclass(frozen=True)
class Settings:
    """How the server is started. It has no slots, so that the sizes which all rules share are computed once.

    context: -c, all slots together [tokens]
    slots: --parallel, conversations at the same time
    unified: --kv-unified, one cache for all slots; each slot keeps its share of the context (--kv-unified-per-slot)
    batch: -b, the logical batch [tokens]
    ubatch: -ub, the physical batch [tokens]
    flash_attention: -fa; "auto" counts as on
    key_type: -ctk, element type of cached keys
    value_type: -ctv, element type of cached values
    swa_full: --swa-full, sliding-window layers keep the whole context
    outputs: whose logits are computed: "server" one row for each slot, "bench" every token of a batch
    backend: "cpu", or "cuda" for any GPU, with all layers on it unless the fields below say otherwise
    mmap: the CPU maps weights from the file
    repack: the CPU copies weights into the layout that it multiplies fastest
    gpu_layers: -ngl, units on GPUs (blocks, and the output as one more), counted from the end; -1 = all
    split_mode: -sm; "none" = one GPU, "layer" = blocks are shared out over all GPUs of the machine
    tensor_split: -ts, shares of the GPUs; empty = by their free memory
    main_gpu: -mg, the number of the one GPU
    n_cpu_moe: the experts of this many first blocks stay in RAM [blocks]
    n_cpu_ffn: the dense feed-forward networks of this many first blocks stay in RAM [blocks]
    overrides: -ot, pairs of a regular expression and a device; the tensors that match go there
    offload_kv: a layer's cache is on the device of its block, else in RAM
    op_offload: large batches are computed on the first GPU, with weights copied from RAM
    fit: the placement was computed for the machine, with a margin left free on each GPU
    simd: vector units of the CPU, for which weights are repacked
    driver: the backend of the GPUs, which decides how buffers are rounded up
    projector: --mmproj; "" = the one that came with the model, None = none
    projector_bytes: of the one that -hf fetches with a published model, 0 = none: --no-mmproj [B]
    lora: --lora, files of adapters
    draft: --model-draft, a second model that drafts
    mtp: the file's own prediction blocks draft
    draft_tokens: tokens drafted at a time [tokens]
    lazy: --lazy-mode, whether tables of per-layer embeddings stay on disk; "auto" = those above 4 GiB
    fit_target: --fit-target, left free on each GPU where `fit` places a model [B]
    draft_key_type: --cache-type-k-draft, of a draft model or the prediction blocks
    draft_value_type: --cache-type-v-draft, likewise
    build: of llama.cpp, as b9800; "" = the one of our rules, "unknown" = any of the last year
    cache_ram: --cache-ram, idle conversations that are kept in RAM, 0 = none, -1 = without limit [MiB]
    ctx_checkpoints: --ctx-checkpoints, snapshots of windows and states for each slot
    cache_idle_slots: --cache-idle-slots, idle conversations are copied to RAM, and leave a unified cache
    rpc: --rpc, workers as host:port; the first GPUs of the machine stand for them
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
    projector_bytes: int = 0
    lora: tuple[str, ...] = ()
    draft: str = ""
    mtp: bool = False
    draft_tokens: int = 3
    lazy: Literal["auto", "on", "off"] = "auto"
    rpc: tuple[str, ...] = ()
    fit_target: int = 1024 * MIB
    draft_key_type: str = "F16"
    draft_value_type: str = "F16"
    build: str = ""
    cache_ram: int = 8192
    ctx_checkpoints: int = 32
    cache_idle_slots: bool = True

    @property
    def allocation_rules(self) -> str:
        """Return the backend whose padding applies where the model is: a key of backends.PADDING."""
        return "cpu" if self.backend == "cpu" else self.driver

    @property
    def overridden(self) -> bool:
        """Return True if any rule moves tensors to another device. A rule that matches nothing counts as well."""
        return bool(self.overrides or self.n_cpu_moe or self.n_cpu_ffn)

    @property
    def on_one_device(self) -> bool:
        """Return True if one GPU holds everything, or the CPU does."""
        one = self.split_mode == "none" and self.main_gpu >= 0
        whole = self.gpu_layers < 0 and not self.overridden and self.offload_kv
        return self.backend == "cpu" or (one and whole)

    @property
    def flash(self) -> bool:
        """Return True if flash attention is used."""
        return self.flash_attention != "off"

    @property
    def transposed(self) -> bool:
        """Return True if values are stored transposed, as attention without flash reads them."""
        return not self.flash

    @cached_property
    def cache_types(self) -> tuple[str, str]:
        """Return the element types of keys and of values, in upper case."""
        return self.key_type.upper(), self.value_type.upper()

    @property
    def of_build(self) -> builds.Rules:
        """Return the rules of earlier builds that hold for this one."""
        return builds.rules(self.build)

    @property
    def streams(self) -> Number:
        """Return the number of separate caches: one if unified, else one for each slot."""
        return 1 if self.unified else self.slots

    @property
    def kept(self) -> Number:
        """Return the conversations whose tokens stay in a unified cache while they are idle, 0 where they leave it.

        Source: tools/server/server-context.cpp, TAG_IDLE_SLOT_CLEAR: at the start of each answer; not with --cache-ram 0.
        """
        return self.slots if self.unified and not (self.cache_idle_slots and self.cache_ram) else 0

    @cached_property
    def cells(self) -> Number:
        """Return the tokens that one stream holds: n_ctx padded, divided by the slots, padded again [tokens]."""
        total = round_up(self.context, STEP)
        return total if self.unified else round_up(total // self.slots, STEP)

    @cached_property
    def effective_ubatch(self) -> Number:
        """Return the tokens in one graph: never more than the batch, or the context before padding [tokens]."""
        return minimum(self.context, self.batch, self.ubatch)

    def window_cells(self, window: int) -> Number:
        """Return the tokens that one stream of a sliding-window layer holds. [tokens] llama_kv_cache_iswa."""
        tokens = window * (self.slots if self.unified else 1) + self.effective_ubatch
        return self.cells if self.swa_full else round_up(minimum(self.cells, tokens), STEP)

    @cached_property
    def graph_tokens(self) -> Number:
        """Return the tokens of the largest graph: one ubatch, equally many for each slot [tokens].

        Source: llama_context::graph_reserve.
        """
        return ceil_div(self.effective_ubatch, self.slots) * self.slots

    @cached_property
    def graph_outputs(self) -> Number:
        """Return the tokens of the largest graph whose logits are computed [tokens].

        Source: llama_context::sched_reserve, min(n_tokens, n_outputs_max).
        """
        return minimum(
            self.graph_tokens, self.slots if self.outputs == "server" and not self.of_build.all_logits else self.batch
        )


def for_load(load: Load, **changes: object) -> Settings:
    """Return settings that give each user the whole context: one stream for each, none can starve another."""
    return Settings(context=load.context * load.users, slots=load.users, **changes)  # type: ignore[arg-type]


def check(settings: Settings) -> Settings:
    """Return `settings`. Raises BadSetting for what llama.cpp refuses; arrays are not checked."""
    for name, least in (("context", 1), ("slots", 1), ("batch", 1), ("ubatch", 1), ("n_cpu_moe", 0), ("n_cpu_ffn", 0)):
        value = getattr(settings, name)
        if not is_array(value) and value < least:
            mend = "Give 1 or more." if least else "Give 0 or more."
            raise BadSetting("{key} cannot be {value}.", key=name, value=value, mend=mend)
        if name in ("batch", "ubatch") and not is_array(value) and value > INT32:
            raise BadSetting("{key} cannot be {value}.", key=name, value=value, mend="Give a smaller one.")
    if settings.projector_bytes < 0:
        raise BadSetting(
            "{key} cannot be {value}.", key="projector_bytes", value=settings.projector_bytes, mend="Give 0 or more."
        )
    if not builds.is_build(settings.build):
        mend = "Give a number such as b10434, or unknown."
        raise BadSetting("{key} cannot be {value}.", key="build", value=quoted(settings.build, 40), mend=mend)
    for name, least in (("cache_ram", -1), ("ctx_checkpoints", 0)):
        if getattr(settings, name) < least:
            raise BadSetting(
                "{key} cannot be {value}.", key=name, value=getattr(settings, name), mend="Give 0 or more."
            )
    _check_shares(settings)
    _check_placement(settings)
    _check_drafting(settings)
    _check_cache_types(settings)
    return settings


def _check_shares(settings: Settings) -> None:
    """Raise BadSetting for shares that divide nothing. Shares: any unit, only their ratio counts."""
    shares = settings.tensor_split
    if shares and not (all(math.isfinite(s) and s >= 0 for s in shares) and sum(shares) > 0):
        raise BadSetting(
            "{key} cannot be {value}.",
            key="tensor_split",
            value=",".join(map(str, shares)),
            mend="Give shares of 0 or more, not all 0.",
        )


def _check_placement(settings: Settings) -> None:
    if settings.split_mode not in ("layer", "none"):
        raise BadSetting(
            (
                "split_mode {mode} is not supported: llama.cpp dropped row split on CUDA, and tensor split "
                "is experimental."
            ),
            mode=settings.split_mode, mend="Use layer, or none for one GPU.",
        )  # fmt: skip
    for pattern, device in settings.overrides:
        if "," in pattern + device:
            raise BadSetting(
                "The override {rule} contains a comma, which separates overrides.", rule=pattern,
                mend="Write several overrides.",
            )  # fmt: skip
        _check_pattern(pattern)
    for worker in settings.rpc:
        host, colon, port = worker.rpartition(":")
        if not (host and colon and port.isdecimal()):
            raise BadSetting("The RPC worker {worker} has no port.", worker=worker, mend="Write host:port.")


def _check_pattern(pattern: str) -> None:
    """Raise BadSetting for a regular expression that may take minutes on a tensor's name: a repeated group, or many repeats."""
    plain = re.sub(r"\\.|\[[^\]]*\]", "x", pattern)
    repeats = len(re.findall(r"[*+{]", plain))
    if len(pattern) > LONGEST_PATTERN or repeats > MOST_REPEATS or re.search(r"\)[*+{]", plain):
        raise BadSetting(
            "The override {rule} takes too long to match.",
            rule=quoted(pattern, 80),
            mend="Write a shorter pattern, without repeated groups and with at most {most} repeats.",
            most=MOST_REPEATS,
        )


def _check_drafting(settings: Settings) -> None:
    if settings.draft and settings.mtp:
        raise BadSetting("Both mtp and draft were given.", mend="Use only one of them for speculative decoding.")
    if settings.draft_tokens < 1:
        raise BadSetting(
            "{key} cannot be {value}.", key="draft_tokens", value=settings.draft_tokens, mend="Give 1 or more."
        )


def _check_cache_types(settings: Settings) -> None:
    if settings.fit_target < 0:
        raise BadSetting(
            "{key} cannot be {value}.", key="fit_target", value=settings.fit_target, mend="Give 0 or more."
        )
    for kind in (settings.key_type, settings.value_type, settings.draft_key_type, settings.draft_value_type):
        if kind.upper() not in CACHE_TYPES:
            raise unknown(say("cache type"), kind, CACHE_TYPES, choices=True)
    if not settings.flash and settings.value_type.upper() not in ("F32", "F16", "BF16"):
        raise BadSetting(
            "A quantised value cache ({type}) needs flash attention.", type=settings.value_type,
            mend="Leave flash attention on, or use f16 values.",
        )  # fmt: skip
