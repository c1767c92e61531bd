"""A fake of Hugging Face: the hub on loopback (API, resolve with redirects, tokens), and its cache in a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.models.sources.serving import Handler, Site


def publish(site: Site, repository: str, files: dict[str, bytes], *, token: str = "", sizes: bool = True) -> None:
    """A repository. token: who may read it, "" = everybody; sizes: the API says how long files are."""
    entries = [{"rfilename": n, **({"size": len(b)} if sizes else {})} for n, b in files.items()]
    body = json.dumps({"id": repository, "sha": "a" * 40, "siblings": entries}).encode()
    site.answers[f"/api/models/{repository}"] = _guarded(token, _json(body))
    for name, blob in files.items():
        place = f"/{repository}/resolve/main/{name}"
        site.files[f"/cdn{place}"] = blob
        big = not name.endswith(".json")
        site.answers[place] = _guarded(token, _moved(f"/cdn{place}?signature=1") if big else _json(blob))


def show_tree(site: Site, repository: str, sizes: dict[str, object], *, token: str = "") -> None:
    """The list of files of a repository, with the sizes that it claims."""
    rows = [{"type": "directory", "path": "sub", "size": 0}]
    rows += [{"type": "file", "path": name, "size": size} for name, size in sizes.items()]
    site.answers[f"/api/models/{repository}/tree/main"] = _guarded(token, _json(json.dumps(rows).encode()))


def _json(body: bytes) -> Callable[[Handler], None]:
    """The hub sends small files whole, whatever the range."""

    def answer(handler: Handler) -> None:
        handler.head(200, len(body), Content_Type="application/json")
        handler.body(body)

    return answer


def _moved(to: str) -> Callable[[Handler], None]:
    return lambda handler: handler.head(302, Location=to)


def _guarded(token: str, answer: Callable[[Handler], None]) -> Callable[[Handler], None]:
    """401 without the token, 403 with another one."""

    def guarded(handler: Handler) -> None:
        said = handler.headers.get("Authorization", "")
        if token and said != f"Bearer {token}":
            handler.head(403 if said else 401)
        else:
            answer(handler)

    return guarded


def download(cache: Path, repository: str, files: dict[str, bytes], commit: str = "b" * 40) -> Path:
    """A snapshot in the cache, with links to blobs as huggingface_hub writes them."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / commit
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text(commit)
    (folder / "blobs").mkdir(exist_ok=True)
    for i, (name, blob) in enumerate(files.items()):
        (folder / "blobs" / f"{i:064x}").write_bytes(blob)
        path = snapshot / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(folder / "blobs" / f"{i:064x}")
    return snapshot
