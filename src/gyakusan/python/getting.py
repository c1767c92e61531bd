"""Python's `get` and `get_list`: the files that a server loads, and all models on this computer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gyakusan.engines.registry import DEFAULT
from gyakusan.fetching import wanted
from gyakusan.fetching.get import Getter, Got, gigabytes
from gyakusan.fetching.stock import Stock, stock
from gyakusan.python.answer import Answer, extended

if TYPE_CHECKING:
    from gyakusan.documents.get import GetJson, GetListJson
    from gyakusan.planning.select.plan import Plan


class Fetched(Answer, Got, frozen=True):
    """What `gyakusan get` answers: files on this computer."""

    def document(self) -> GetJson:
        """Return the document of `gyakusan get --json`."""
        from gyakusan.documents.get import get as document

        return document(self)

    def summary(self) -> Iterator[str]:
        """Yield what is here, and where."""
        size = "?" if self.bytes is None else gigabytes(self.bytes, up=True)
        yield f"{self.wanted.reference}: {self.state}, {size}, {self.program}"
        yield from (f"  {path}" for path in self.files)


class LocalModels(Answer, Stock, frozen=True):
    """What `gyakusan get --list` answers: all models on this computer."""

    def document(self) -> GetListJson:
        """Return the document of `gyakusan get --list --json`."""
        from gyakusan.documents.get import get_list as document

        return document(self)

    def summary(self) -> Iterator[str]:
        """Yield one line for each model."""
        yield f"{len(self.models)} models, {gigabytes(self.bytes, up=True)}"
        yield from (f"  {m.name}: {gigabytes(m.bytes, up=True)}, {m.program}" for m in self.models)


def get(
    what: str | Plan,
    *,
    quant: str | None = None,
    engine: str = DEFAULT,
    images: bool = False,
    to: str | Path | None = None,
    dry_run: bool = False,
    offline: bool = False,
) -> Fetched:
    """Return the files of a plan or a model, fetched if they are not on this computer. Raises GyakusanError.

    what: a plan of `plan(...)`, a model of the catalogue, owner/name:TAG, or ollama:TAG
    quant: format of the files; engine: the server that loads them
    images: the projector is fetched, too; to: folder for the files
    """
    if isinstance(what, str):
        asked = wanted.of_text(what, quant, engine, images=images)
    else:
        asked = wanted.of_deployment(what.deployment, projector=images or what.projector == "counted")
    return extended(Fetched, Getter(None if to is None else Path(to), dry_run, offline).get(asked))


def get_list() -> LocalModels:
    """Return all models on this computer."""
    return extended(LocalModels, stock())
