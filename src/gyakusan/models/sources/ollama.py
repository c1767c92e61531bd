"""Ollama: the store on this computer and the registry. Both have a manifest for each tag, and blobs named by digest."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from gyakusan.doors import files
from gyakusan.errors import BadReference, GyakusanError, Malformed, SourceError, Truncated
from gyakusan.message import quoted
from gyakusan.models.sources import Source

HOST, SPACE = "registry.ollama.ai", "library"
LONGEST = 4 * 1024 * 1024
"""Longest manifest. [B] Models stored tensor by tensor list thousands of layers."""
LAYERS = 20_000
_HOST = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9_.:\[\]-]{0,349}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MEDIA = "application/vnd.ollama.image."
_ACCEPT = {"Accept": "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"}


class Name(Struct, frozen=True):
    """The parts of a name after `ollama:`.

    scheme: "https", or "http" if it was typed
    host: the registry
    space: the namespace of its publisher, "library" for Ollama's own
    model: the model
    tag: the tag, "latest" if none was typed
    """

    model: str
    tag: str = "latest"
    space: str = SPACE
    host: str = HOST
    scheme: str = "https"

    def __str__(self) -> str:
        """Return it as Ollama prints it: without the usual host and namespace."""
        before = f"{self.host}/{self.space}/" if self.host != HOST else f"{self.space}/" * (self.space != SPACE)
        return f"{before}{self.model}:{self.tag}"

    @property
    def address(self) -> str:
        """Return the address in the registry."""
        return f"{self.scheme}://{self.host}/v2/{self.space}/{self.model}"


class Layer(Struct, frozen=True):
    """One blob of a tag.

    kind: model, projector, adapter, tensor, json, template ...
    digest: its name in the store and the registry
    size: its length [B]
    name: name of a tensor or a file, "" for others
    """

    kind: str
    digest: str
    size: int
    name: str = ""


class Manifest(Struct, frozen=True):
    """The layers of a tag.

    name: whose layers they are
    layers: its blobs
    store: the store on this computer, None if they are in the registry
    """

    name: Name
    layers: tuple[Layer, ...]
    store: Path | None = None

    def of(self, kind: str) -> tuple[Layer, ...]:
        """Return the layers of one kind."""
        return tuple(layer for layer in self.layers if layer.kind == kind)

    def where(self, layer: Layer) -> str:
        """Return the path or the address of a blob."""
        if self.store is None:
            return f"{self.name.address}/blobs/{layer.digest}"
        return str(self.store / "blobs" / layer.digest.replace(":", "-"))

    def open(self, layer: Layer) -> Source:
        """Open a blob. Raises Truncated, Malformed if its size is not what the manifest says, SourceError."""
        found = self._open(layer)
        if found.size == layer.size:
            return found
        found.close()
        about = {"name": str(self.name), "said": layer.size, "size": found.size}
        if self.store is not None:
            raise Truncated(
                "A file of {name} has {size} bytes; its manifest states {said}.", **about,
                mend="Download it again: ollama pull {name}.",
            )  # fmt: skip
        raise Malformed(
            "The registry lists a file of {name} with {said} bytes, and sends {size}.", **about,
            mend="Do not trust it: use another copy, or try again later.",
        )  # fmt: skip

    def _open(self, layer: Layer) -> Source:
        if self.store is None:
            from gyakusan.models.sources import http

            return http.open(self.where(layer))
        try:
            return files.open(self.where(layer))
        except BadReference:
            raise SourceError(
                "A file of {name} is missing in Ollama's store.", name=str(self.name),
                mend="Download it again: ollama pull {name}.",
            ) from None  # fmt: skip


def parse(text: str) -> Name:
    """Parse [http[s]://][host/][namespace/]model[:tag]. Raises BadReference."""
    scheme, sep, rest = text.strip().partition("://")
    if not sep:
        scheme, rest = "https", text.strip()
    path, _, last = rest.rpartition("/")
    model, _, tag = last.partition(":")
    host, space = _before(path)
    good = scheme in ("http", "https") and _HOST.fullmatch(host)
    if not good or not all(_PART.fullmatch(x) and ".." not in x for x in (space, model, tag or "latest")):
        raise BadReference(
            "An Ollama model name was expected, not {text}.", text=quoted(text, 120),
            mend="It must look like ollama:qwen2.5:14b or ollama:host/namespace/name:tag.",
        )  # fmt: skip
    return Name(model, tag or "latest", space, host, scheme)


def _before(path: str) -> tuple[str, str]:
    """Return host and namespace; a namespace may have a slash only after a host."""
    if not path:
        return HOST, SPACE
    host, sep, space = path.partition("/")
    return (host, space) if sep else (HOST, path)


def stores() -> tuple[Path, ...]:
    """Return the folders of Ollama's models on this computer: $OLLAMA_MODELS, else the user's and the Linux service's."""
    named = os.environ.get("OLLAMA_MODELS", "").strip().strip("\"'")
    if named:
        return (Path(named),)
    return files.expanded("~/.ollama/models"), Path("/usr/share/ollama/.ollama/models")


def local(name: Name) -> Manifest | None:
    """Return the tag from a store of this computer, None if it is in none. Raises Malformed, SourceError."""
    for store in stores():
        path = store / "manifests" / name.host / name.space / name.model / name.tag
        try:
            if not path.is_file():
                continue
        except OSError:
            continue
        with files.open(path) as source:
            if (source.size or 0) > LONGEST:
                raise _bad(name, f"{source.size} B")
            return _manifest(name, source.read(0, source.size or 0), store)
    return None


def remote(name: Name) -> Manifest:
    """Return the tag from its registry. Raises BadReference if it is not there, Malformed, SourceError."""
    from gyakusan.models.sources import http

    try:
        raw = http.document(f"{name.address}/manifests/{name.tag}", headers=_ACCEPT, most=LONGEST)
    except BadReference:
        raise BadReference(
            "{host} has no model {name}.", host=name.host, name=str(name),
            mend="Check the spelling; the tags of a model are listed at https://ollama.com/library.",
        ) from None  # fmt: skip
    except SourceError as error:
        raise _advised(name, error) from None
    return _manifest(name, raw, None)


def _advised(name: Name, error: SourceError) -> SourceError:
    """Replace the advice about Hugging Face's tokens, which are of no use here."""
    if error.message.facts.get("status") in (401, 403):
        return SourceError(
            "{host} does not publish {name} to everybody.", host=name.host, name=str(name),
            mend="Download it with Ollama, which may have a key: ollama pull {name}.",
        )  # fmt: skip
    return error


def _manifest(name: Name, raw: bytes, store: Path | None) -> Manifest:
    from gyakusan.models.formats import json_text

    found = json_text.loads(raw, str(name), 4 * LAYERS)
    layers = found.get("layers") if isinstance(found, dict) else None
    if not isinstance(layers, list) or not 0 < len(layers) <= LAYERS:
        raise _bad(name, "layers")
    return Manifest(name, tuple(_layer(name, layer) for layer in layers), store)


def _layer(name: Name, layer: Any) -> Layer:
    """Return one checked entry of a manifest: digests become paths."""
    if not isinstance(layer, Mapping):
        raise _bad(name, repr(layer)[:60])
    digest, size, kind = layer.get("digest"), layer.get("size"), layer.get("mediaType")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest.replace("sha256-", "sha256:")):
        raise _bad(name, f"digest {digest!r}"[:80])
    if type(size) is not int or not 0 <= size < 2**50 or not isinstance(kind, str):
        raise _bad(name, f"size {size!r}"[:80])
    label = layer.get("name")
    return Layer(
        kind.partition(";")[0].removeprefix(_MEDIA), digest.replace("sha256-", "sha256:"), size,
        label if isinstance(label, str) else "",
    )  # fmt: skip


def _bad(name: Name, what: str) -> GyakusanError:
    return Malformed(
        "The manifest of {name} cannot be read: {what}.",
        name=str(name),
        what=what,
        mend="Download it again: ollama pull {name}.",
    )
