"""The files that a server would load, where they are on this computer: what `serve` asks first, without the network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from gyakusan.doors.files import whole
from gyakusan.engines.downloads import Loaded, index_file, is_projector, loaded_files
from gyakusan.errors import GyakusanError
from gyakusan.fetching.copies import Copy, copies
from gyakusan.fetching.wanted import Wanted, of_deployment, of_text
from gyakusan.models.embedded import embedded
from gyakusan.models.sources import ollama

if TYPE_CHECKING:
    from gyakusan.engines.deployment import Deployment

PACKAGED = "smollm2-135m"
"""The model that a Python distribution brings (models.embedded)."""
LONGEST = 32 * 2**20
"""Of an index of weights [B]."""


class Found(Struct, frozen=True):
    """Files of a model on this computer, complete.

    program: who keeps them: Hugging Face, llama.cpp, Ollama, LM Studio
    path: what a server is given: the first GGUF file, or the folder of a checkpoint
    files: all of them
    bytes: of all files [B]
    projector: file of the image part, None if it is not wanted or there is none
    quantization: of the files, where it need not be the wanted one; "" = as wanted
    """

    program: str
    path: Path
    files: tuple[Path, ...]
    bytes: int
    projector: Path | None = None
    quantization: str = ""


def find_files(deployment: Deployment, *, projector: bool = False) -> Found | None:
    """Return the files of a planned model, None if they are not on this computer or nobody publishes them.

    projector: True if the plan counts the image part
    """
    try:
        if deployment.model.catalogue_name:
            return find(of_deployment(deployment, projector=projector))
        return find(of_text(deployment.model.name, None, deployment.engine, images=projector))
    except GyakusanError:
        return None


def find(wanted: Wanted) -> Found | None:
    """Return the complete files that are wanted, None if no program on this computer keeps them all."""
    if wanted.repository is None:
        return _tag(wanted)
    for copy in copies(wanted.repository, wanted.tag):
        loaded = _loaded(wanted, copy)
        if loaded is not None:
            return _found(copy, loaded, wanted)
    return packaged() if wanted.usual and wanted.storage == "gguf" and wanted.name == PACKAGED else None


def packaged() -> Found | None:
    """Return the small model that is installed as a Python distribution, None if it is not."""
    try:
        path = embedded()
        size = path.stat().st_size
    except (GyakusanError, OSError):
        return None
    return Found("pip", path, (path,), size, quantization=path.stem.rpartition(".")[2])


def _loaded(wanted: Wanted, copy: Copy) -> Loaded | None:
    """Return what a server would load of a copy, None if a part is missing."""
    names = sorted(copy.files)
    loaded = loaded_files(
        wanted.storage, names, wanted.tag, projector=wanted.projector, indexed=indexed(wanted, copy, names)
    )
    if loaded is None:
        return None
    if wanted.storage != "gguf":
        return loaded if _complete(wanted, copy, names, loaded) else None
    if wanted.projector and not any(is_projector(f) for f in loaded.beside):
        return None  # whether there is one, only the hub can tell
    return loaded if all(copy.sizes.get(f) for f in loaded.files) else None


def indexed(wanted: Wanted, copy: Copy, names: Sequence[str]) -> tuple[str, ...]:
    """Return the weights that a copy's index names, () if it has none that can be read."""
    name = index_file(wanted.storage, names)
    if not name or copy.sizes.get(name, 0) > LONGEST:
        return ()
    try:
        return weights_of(whole(copy.files[name], LONGEST))
    except GyakusanError:
        return ()


def weights_of(index: bytes) -> tuple[str, ...]:
    """Return the files that an index of safetensors names, () if it is none."""
    try:
        where = json.loads(index)["weight_map"]
        files = sorted(set(where.values()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ()
    return tuple(f for f in files if isinstance(f, str))


def _complete(wanted: Wanted, copy: Copy, names: Sequence[str], loaded: Loaded) -> bool:
    """Return True if a checkpoint has its config, a tokenizer, and all parts of its weights."""
    split = any("-of-" in f for f in loaded.weights)
    whole = not split or bool(index_file(wanted.storage, names))
    return whole and any(f.startswith(("tokenizer", "tekken")) for f in loaded.beside)


def _found(copy: Copy, loaded: Loaded, wanted: Wanted) -> Found:
    paths = tuple(copy.files[f] for f in loaded.files)
    first = paths[0] if wanted.storage == "gguf" else copy.folder
    image = next((copy.files[f] for f in loaded.beside if is_projector(f)), None)
    return Found(copy.program, first, paths, sum(copy.sizes[f] for f in loaded.files), image)


def _tag(wanted: Wanted) -> Found | None:
    """Return a tag in Ollama's store, None if it or one of its files is not there."""
    try:
        found = ollama.local(ollama.parse(wanted.tag))
    except GyakusanError:
        return None
    if found is None or found.store is None:
        return None
    paths = [Path(found.where(layer)) for layer in found.layers]
    sizes = [layer.size for layer in found.layers]
    try:
        if [p.stat().st_size for p in paths] != sizes:
            return None
    except OSError:
        return None
    model = found.of("model") or found.layers[:1]
    image = next((Path(found.where(layer)) for layer in found.of("projector")), None)
    return Found("Ollama", Path(found.where(model[0])), tuple(paths), sum(sizes), image)
