"""A fake of Ollama: its registry on loopback, and its store in a folder. Manifests and blobs as the real ones have them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.models.sources.serving import Handler, Site

MEDIA = "application/vnd.ollama.image."


def layer(kind: str, blob: bytes, **more: Any) -> dict[str, Any]:
    digest = "sha256:" + hashlib.sha256(blob).hexdigest()
    return {"mediaType": MEDIA + kind, "digest": digest, "size": len(blob), **more}


def manifest(*layers: dict[str, Any]) -> bytes:
    config = {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": "sha256:" + "0" * 64, "size": 2}
    return json.dumps({"schemaVersion": 2, "config": config, "layers": list(layers)}).encode()


def publish(site: Site, name: str, tag: str, blobs: dict[str, bytes], **changes: Any) -> None:
    """Put a model into the registry; its blobs are behind a redirect, as the real registry has them."""
    layers = [{**layer(kind, blob), **changes} for kind, blob in blobs.items()]
    body = manifest(*layers)

    def answer(handler: Handler) -> None:
        handler.head(200, len(body), Content_Type="application/vnd.docker.distribution.manifest.v2+json")
        handler.body(body)

    site.answers[f"/v2/{name}/manifests/{tag}"] = answer
    for entry, blob in zip(layers, blobs.values(), strict=True):
        site.files[f"/cdn/{entry['digest']}"] = blob
        site.answers[f"/v2/{name}/blobs/{entry['digest']}"] = _moved(f"/cdn/{entry['digest']}?signature=1")


def _moved(to: str) -> Any:
    return lambda handler: handler.head(307, Location=to)


def pull(store: Path, name: str, tag: str, blobs: list[tuple[str, bytes, dict[str, Any]]]) -> None:
    """Put a model into a store. name: host/namespace/model."""
    path = store / "manifests" / name
    path.mkdir(parents=True, exist_ok=True)
    (store / "blobs").mkdir(exist_ok=True)
    layers = [layer(kind, blob, **more) for kind, blob, more in blobs]
    (path / tag).write_bytes(manifest(*layers))
    for entry, (_, blob, _) in zip(layers, blobs, strict=True):
        (store / "blobs" / entry["digest"].replace(":", "-")).write_bytes(blob)
