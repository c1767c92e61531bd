"""The file that a dry run loads: the model's own if it is one on this disk, else a sparse one with all but the numbers.

What llama.cpp insists on and a config.json does not tell (scales, angles) changes no size: any number does.
Source: llama.cpp b11434, src/models/*.cpp (load_arch_hparams).
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gyakusan.core.model import Experts, Model, Tensor
from gyakusan.doors import files
from gyakusan.errors import BadModel, ServerError
from gyakusan.models.formats import gguf, gguf_writer

_NOT_COPIED = re.compile(
    r"gyakusan\.|tokenizer\.(?!ggml\.token_type_count$)|split\.|quantize\.|general\.(?!architecture$|name$|file_type$)"
)
"""Keys that are ours, or that a file without tokenizer and without other parts must not have."""
_EPSILON = 1e-6
_SIGMOID, _SQRT_SOFTPLUS = 2, 4
_NORMS = {"attention.layer_norm_rms_epsilon": _EPSILON, "attention.layer_norm_epsilon": _EPSILON}

Value = Callable[[Model], Any]


def _shared(model: Model) -> int:
    """Return the width of the shared experts [values]."""
    return next((f.shared for f in model.feed_forward if isinstance(f, Experts)), 0)


def _each(value: float) -> Value:
    return lambda model: [value] * model.blocks


_FOLLOWED: Mapping[str, Mapping[str, Value]] = {
    "minimax-m2": {"expert_gating_func": lambda m: _SIGMOID},
    "deepseek4": {"expert_gating_func": lambda m: _SQRT_SOFTPLUS, "rope.dimension_count": lambda m: 64},
    "mistral3": {"attention.temperature_scale": lambda m: 0.1},
    "ernie4_5-moe": {"expert_shared_feed_forward_length": _shared},
}
"""Architecture -> keys that llama.cpp does not ask for by name, but that its graph follows."""
_FILLED: Mapping[str, Value] = {
    "attention.compress_rope_freq_base": lambda m: 160000.0,
    "attention.indexer.block_size": lambda m: 128,
    "attention.indexer.local_blocks": lambda m: 1,
    "attention.indexer.top_k": lambda m: m.graph.selected or 2048,
    "attention.scale": lambda m: 1.0,
    "embedding_scale": lambda m: 1.0,
    "expert_gating_func": lambda m: _SIGMOID,
    "expert_weights_norm": lambda m: True,
    "expert_weights_scale": lambda m: 1.0,
    "hyper_connection.epsilon": lambda m: _EPSILON,
    "hyper_connection.sinkhorn_iterations": lambda m: 20,
    "logit_scale": lambda m: 1.0,
    "residual_scale": lambda m: 1.0,
    "rope.dimension_sections": lambda m: [11, 11, 10, 0],
    "rope.freq_base": lambda m: 10000.0,
    "rope.scaling.original_context_length": lambda m: m.trained_context,
    "swiglu_clamp_exp": _each(10.0),
    "swiglu_clamp_shexp": _each(10.0),
    "use_parallel_residual": lambda m: m.graph.parallel,
    **{f"xielu.{name}": _each(1.0) for name in ("alpha_n", "alpha_p", "beta", "eps")},
}
"""Keys that llama.cpp asks for by name: "key not found in model". They change no size, but for the ones that we know."""


def stub_metadata(model: Model, missed: tuple[str, ...] = ()) -> Mapping[str, Any]:
    """Return the key-values of the sparse file. missed: keys that llama.cpp missed, see `fillable`. Raises ServerError."""
    if not model.metadata:
        raise ServerError(
            "{name} has no metadata to write a GGUF file from.", name=model.name, mend="Leave out --exact."
        )
    arch = model.architecture
    own = {k: v for k, v in model.metadata.items() if not _NOT_COPIED.match(k) and _plain(v)}
    filled = {f"{arch}.{k}": v for k, v in _NORMS.items()}
    filled |= {f"{arch}.{k}": value(model) for k, value in _FOLLOWED.get(arch, {}).items()}
    filled |= {key: _FILLED[_suffix(model, key)](model) for key in missed}
    vocabulary = {"tokenizer.ggml.model": "none", f"{arch}.vocab_size": model.vocabulary}
    return {"general.architecture": arch, **filled, **own, **vocabulary}


def fillable(model: Model, key: str) -> bool:
    """Return True if `key`, which llama.cpp missed, may hold any number."""
    return _suffix(model, key) in _FILLED


def _suffix(model: Model, key: str) -> str:
    return key.removeprefix(f"{model.architecture}.")


def _plain(value: Any) -> bool:
    """Return False for what the reader stepped over."""
    return isinstance(value, bool | int | float | str) or (isinstance(value, tuple | list) and bool(value))


@contextlib.contextmanager
def loadable_file(model: Model, missed: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the path of the file to load: the model's own, or a sparse one in a folder that is deleted afterwards."""
    if is_whole_file(model):
        yield os.path.abspath(model.source)
        return
    with tempfile.TemporaryDirectory(prefix="gyakusan-") as folder:
        path = os.path.join(folder, "model.gguf")
        gguf_writer.write(path, stub_metadata(model, missed), model.tensors)
        yield path


def is_whole_file(model: Model) -> bool:
    """Return True if the model is one file on disk, and not what that file would be if quantised otherwise."""
    if not model.source.endswith(".gguf") or not os.path.isfile(model.source):
        return False
    try:
        with files.open(model.source) as source:
            header = gguf.read(source)
    except BadModel:
        return False
    tensors = tuple(Tensor(t.name, t.shape, t.type) for t in header.tensors)
    return header.metadata.get("split.count", 1) in (0, 1) and tensors == model.tensors
