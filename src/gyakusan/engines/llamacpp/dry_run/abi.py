"""The C interface of llama.cpp's shared library, as far as a dry run needs it. Layouts change between builds.

Source: llama.cpp b11434, include/llama.h and src/llama-ext.h; for `moe_cache_size` the declarations in the PyPI wheel
llama-cpp-py-sync 0.11548. Which layout a library has is found by its own defaults: see `context_params`.
"""

from __future__ import annotations

import ctypes
from ctypes import c_bool, c_float, c_int, c_int32, c_size_t, c_ubyte, c_uint32, c_void_p
from typing import Any, TypeAlias

from gyakusan.errors import UnknownBuild

_Fields: TypeAlias = list[tuple[str, Any]]
_MAX_STRUCTURE = 1024
"""More than any of these structures takes: a library that returns a larger one than we know must not write beyond. [B]"""
_MAX_BUFFER_TYPES = 64
"""No library has as many kinds of buffers."""


def _fields(kind: Any, names: str) -> _Fields:
    """Return fields of one C type. names: separated by blanks."""
    return [(name, kind) for name in names.split()]


class _Returned(ctypes.Structure):
    """Any structure that a library returns by value."""

    _fields_ = (("bytes", c_ubyte * _MAX_STRUCTURE),)


class ModelParams(ctypes.Structure):
    """llama_model_params."""

    _fields_ = (
        *_fields(c_void_p, "devices tensor_buft_overrides"),
        *_fields(c_int32, "n_gpu_layers"),
        *_fields(c_int, "split_mode load_mode lazy_mode"),
        *_fields(c_int32, "main_gpu"),
        *_fields(c_void_p, "tensor_split progress_callback progress_callback_user_data kv_overrides"),
        *_fields(c_bool, "vocab_only check_tensors use_extra_bufts no_host no_alloc load_mtp"),
    )


_SIZES: _Fields = [
    *_fields(c_uint32, "n_ctx n_batch n_ubatch n_seq_max n_rs_seq n_outputs_max n_outputs_max_per_seq"),
    *_fields(c_int32, "n_threads n_threads_batch"),
    *_fields(c_int, "ctx_type rope_scaling_type pooling_type attention_type flash_attn_type"),
    *_fields(c_float, "rope_freq_base rope_freq_scale yarn_ext_factor yarn_attn_factor yarn_beta_fast yarn_beta_slow"),
    *_fields(c_uint32, "yarn_orig_ctx"),
    *_fields(c_float, "defrag_thold"),
    *_fields(c_void_p, "cb_eval cb_eval_user_data"),
    *_fields(c_int, "type_k type_v"),
]
_SWITCHES: _Fields = [
    *_fields(c_void_p, "abort_callback abort_callback_data"),
    *_fields(c_bool, "embeddings offload_kqv no_perf op_offload swa_full kv_unified"),
    *_fields(c_void_p, "samplers"),
    *_fields(c_size_t, "n_samplers"),
    *_fields(c_void_p, "ctx_other"),
]


class ContextParams(ctypes.Structure):
    """llama_context_params from b11548 on, or before: the first with a size that tells of a cache of experts."""

    _fields_ = (*_SIZES, ("moe_cache_size", c_size_t), *_SWITCHES)


class EarlierContextParams(ctypes.Structure):
    """llama_context_params of b11434."""

    _fields_ = (*_SIZES, *_SWITCHES)


_MODEL_DEFAULTS: dict[str, object] = {
    **dict.fromkeys(("devices", "tensor_buft_overrides", "tensor_split", "progress_callback", "kv_overrides")),
    "n_gpu_layers": -1, "split_mode": 1, "load_mode": -1, "lazy_mode": 1, "main_gpu": 0, "use_extra_bufts": True,
    **dict.fromkeys(("vocab_only", "check_tensors", "no_host", "no_alloc", "load_mtp"), False),
}  # fmt: skip
_CONTEXT_DEFAULTS: dict[str, object] = {
    "n_ctx": 512, "n_batch": 2048, "n_ubatch": 512, "n_seq_max": 1, "n_outputs_max_per_seq": 1,
    **dict.fromkeys(("n_rs_seq", "n_outputs_max", "ctx_type", "yarn_orig_ctx", "n_samplers"), 0),
    "flash_attn_type": -1, "type_k": 1, "type_v": 1, "yarn_ext_factor": -1.0, "defrag_thold": -1.0,
    **dict.fromkeys(("cb_eval", "abort_callback", "abort_callback_data", "samplers", "ctx_other")),
    **dict.fromkeys(("offload_kqv", "no_perf", "op_offload", "swa_full"), True), "embeddings": False, "kv_unified": False,
}  # fmt: skip
"""llama_model_default_params and llama_context_default_params, b11434 and b11549."""


