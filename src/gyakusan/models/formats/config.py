"""Read the config.json of a Hugging Face model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gyakusan.doors import files
from gyakusan.errors import BadReference, Malformed
from gyakusan.message import say
from gyakusan.models.formats import json_text

NAME = "config.json"
LONGEST = 16 * 1024 * 1024
"""Longest config.json. [B] Real ones stay under 1 MiB."""


def read(path: str | Path) -> dict[str, Any]:
    """Return the object in config.json. path: the file or its folder. Raises BadReference, Malformed, SourceError."""
    path = files.expanded(path)
    if path.is_dir():
        path = path / NAME
        if not path.is_file():
            raise _absent(path.parent)
    with files.open(path) as source:
        if (source.size or 0) > LONGEST:
            raise Malformed(
                "{file} is larger than {limit} MiB.", file=source.name, limit=LONGEST >> 20,
                mend="This is no model description: give the folder of a model.",
            )  # fmt: skip
        found = json_text.loads(source.read(0, source.size or 0), source.name)
        if not isinstance(found, dict):
            raise json_text.bad(source.name, say("it is not an object"))
        return found


def _absent(folder: Path) -> BadReference:
    found = sorted(folder.glob("*.gguf"))[:1]
    mend = "Give the path of the file {gguf} in it." if found else "Give a folder with a downloaded model."
    return BadReference(
        "There is no {name} in {folder}.", name=NAME, folder=files.shown(folder.absolute()),
        gguf=files.shown(found[0].name) if found else "", mend=mend,
    )  # fmt: skip
