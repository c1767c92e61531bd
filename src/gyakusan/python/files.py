"""Files of a person's own: questions, descriptions of nodes, and the key of a server."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gyakusan.doors import files
from gyakusan.errors import BadReference, BadSetting, GyakusanError, UnknownName

if TYPE_CHECKING:
    from gyakusan.planning.nodes.link import Link
    from gyakusan.planning.nodes.node import Node

LONGEST = 1024 * 1024
"""Longest question, also with the answer that was saved. [B]"""
LONGEST_KEY = 4096
"""Longest file with a key. [B]"""


def question_of(file: Path, command: str = "plan") -> dict[str, Any]:
    """Return the keys and values of the question in a TOML or JSON file. Raises BadReference, SourceError, BadSetting.

    command: that asks, for the mend where a device or a model was typed in the file's place
    """
    from gyakusan.planning.request.parse_request import question_values

    return question_values(text_of(file, command), file.name)


def text_of(file: Path, command: str = "plan") -> str:
    """Return what a file says. Raises BadReference, SourceError; BadSetting where a device or a model was typed in its place."""
    try:
        return files.text(file, LONGEST, pipe=True)
    except BadReference:
        if files.stamp(file) is None:
            _check_no_name(str(file), command)
        raise


def nodes_of(
    sources: Path | str | Mapping[str, Any] | Iterable[Path | str | Mapping[str, Any]], link: object = None
) -> tuple[tuple[Node, ...], Link]:
    """Return the nodes in files, or in what `detect` returned, and the link between them.

    sources: one or several of them; link: wins over that of a file. Raises BadReference, SourceError, BadSetting, BadQuantity.
    """
    from gyakusan.planning.nodes.node import json_nodes, parse_nodes

    several = [sources] if isinstance(sources, str | Path | Mapping) else list(sources)
    if link is not None and not several:
        raise BadSetting(
            "--link is the network between nodes, and there are none.",
            mend="Name them: --nodes FILE, or leave out --link.",
        )
    _check_once([s for s in several if isinstance(s, str | Path)])
    read: list[tuple[str, object]] = []
    for number, source in enumerate(several, 1):
        if isinstance(source, str | Path):
            name = Path(source).name
            read.append((name, json_nodes(files.text(source, LONGEST, pipe=True), name)))
        else:
            read.append((f"nodes[{number - 1}]", source))
    return parse_nodes(read, link)


def _check_once(paths: Sequence[str | Path]) -> None:
    """Raise BadSetting for a file that is named twice: it is one computer, not two."""
    seen: set[str] = set()
    for path in paths:
        place = os.path.realpath(path)
        if place in seen:
            raise BadSetting(
                "{file} was given twice.", file=files.shown(path),
                mend="Name it once. For a second computer like it, give a copy of the file.",
            )  # fmt: skip
        seen.add(place)


def key_of(path: str | Path) -> str:
    """Return the first line of a key file. Raises BadReference, SourceError.

    A key is never taken from the command line, where others could read it.
    """
    text = files.text(path, LONGEST_KEY, pipe=True).strip()
    if not text:
        raise BadReference("{path} is empty.", path=files.shown(path), mend="Write the key into the file.")
    return text.splitlines()[0]


def _check_no_name(text: str, command: str) -> None:
    """Raise BadSetting if a text is the name of a device or of a model."""
    from gyakusan.catalog.models import find

    if _is_device(text):
        raise BadSetting(
            '"{name}" is a device, and a file with a question is expected here.',
            name=text,
            command=command,
            mend='Type: gyakusan {command} --device "{name}"',
        )
    try:
        find(text)
    except UnknownName:
        return
    raise BadSetting(
        '"{name}" is a model, and a file with a question is expected here.',
        name=text,
        command=command,
        mend='Type: gyakusan {command} --model "{name}"',
    )


def _is_device(text: str) -> bool:
    """Return True for the name of a device or a computer, also of one that comes in several sizes."""
    from gyakusan import machines
    from gyakusan.catalog.devices import knows

    if knows(text.partition("x ")[2] or text):
        return True
    try:
        machines.parse(text)
    except GyakusanError:
        return False
    return True