class Library:
    """One loaded library whose layout is known.

    model_params: llama_model_default_params()
    context_params: llama_context_default_params(), in the layout of this build
    load: llama_model_load_from_file
    init: llama_init_from_model
    free: llama_free
    log_set: llama_log_set
    """

    def __init__(self, path: str) -> None:
        """Load the library at `path`. Raises UnknownBuild, OSError."""
        self._library = ctypes.CDLL(path)
        self.model_params = self._defaults("llama_model_default_params", (ModelParams,), _MODEL_DEFAULTS)
        layouts = (ContextParams, EarlierContextParams)
        self.context_params = self._defaults("llama_context_default_params", layouts, _CONTEXT_DEFAULTS)
        self.load = self._function("llama_model_load_from_file", c_void_p, ctypes.c_char_p, ModelParams)
        self.init = self._function("llama_init_from_model", c_void_p, c_void_p, type(self.context_params))
        self.free = self._function("llama_free", None, c_void_p)
        self.log_set = self._function("llama_log_set", None, c_void_p, c_void_p)
        self._breakdown = self._function("_Z26llama_get_memory_breakdownPK13llama_context", _Map, c_void_p)
        self._function("llama_backend_init", None)()

    def breakdown(self, context: int) -> tuple[int, int, int]:
        """Return weights, context and compute of one context, over all buffer types. [B] Raises UnknownBuild.

        Source: src/llama-ext.h, std::map<buffer type, {model, context, compute}>, as libstdc++ lays it out.
        """
        entries = self._breakdown(context)
        if not 1 <= entries.count <= _MAX_BUFFER_TYPES:
            raise UnknownBuild("{what}", what=f"{entries.count} kinds of buffers")
        sums, seen, open_ = [0, 0, 0], 0, [entries.root]
        while open_ and seen <= _MAX_BUFFER_TYPES:
            if not (at := open_.pop()):
                continue
            node = _Node.from_address(at)
            sums = [a + b for a, b in zip(sums, node.sizes, strict=True)]
            seen += 1
            open_ += [node.left, node.right]
        if seen != entries.count:
            raise UnknownBuild("{what}", what=f"{seen} kinds of buffers instead of {entries.count}")
        return sums[0], sums[1], sums[2]

    def _function(self, name: str, result: Any, *arguments: Any) -> Any:
        try:
            function = self._library[name]
        except AttributeError:
            raise UnknownBuild("{what}", what=f"no {name}") from None
        function.restype, function.argtypes = result, arguments
        return function

    def _defaults(self, name: str, layouts: tuple[type[Any], ...], expected: dict[str, object]) -> Any:
        """Return the library's defaults, read in the first of `layouts` that gives the `expected` ones. Raises UnknownBuild."""
        raw = bytes(self._function(name, _Returned)())
        wrong = []
        for layout in layouts:
            values = layout.from_buffer_copy(raw)
            different = [f"{k} = {getattr(values, k)}" for k, v in expected.items() if getattr(values, k) != v]
            if not different:
                return values
            wrong.append(", ".join(different[:3]))
        raise UnknownBuild("{what}", what=f"{name}: {' | '.join(wrong)}")


class _Map(ctypes.Structure):
    """std::map by value: comparator, colour, root, leftmost, rightmost, count."""

    _fields_ = (*_fields(c_void_p, "compare colour root first last"), ("count", c_size_t))


class _Node(ctypes.Structure):
    """One entry of the map."""

    _fields_ = (*_fields(c_void_p, "colour parent left right key"), ("sizes", c_size_t * 3))
