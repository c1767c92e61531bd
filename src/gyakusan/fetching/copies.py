"""Copies of a repository's files that programs on this computer already keep: Hugging Face, llama.cpp, Ollama, LM Studio.

Sources: llama.cpp 03eb25f3, common/hf-cache.cpp (get_cache_directory: LLAMA_CACHE before the hub's variables, the hub's own
layout); before that build owner_name_file.gguf in ~/.cache/llama.cpp (common/arg.cpp, clean_file_name).
LM Studio: lmstudio.ai/docs/app/basics/import-model, ~/.lmstudio/models/publisher/model/file.gguf.
Ollama: docs/faq.md (OLLAMA_MODELS), manifests named host/owner/name/tag, blobs named by their sha256.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct, field

from gyakusan import posix
from gyakusan.doors.files import expanded
from gyakusan.doors.files import text as small_text
from gyakusan.errors import GyakusanError
from gyakusan.models.sources import hub, ollama

FILES = 20_000
"""More files of one folder are not looked at."""
SMALL = 1_000_000
"""Of a settings file [B]."""
DEEPEST = 4
"""Folders below a repository's folder that are looked into."""


class Copy(Struct, frozen=True):
    """Files of one repository that a program keeps.

    program: who keeps them: Hugging Face, llama.cpp, Ollama, LM Studio
    repository: owner/name, or Ollama's tag
    folder: where they are
    files: path on this computer by path in the repository
    sizes: of the files, by path in the repository [B]
    commit: of the files, "" = not known
    """

    program: str
    repository: str
    folder: Path
    files: Mapping[str, Path]
    sizes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    commit: str = ""

    @property
    def bytes(self) -> int:
        """What the files take [B]."""
        return sum(self.sizes.values())


def copies(repository: hub.Repository, tag: str = "") -> Iterator[Copy]:
    """Yield the copies of a repository's files on this computer. tag: of a file that Ollama may have pulled."""
    for program, root in hub_caches():
        found = hub.cached(repository, root)
        if found is not None and found.folder is not None:
            yield _listed(program, found, found.folder)
    for root in lmstudio_folders():
        yield from _folder("LM Studio", repository.id, root / repository.id)
    for root in old_llama_caches():
        yield from _flat(repository.id, root)
    yield from _pulled(repository.id, tag)


def hub_caches() -> tuple[tuple[str, Path], ...]:
    """Return the caches in the hub's layout, each once: of Hugging Face, and llama.cpp's where LLAMA_CACHE names one."""
    own = os.environ.get("LLAMA_CACHE", "").strip()
    found = [("Hugging Face", hub.cache())]
    if own and Path(own) != hub.cache():
        found.append(("llama.cpp", Path(own)))
    return tuple(found)


def old_llama_caches() -> tuple[Path, ...]:
    """Return the folders in which llama.cpp kept files before it took over the hub's layout."""
    own = os.environ.get("LLAMA_CACHE", "").strip()
    if own:
        return (Path(own),)
    if sys.platform == "darwin":
        return (expanded("~/Library/Caches/llama.cpp"),)
    return (expanded(posix.folder("XDG_CACHE_HOME") or "~/.cache") / "llama.cpp",)


def lmstudio_folders() -> tuple[Path, ...]:
    """Return the folders of LM Studio's models: as its settings say, the usual one, and that of old versions."""
    homes = [expanded("~/.lmstudio")]
    pointer = _text(expanded("~/.lmstudio-home-pointer")).strip()
    if pointer and os.path.isabs(pointer):
        homes.insert(0, Path(pointer))
    found = []
    for home in homes:
        try:
            said = json.loads(_text(home / "settings.json") or "{}").get("downloadsFolder")
        except (ValueError, AttributeError, RecursionError):
            said = None
        found += [Path(said)] if isinstance(said, str) and os.path.isabs(said) else []
        found.append(home / "models")
    found.append(expanded("~/.cache/lm-studio/models"))
    return tuple(dict.fromkeys(found))


def blob(sha256: str) -> Path | None:
    """Return the file with this checksum in Ollama's store, None if there is none."""
    for store in ollama.stores():
        path = store / "blobs" / f"sha256-{sha256}"
        if len(sha256) == 64 and _size(path) is not None:
            return path
    return None


