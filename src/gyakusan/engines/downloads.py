"""Which files of a repository a server loads: by the kind of files that it reads, as the engine's own loader chooses them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

from gyakusan.message import Message, say

INDEX, MISTRAL_INDEX = "model.safetensors.index.json", "consolidated.safetensors.index.json"
MLX_PATTERNS = (
    "*.json", "model*.safetensors", "*.py", "tokenizer.model", "*.tiktoken", "tiktoken.model", "*.txt", "*.jsonl", "*.jinja",
)  # fmt: skip
"""What MLX-LM fetches of a repository. Source: mlx-lm 0.32.2, mlx_lm/utils.py, DEFAULT_ALLOW_PATTERNS."""
CHECKPOINT_PATTERNS = ("*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken")
"""Config, tokenizer and chat template, which stand at the top of a repository; no code (*.py) is fetched."""
_PROJECTOR = re.compile(r"(?:^|/)[^/]*mmproj[^/]*\.gguf$")


class Skipped(Struct, frozen=True):
    """A file that is left out although it belongs to the model.

    file: its path in the repository
    why: the reason
    """

    file: str
    why: Message


class Loaded(Struct, frozen=True):
    """The files of a repository that a server loads.

    weights: in the order of their parts
    beside: projector, config, tokenizer
    skipped: what belongs to the model and is not loaded
    """

    weights: tuple[str, ...]
    beside: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """All files."""
        return (*self.weights, *self.beside)


def index_file(storage: str, files: Sequence[str]) -> str:
    """Return the index whose weights a checkpoint's server loads, "" if the repository has none.

    Source: vLLM 00b5ad07, default_loader.py, _prepare_weights: consolidated*.safetensors come first.
    """
    wanted = MISTRAL_INDEX if storage == "checkpoint" and _consolidated(files) else INDEX
    return wanted if storage != "gguf" and wanted in files else ""


def loaded_files(
    storage: str, files: Sequence[str], tag: str = "", *, projector: bool = False, indexed: Sequence[str] = ()
) -> Loaded | None:
    """Return what a server loads of a repository, None if it has no weights of that kind.

    storage: kind of files that the engine reads: gguf, checkpoint, mlx
    files: of the repository, in the hub's order
    tag: of a GGUF file, or its path; "" = as llama.cpp chooses
    projector: images are sent, so the projector is loaded where there is one
    indexed: weights that the index names, see `index_file`
    """
    if storage == "gguf":
        return _gguf(files, tag, projector)
    weights = [f for f in indexed if f in files]
    if indexed and len(weights) < len(indexed):
        return None
    if storage == "mlx":
        weights = [f for f in files if fnmatchcase(f, "model*.safetensors")]
        beside = [f for f in files if f not in weights and any(fnmatchcase(f, p) for p in MLX_PATTERNS)]
    else:
        top = [f for f in files if f.endswith(".safetensors") and "/" not in f]
        weights = weights or _consolidated(files) or top
        beside = [f for f in files if "/" not in f and any(fnmatchcase(f, p) for p in CHECKPOINT_PATTERNS)]
    if not weights or ("config.json" not in files and "params.json" not in files):
        return None
    return Loaded(tuple(weights), tuple(beside))


def _gguf(files: Sequence[str], tag: str, projector: bool) -> Loaded | None:
    """Return the parts of a GGUF file by llama.cpp's rule, and the projector or why it is left out."""
    from gyakusan.engines.llamacpp.hub_reference import resolve_hub_reference

    named = {"file": tag} if tag.lower().endswith(".gguf") else {"tag": tag}
    found = resolve_hub_reference(files, **named)  # type: ignore[arg-type]
    if not found.model or not _whole(found.model):
        return None
    beside = (found.projector,) if found.projector and projector else ()
    unused = (found.projector,) if found.projector and not projector else ()
    why = say("no image part is loaded (--images loads it)")
    return Loaded(found.model, beside, tuple(Skipped(f, why) for f in unused))


def _whole(parts: Sequence[str]) -> bool:
    """Return True if all parts of a split file are there."""
    split = re.search(r"-of-(\d{5})\.gguf$", parts[0])
    return split is None or len(parts) == int(split[1])


def _consolidated(files: Sequence[str]) -> list[str]:
    return [f for f in files if fnmatchcase(f, "consolidated*.safetensors") and "/" not in f]


def is_projector(file: str) -> bool:
    """Return True for the file of an image part."""
    return _PROJECTOR.search(file) is not None
