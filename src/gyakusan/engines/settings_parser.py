"""Settings as a person writes them ("name=value", "engine.name=value"), checked against an engine's Settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from gyakusan.engines.base import EngineModule, EngineSettings
from gyakusan.engines.registry import NAMES, engine
from gyakusan.errors import BadQuantity, BadSetting, unknown
from gyakusan.message import quoted, say
from gyakusan.units import parse_bytes, parse_count


def parse_overrides(rules: EngineModule[EngineSettings], pairs: Iterable[str]) -> Mapping[str, Any]:
    """Values by field, without those for another engine.

    Raises BadSetting for a pair without "=" or a value of another type, UnknownName for a field.
    """
    kinds = get_type_hints(rules.Settings)
    known = [f.name for f in fields(rules.Settings)]
    values: dict[str, Any] = {}
    for pair in pairs:
        name, sep, text = pair.partition("=")
        if not sep:
            raise BadSetting("{pair} is not a setting.", pair=quoted(pair, 60), mend="Write name=value.")
        whose, dot, rest = name.rpartition(".")
        if dot and engine(whose) is not rules:
            continue
        field = _field(rest, known)
        values[field] = value(field, text.strip(), kinds[field])
    return values


def _field(name: str, known: list[str]) -> str:
    """The field that `name` means: in any case, with - or _, with the variable's prefix. Raises UnknownName."""
    plain = name.strip().lstrip("-").casefold().replace("-", "_")
    for prefix in (p for name in NAMES for p in engine(name).PREFIXES):
        if plain not in known:
            plain = plain.removeprefix(prefix)
    if plain not in known:
        raise unknown(say("setting"), name, known, choices=True)
    return plain


def value(name: str, text: str, kind: Any) -> Any:
    """`text` as a value of type `kind`; numbers may carry a unit (32k, 8GiB). Raises BadSetting."""
    kind = int if kind is Any else kind  # a Number: an array is never typed
    for read in (_number, parse_count, parse_bytes, _word, str, _several, _pairs):  # str: where "none" is a word
        try:
            return msgspec.convert(read(text), kind, strict=False)
        except (msgspec.ValidationError, BadQuantity, ValueError):
            continue
    words = tuple(_words(kind))
    mend = "Choose one of: {choices}." if words else "Give a value of the setting's type."
    facts = {"choices": ", ".join(words)} if words else {}
    raise BadSetting("{name} cannot be {text}.", name=name, text=quoted(text, 60), mend=mend, **facts)


def _words(kind: Any) -> Iterator[str]:
    """Yield the words that a setting takes, nothing where it takes more than words."""
    if kind is bool:
        yield from ("true", "false")
    elif get_origin(kind) is Literal:
        yield from map(str, get_args(kind))
    elif get_origin(kind) in (Union, UnionType):
        parts = [k for k in get_args(kind) if k is not NoneType]
        inner = [tuple(_words(k)) for k in parts]
        if all(inner):
            yield from (word for words in inner for word in words)
            if len(parts) < len(get_args(kind)):
                yield "none"


def _several(text: str) -> list[str]:
    """Return the parts of a list such as "40,41"."""
    return text.split(",")


def _pairs(text: str) -> list[tuple[str, str]]:
    """Return the pairs of a list such as "ffn_.*_exps=CPU,..."."""
    return [(left, right) for left, _, right in (part.rpartition("=") for part in text.split(","))]


def _number(text: str) -> int | float:
    """A plain number. Raises ValueError."""
    try:
        return int(text)
    except ValueError:
        return float(text)


def _word(text: str) -> str | None:
    """Words, "none", and on or off where a field is true or false (msgspec reads "true" and "1")."""
    return None if text.casefold() in ("none", "") else text