def everything() -> Iterator[Copy]:
    """Yield all models that programs keep on this computer, by program."""
    for program, root in hub_caches():
        for folder in _children(root):
            name = folder.name.removeprefix("models--").replace("--", "/", 1)
            if folder.name.startswith("models--") and hub.is_id(name):
                yield from _cached(program, hub.Repository(name), root)
    for root in lmstudio_folders():
        for owner in _children(root):
            for folder in _children(owner):
                yield from _folder("LM Studio", f"{owner.name}/{folder.name}", folder)
    for root in old_llama_caches():
        files = {p.name: p for p in _children(root, folders=False) if p.name.endswith(".gguf")}
        for name, path in files.items():
            yield Copy("llama.cpp", name, root, {name: path}, {name: _size(path) or 0})
    for store in ollama.stores():
        yield from _tags(store)


def unfinished() -> Iterator[Path]:
    """Yield the parts of files that were not fetched to their end."""
    for _, root in hub_caches():
        for folder in _children(root):
            for path in _children(folder / "blobs", folders=False):
                if path.name.endswith((".incomplete", ".downloadInProgress")):
                    yield path


def _cached(program: str, repository: hub.Repository, root: Path) -> Iterator[Copy]:
    found = hub.cached(repository, root)
    if found is not None and found.folder is not None:
        yield _listed(program, found, found.folder)


def _listed(program: str, found: hub.Listing, folder: Path) -> Copy:
    sizes = {name: size or 0 for name, size in found.files.items()}
    return Copy(program, found.repository.id, folder, {n: folder / n for n in sizes}, sizes, found.commit)


def _folder(program: str, name: str, folder: Path) -> Iterator[Copy]:
    """Yield the files of a folder that holds one repository."""
    files: dict[str, Path] = {}
    for path in _walk(folder, DEEPEST):
        files[path.relative_to(folder).as_posix()] = path
        if len(files) > FILES:
            return
    sizes = {n: size for n, p in files.items() if (size := _size(p)) is not None}
    if sizes:
        yield Copy(program, name, folder, {n: files[n] for n in sizes}, sizes)


def _flat(name: str, root: Path) -> Iterator[Copy]:
    """Yield llama.cpp's files of a repository as it named them: owner_name_file.gguf."""
    before = name.replace("/", "_") + "_"
    files = {p.name.removeprefix(before): p for p in _children(root, folders=False) if p.name.startswith(before)}
    sizes = {n: size for n, p in files.items() if n.endswith(".gguf") and (size := _size(p)) is not None}
    if sizes:
        yield Copy("llama.cpp", name, root, {n: files[n] for n in sizes}, sizes)


def _pulled(name: str, tag: str) -> Iterator[Copy]:
    """Yield the file that `ollama pull hf.co/owner/name:TAG` fetched."""
    if not tag or tag.endswith(".gguf") or "/" not in name:
        return
    try:
        found = ollama.local(ollama.parse(f"hf.co/{name}:{tag}"))
    except GyakusanError:
        return
    if found is not None and found.store is not None:
        layers = {f"{tag}.gguf": found.of("model")[:1], "mmproj.gguf": found.of("projector")[:1]}
        kept = {file: layer[0] for file, layer in layers.items() if layer}
        paths = {file: Path(found.where(layer)) for file, layer in kept.items()}
        sizes = {file: layer.size for file, layer in kept.items() if _size(paths[file]) == layer.size}
        if f"{tag}.gguf" in sizes:
            yield Copy("Ollama", name, found.store, {f: paths[f] for f in sizes}, sizes)


def _tags(store: Path) -> Iterator[Copy]:
    """Yield each tag of a store."""
    root = store / "manifests"
    for path in _walk(root, DEEPEST):
        parts = path.relative_to(root).parts
        if len(parts) != 4:
            continue
        try:
            found = ollama.local(ollama.Name(parts[2], parts[3], parts[1], parts[0]))
        except GyakusanError:
            continue
        if found is not None and found.layers:
            sizes = {layer.digest: layer.size for layer in found.layers}
            yield Copy(
                "Ollama", str(found.name), store, {d: store / "blobs" / d.replace(":", "-") for d in sizes}, sizes
            )


def _walk(folder: Path, deep: int) -> Iterator[Path]:
    """Yield the files in a folder, links to files too; no link to a folder is followed."""
    yield from _children(folder, folders=False)
    if deep > 0:
        for inner in _children(folder):
            if not inner.is_symlink():
                yield from _walk(inner, deep - 1)


def _children(folder: Path, *, folders: bool = True) -> list[Path]:
    """Return the folders in a folder, or the files, sorted; none where it cannot be read."""
    try:
        with os.scandir(folder) as found:
            return sorted(Path(e.path) for e in found if (e.is_dir() if folders else e.is_file()))
    except OSError:
        return []


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _text(path: Path) -> str:
    """Return what a small file says, "" where it cannot be read."""
    try:
        return small_text(path, SMALL)
    except GyakusanError:
        return ""
