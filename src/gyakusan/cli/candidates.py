"""What may stand at a place of a command line: commands, options, and names of models, devices, engines and servers.

A shell asks with `gyakusan --complete WORD ...`, the last word being the one that is typed. Scripts: see completion.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from cyclopts import App

from gyakusan.errors import GyakusanError

MOST, WORDS = 500, 64
"""Candidates that are offered, and words of a line that are looked at: a command, and those before the last."""
HIDDEN = ("--help", "-h", "--version")


def candidates(app: App, words: Sequence[str]) -> list[str]:
    """Return what the last of the words may become, in order of the alphabet; [] where the shell's own files are meant."""
    *before, current = words or ("",)
    before = [*before[:2], *before[2:][-WORDS:]]
    place, option = app, ""
    path: list[str] = []
    for word in before:
        if option:
            option = ""
        elif word.startswith("-"):
            option = word if _takes_value(place, word) else ""
        elif word in place and not _path_ends(place):
            place, path = place[word], [*path, word]
        elif not path:
            return []  # no such command
    if option:
        return _matching(_values(place, path, option), current)
    if current.startswith("--") and "=" in current:
        name, _, value = current.partition("=")
        return [f"{name}={v}" for v in _matching(_values(place, path, name), value)]
    if current.startswith("-"):
        return _matching((n for a in _arguments(place) for n in a.names if n.startswith("-")), current)
    commands = [n for n in place if not n.startswith("-")]
    if commands and (not path or place.default_command is None):
        return _matching(commands, current)
    return _matching([*commands, *_values(place, path, _positional(place))], current)


def _path_ends(place: App) -> bool:
    """Return True for a command without commands of its own."""
    return not [n for n in place if not n.startswith("-")]


_KNOWN: dict[int, list[Any]] = {}
"""Arguments of each command that was looked at; a process completes one line."""


def _arguments(place: App) -> list[Any]:
    if id(place) not in _KNOWN:
        _KNOWN[id(place)] = [] if place.default_command is None else [*place.assemble_argument_collection()]
    return _KNOWN[id(place)]


def _argument(place: App, option: str) -> Any:
    return next((a for a in _arguments(place) if option in a.names), None)


def _takes_value(place: App, option: str) -> bool:
    found = _argument(place, option)
    return found is not None and bool not in _parts(found.hint)


def _positional(place: App) -> str:
    """Return the name of the argument that a word without a dash fills."""
    at = [a for a in _arguments(place) if a.index is not None]
    return str(at[0].names[0]) if at else ""


def _values(place: App, path: Sequence[str], option: str) -> Iterable[str]:
    """Yield what an option or an argument may be. path: words of the command."""
    found = _argument(place, option)
    if found is None:
        return
    for part in _parts(found.hint):
        if get_origin(part) is Literal:
            yield from map(str, get_args(part))
    name = option.lstrip("-").casefold()
    kind = OF_COMMAND.get((*path, name), KINDS.get(name))
    if kind is not None:
        yield from kind()


def _parts(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _matching(names: Iterable[str], current: str) -> list[str]:
    """Return the names that begin so; case and blanks do not matter, as they do not in a name."""
    wanted = _folded(current)
    found = dict.fromkeys(n for n in names if _folded(n).startswith(wanted) and n not in HIDDEN)
    return sorted(found, key=str.casefold)[:MOST]


def _folded(text: str) -> str:
    return "".join(text.casefold().split())


def _devices() -> Iterable[str]:
    from gyakusan.catalog.records import entries
    from gyakusan.show.wording import brief

    return [brief(e.name) for kind in ("device", "machine") for e in entries(kind)]


def _models() -> Iterable[str]:
    from gyakusan.catalog.records import entries

    return [e.name for e in entries("model")]


def _engines() -> Iterable[str]:
    from gyakusan.engines.registry import NAMES

    return [module.split(".")[-2] for module in NAMES.values()]


def _kinds() -> Iterable[str]:
    from gyakusan.exports import export

    return export.KINDS


def _servers() -> Iterable[str]:
    from gyakusan.serving.running_servers import running

    try:
        return [entry.name for entry in running()]
    except (GyakusanError, OSError):
        return []


def _records() -> Iterable[str]:
    return [*_models(), *_devices()]


def _documents() -> Iterable[str]:
    from gyakusan.documents.schema import DOCUMENTS

    return DOCUMENTS


def _nothing() -> Iterable[str]:
    return ()


OF_COMMAND: Mapping[tuple[str, ...], Callable[[], Iterable[str]]] = {
    ("schema", "name"): _documents,
    ("catalog", "show", "name"): _records,
    ("deploy", "delete", "name"): _nothing,
    ("keys", "add", "name"): _nothing,
}
"""Command and argument whose name means another thing there than elsewhere -> what it may be."""
KINDS: Mapping[str, Callable[[], Iterable[str]]] = {
    "device": _devices,
    "devices": _devices,
    "model": _models,
    "what": _models,
    "also": _models,
    "why-not": _models,
    "engine": _engines,
    "to": _kinds,
    "name": _servers,
    "server": _servers,
}
"""Name of an option or an argument -> what it may be."""
