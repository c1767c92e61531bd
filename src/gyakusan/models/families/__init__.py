"""Metadata -> Model. One small module for each family that departs from the dense rule; the module is the plug-in.

A family module names its `ARCHITECTURES` (as GGUF writes them) and `MODEL_TYPES` (config.json's name -> architecture),
and may define
  memory(m)         what each layer keeps: groups of Attention, Latent, Recurrent ...
  feed_forward(m)   Dense or Experts groups
  loaded(m)         number of blocks that an engine loads, without unused prediction blocks
  extra_loaded(m)   tensors that it loads of the other blocks
  vocabulary(m), tables(m), output_first(m), graph(m)
  block(b), edges(m)  the tensors of one block, and of none
  from_config(c)    a Hugging Face config.json -> GGUF keys
  DEFAULTS          model_type -> what transformers takes for keys that a config.json leaves out
What it leaves out is taken from `dense`. Shared words: layers, parts, configs. An unknown architecture goes to `infer`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import takewhile
from types import ModuleType
from typing import Any

from gyakusan.core.model import Model, Tensor
from gyakusan.errors import Unsupported, did_you_mean
from gyakusan.message import quoted
from gyakusan.models.families import configs, dense, infer, parts
from gyakusan.models.families.metadata import Metadata

PARTS = ("configs", "infer", "layers", "metadata", "parts")
"""Modules here that are no families."""


@cache
def registry() -> Mapping[str, ModuleType]:
    """Return the family module of each architecture. Raises TypeError if two families claim one."""
    return _claimed("ARCHITECTURES")


@cache
def model_types() -> Mapping[str, ModuleType]:
    """Return the family module of each model_type of a config.json. Raises TypeError if two families claim one."""
    return _claimed("MODEL_TYPES")


def rule(architecture: str, part: str) -> Callable[..., Any]:
    """Return the function `part` of the family of `architecture`. Raises Unsupported, naming the nearest architectures."""
    module = _find(architecture, "ARCHITECTURES")
    if module is None:
        raise _unknown(architecture, registry())
    found: Callable[..., Any] = getattr(module, part, None) or getattr(dense, part)
    return found


def known(architecture: str) -> bool:
    """Return True if a family claims `architecture`."""
    return _find(architecture, "ARCHITECTURES") is not None


def build(
    metadata: Metadata,
    tensors: Sequence[Tensor],
    *,
    name: str = "",
    source: str = "",
    quantization: str = "unknown",
) -> Model:
    """Return the Model that metadata and tensors describe. Raises Malformed, Unsupported.

    An unknown architecture is inferred from its tensors where that is sound (`Model.inferred`).
    """
    arch = metadata.architecture
    if not metadata.names:
        metadata = Metadata(metadata.values, frozenset(t.name for t in tensors))
    if not known(arch):
        metadata = infer.metadata(metadata, tensors) or _refuse(arch)
    read = {part: _part(metadata, part)(metadata) for part in MODEL_PARTS}
    read["vocabulary"] = _rows(tensors) or read["vocabulary"]
    return Model(
        name=name or str(metadata.values.get("general.name") or arch),
        architecture=arch,
        blocks=metadata.blocks,
        embedding=metadata.positive("embedding_length"),
        trained_context=metadata.number("context_length", 0),
        tensors=tuple(tensors),
        quantization=quantization,
        source=source,
        inferred=not known(arch),
        metadata=metadata.values,
        **read,
    )


MODEL_PARTS = ("memory", "feed_forward", "loaded", "vocabulary", "extra_loaded", "tables", "output_first", "graph")
"""Fields of Model that a family decides."""


def tensors(metadata: Metadata) -> tuple[Tensor, ...]:
    """Return the tensors of the unquantised (F16) file that llama.cpp's converter would write, from metadata alone.

    Raises Malformed, Unsupported. Keys under `gyakusan.` say what GGUF shows only by its tensors (see `convert`).
    """
    arch = metadata.architecture
    write = rule(arch, "block")
    found = list(rule(arch, "edges")(metadata))
    for block in parts.blocks(metadata, rule(arch, "feed_forward")(metadata)):
        found.extend(write(block))
    return tuple(found)


def convert(config: Mapping[str, Any]) -> Metadata:
    """Return GGUF-like metadata for a Hugging Face config.json. Raises Malformed, Unsupported.

    Absent keys get the defaults of the model's class in transformers.
    """
    c = configs.language(config)
    module = _find(c.model_type, "MODEL_TYPES")
    if module is None:
        raise _unknown(c.model_type, model_types())
    arch = module.MODEL_TYPES[c.model_type]
    c = c.with_defaults(getattr(module, "DEFAULTS", {}).get(c.model_type, {}))
    found = (getattr(module, "from_config", None) or dense.from_config)(c)
    arch = found.pop("general.architecture", arch)
    keys = {k if k.startswith(("gyakusan.", "general.")) else f"{arch}.{k}": v for k, v in found.items()}
    return Metadata({"general.architecture": arch, **keys})


def unquantized(metadata: Metadata, **about: str) -> Model:
    """Return the Model of the unquantised file that `metadata` stands for, with its tensors."""
    return build(metadata, tensors(metadata), quantization="F16", **about)


def _rows(tensors: Sequence[Tensor]) -> int:
    """Return the number of rows of the embedding table, which is the vocabulary whatever the metadata says."""
    return next((t.shape[-1] for t in tensors if t.name == "token_embd.weight" and t.shape), 0)


def _part(metadata: Metadata, part: str) -> Callable[[Metadata], Any]:
    return rule(metadata.architecture, part) if known(metadata.architecture) else getattr(dense, part)


@lru_cache(maxsize=256)
def _find(name: str, attribute: str) -> ModuleType | None:
    """Return the module that claims `name`, None if none does. Those with the likest names come first: few are imported."""
    if name in getattr(dense, attribute):
        return dense
    path = "".join(ch if ch.isalnum() else "_" for ch in name)
    likest = sorted(_modules(), key=lambda other: _shared(path, other), reverse=True)
    modules = (importlib.import_module(f"{__name__}.{other}") for other in likest)
    return next((module for module in modules if name in getattr(module, attribute, ())), None)


def _shared(one: str, other: str) -> int:
    """Return the number of letters with which both names begin."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


@cache
def _modules() -> tuple[str, ...]:
    return tuple(info.name for info in pkgutil.iter_modules(__path__) if info.name not in PARTS)


def _claimed(attribute: str) -> Mapping[str, ModuleType]:
    found: dict[str, ModuleType] = {}
    for path in _modules():
        module = importlib.import_module(f"{__name__}.{path}")
        for name in getattr(module, attribute, ()):
            if name in found:
                raise TypeError(f"{name} has two families: {found[name].__name__} and {module.__name__}")
            found[name] = module
    return found


def _refuse(architecture: str) -> Metadata:
    raise _unknown(architecture, registry())


def _unknown(name: str, table: Mapping[str, ModuleType]) -> Unsupported:
    near = did_you_mean(name, table, n=3)
    return Unsupported(
        "The architecture {name} is not supported yet.",
        name=quoted(name, 40),
        near=", ".join(near) or "-",
        mend="Similar: {near}. A GGUF file of it can be inspected: its layers are inferred from its tensors.",
    )
