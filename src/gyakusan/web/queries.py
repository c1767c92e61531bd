"""What the query of an address asks: one struct for each question, its fields named like the options of the command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from gyakusan.choices import CHOICE_WORDS
from gyakusan.engines.registry import DEFAULT
from gyakusan.errors import BadSetting, UnknownName
from gyakusan.message import Choices, quoted, say
from gyakusan.numerals import in_digits
from gyakusan.web.field_words import Parameter
from gyakusan.web.understood import understood

T = TypeVar("T", bound=Struct)
Task = Literal["chat", "coding", "rag", "agents", "translation"]
Spoken = Literal["en", "ja"]
MOST_PAIRS, LONGEST = 64, 300
"""Most names and values of a query, and most characters of one."""
LONGER = {"plan": 1000, "beside": 1000}
"""Names whose values hold a whole question -> most characters, as they are read: an address writes one of them with up to 12."""
_YES, _NO = frozenset({"1", "on", "true", "yes"}), frozenset({"0", "off", "false", "no"})


class InspectQuery(Struct, frozen=True, kw_only=True):
    """What a model takes on a machine, and how fast it is.

    model: a name of the catalogue, a repository or a tag of Ollama's library
    quant: its quantisation, e.g. Q4_K_M; default: the usual one
    engine: llama.cpp, ollama, vllm or mlx
    device: a device of the catalogue, e.g. RTX 4090 or 2x RTX 3090; default: this computer
    memory: memory of the device, e.g. 24GiB
    ram: RAM beside the GPU, e.g. 64GiB
    reserve: memory that the OS and other programs keep, e.g. 8GiB
    bandwidth: of the RAM, e.g. 80GB/s, for speeds on a CPU
    context: tokens for each user, prompt and answer together, e.g. 32k
    users: people served at the same time
    kv_type: type of the KV cache: f16, q8_0, q4_0
    prompt: length of a prompt, for speed [tokens]
    images: True to count the projector that reads images
    task: what people do, for the quality that the page shows; a document has every quality
    language: that people write, en or ja, for the same
    currency: of the prices behind the page's links: JPY, USD, EUR or CHF; a document has none
    """

    model: str = "gpt-oss-20b"
    quant: str | None = None
    engine: str = DEFAULT
    device: str | None = None
    memory: str | None = None
    ram: str | None = None
    reserve: str | None = None
    bandwidth: str | None = None
    context: str | None = None
    users: str = "1"
    kv_type: str | None = None
    prompt: int | None = None
    images: bool = False
    task: Task | None = None
    language: Spoken | None = None
    currency: str | None = None


class PlanQuery(Struct, frozen=True, kw_only=True):
    """What is best for people, on a machine or within a budget.

    device: the machine that is there; default without a budget: this computer
    memory: memory of the device, e.g. 24GiB
    ram: RAM beside the GPU, e.g. 64GiB
    bandwidth: of the RAM, e.g. 80GB/s, for speeds of what is in it
    budget: for a machine, e.g. 1000000JPY or 3000USD
    currency: of the answer: JPY, USD, EUR or CHF
    users: people served at the same time
    context: tokens for each user, prompt and answer together, e.g. 32k
    prompt: length of a prompt, for speed [tokens]
    task: what people do: chat, coding, rag, agents or translation
    language: that people write: en or ja
    speed: least output tokens/s for each user
    first: most seconds to the first token
    quality: least quality [points]
    prefer: what to prefer: balanced, quality, speed or price
    engine: llama.cpp, ollama, vllm or mlx; several with commas
    model: find machines for this model
    kv_type: type of the KV cache: f16, q8_0, or both with a comma; default: both
    gpus: most cards in one machine
    used: True to consider used prices
    images: True if images are sent too
    why_not: name of a model or a machine, to hear why it is not proposed
    """

    device: str | None = None
    memory: str | None = None
    ram: str | None = None
    bandwidth: str | None = None
    budget: str | None = None
    currency: str | None = None
    users: str | None = None
    context: str | None = None
    prompt: int | None = None
    task: Task | None = None
    language: Spoken | None = None
    speed: float | None = None
    first: float | None = None
    quality: float | None = None
    prefer: Literal["balanced", "quality", "speed", "price"] | None = None
    engine: str | None = None
    model: str | None = None
    kv_type: str | None = None
    gpus: int | None = None
    used: bool | None = None
    images: bool | None = None
    why_not: str | None = None


class CompareQuery(Struct, frozen=True, kw_only=True):
    """Models on devices side by side, or whole plans.

    device: devices of the catalogue; repeatable
    model: models; repeatable
    plan: the address of a plan on the page Plan, e.g. budget=1000000JPY&users=5#p2 for the second one; repeatable
    quant: quantisation of all of them
    context: tokens for each user, e.g. 32k
    users: people served at the same time
    currency: of the answer: JPY, USD, EUR or CHF; default: that of the plans' questions, else yen
    """

    device: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    plan: tuple[str, ...] = ()
    quant: str | None = None
    context: str | None = None
    users: str = "1"
    currency: str | None = None


class BesideQuery(Struct, frozen=True, kw_only=True):
    """Plans that were chosen before, on the page Plan.

    beside: the address of a plan, as in a comparison; repeatable
    """

    beside: tuple[str, ...] = ()


class CatalogQuery(Struct, frozen=True, kw_only=True):
    """Which records to list.

    search: only names that contain this text
    memory: only devices with at least this much memory, e.g. 24GiB
    language: only models for this language, e.g. ja
    every: True for fine-tunes, base models and older models, too
    """

    search: str = ""
    memory: str | None = None
    language: str = ""
    every: bool = False


class NoQuery(Struct, frozen=True, kw_only=True):
    """A question without any part."""


class NameQuery(Struct, frozen=True, kw_only=True):
    """Which record to show.

    name: of a device, a computer or a model
    """

    name: str = ""


class ComputerQuery(Struct, frozen=True, kw_only=True):
    """What of this computer is shown.

    bench: number of a kept bench; default: the last one
    model: that the form for a start begins with, as the following
    engine: its server program
    context: tokens for each user
    users: people served at the same time
    name: of the server; default: the model's
    """

    bench: int | None = None
    model: str | None = None
    engine: str | None = None
    context: str | None = None
    users: str | None = None
    name: str | None = None


class StartForm(Struct, frozen=True, kw_only=True):
    """A server that is to start.

    model: a name of the catalogue, owner/name:TAG of a file that is here, or a path
    engine: llama.cpp, ollama, vllm or mlx
    context: tokens for each user, prompt and answer together, e.g. 32k; default: the usual one
    users: people served at the same time
    name: of the server; default: the model's
    """

    model: str = "smollm2"
    engine: str = DEFAULT
    context: str | None = None
    users: str = "1"
    name: str | None = None


class NameForm(Struct, frozen=True, kw_only=True):
    """Which server is meant.

    name: of it
    """

    name: str


class OpenForm(Struct, frozen=True, kw_only=True):
    """A file that is opened in the page.

    name: of the file
    size: of the whole file [B]
    """

    name: str
    size: int


class BenchForm(Struct, frozen=True, kw_only=True):
    """A bench that is to run.

    name: of the server
    users: people at a time, one load after the other
    seconds: how long each load is measured
    task: whose lengths of prompt and answer are asked
    """

    name: str
    users: str = "1,2,4"
    seconds: str = "10s"
    task: Task = "chat"


_LISTS = frozenset({BenchForm})
"""Questions whose counts are lists: 1,2,4."""
OWN = frozenset({"lang", "theme"})
"""Names that the page itself reads."""


def read(kind: type[T], pairs: Sequence[tuple[str, str]]) -> T:
    """Return the question of a query; an empty value is none. Raises UnknownName, BadSetting.

    pairs: names and values in order, as they stand in the address
    """
    if len(pairs) > MOST_PAIRS:
        raise BadSetting("The address asks {n} things.", n=len(pairs), mend="Ask for at most 64.")
    fields = _fields(kind)
    found: dict[str, Any] = {}
    for given, value in pairs:
        name = given.replace("-", "_")
        if name in OWN or not value.strip():
            continue
        if name not in fields:
            raise _unknown(given, fields)
        _check(name, value)
        many = get_origin(fields[name]) is tuple
        if name in found and not many:
            raise BadSetting("{name} is given several times.", name=Parameter(name), mend="Give it once.")
        found[name] = (*found.get(name, ()), value) if many else _plain(name, value, kind)
    return _converted(kind, found)


def typed(kind: type[T], pairs: Sequence[tuple[str, str]]) -> T:
    """Return what a form is filled with again where its answer is a mistake: the words as they were typed, never refused.

    pairs: names and values in order, as they stand in the address
    """
    fields, found = _fields(kind), dict[str, Any]()
    for given, value in pairs[:MOST_PAIRS]:
        name = given.replace("-", "_")
        if name not in fields or not value.strip() or len(value) > LONGER.get(name, LONGEST):
            continue
        many = get_origin(fields[name]) is tuple
        found[name] = (*found.get(name, ()), value) if many else _plain(name, value, kind)
    return kind(**found)  # a struct takes what is no number, too


@cache
def _fields(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _converted(kind: type[T], found: Mapping[str, Any]) -> T:
    try:
        return msgspec.convert(found, kind, strict=False)
    except msgspec.ValidationError as error:
        name = str(error).rpartition("$.")[2].rstrip("`") or "?"
        raise _unfit(name, str(found.get(name, "?")), _fields(kind).get(name, str)) from None


def _unfit(name: str, value: str, kind: Any) -> BadSetting:
    choices = [c for part in _parts(kind) if get_origin(part) is Literal for c in get_args(part)]
    if choices:
        return BadSetting(
            "{key} cannot be {value}.", key=Parameter(name), value=quoted(value),
            choices=Choices(name, tuple(choices)),
            mend="Choose one of: {choices}.",
        )  # fmt: skip
    return BadSetting("{key} cannot be {value}.", key=Parameter(name), value=quoted(value), mend="Give a number.")


def _unknown(name: str, fields: Iterable[str]) -> UnknownName:
    from gyakusan.errors import unknown

    return unknown(say("option"), name, sorted(fields), choices=True)


def _check(name: str, value: str) -> None:
    told = unquote(value) if name in LONGER else value
    if len(told) > LONGER.get(name, LONGEST) or not value.isprintable():
        raise BadSetting(
            "{name} is too long, or holds characters that cannot be printed.",
            name=Parameter(name),
            mend="Give a shorter text.",
        )


def _parts(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if isinstance(kind, UnionType) or type(None) in get_args(kind) else (kind,)


def _plain(name: str, value: str, kind: type) -> Any:
    """Return a value as it is understood: yes and no as they are sent by a form, numbers in digits."""
    parts = _parts(_fields(kind)[name])
    word = value.strip()
    if bool in parts:
        return True if word.casefold() in _YES else False if word.casefold() in _NO else value
    if int in parts or float in parts:
        return in_digits(word)
    return word if kind in _LISTS and name not in CHOICE_WORDS else understood(name, word)
