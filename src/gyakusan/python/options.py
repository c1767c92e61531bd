"""Options of the Python functions: the names of the command line's, and what they were called before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from math import isfinite
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from gyakusan.engines.registry import DEFAULT, engine
from gyakusan.errors import BadSetting, unknown
from gyakusan.message import quoted, say

if TYPE_CHECKING:
    from gyakusan.engines.deployment import Deployment

Amount = str | float
"""A quantity as on the command line ("32k", "24GiB", "1000000JPY"), or a plain number."""


class PlanOptions(TypedDict, total=False):
    """Options of `gyakusan plan`; see `gyakusan plan --help`."""

    users: Amount
    arrivals: Amount
    context: Amount
    prompt: Amount
    answer: Amount
    task: Literal["chat", "coding", "rag", "agents", "translation"]
    language: Literal["en", "ja"]
    device: str
    memory: str
    reserve: str
    bandwidth: str
    ram: str
    budget: Amount
    computer: Amount
    rates: str | Mapping[str, float]
    power: Amount
    count: Amount
    gpus: Amount
    outlet: Amount
    currency: str
    os: Literal["any", "linux", "windows", "macos"]
    brand: str
    images: bool
    used: bool
    enterprise: bool
    speed: float
    first: float
    quality: float
    prefer: Literal["balanced", "quality", "speed", "price"]
    engine: str | Iterable[str]
    kv_type: str | Iterable[str]
    licenses: str | Iterable[str]
    families: str | Iterable[str]
    without: str | Iterable[str]
    model: str
    buy: bool
    also: str | Iterable[str | Mapping[str, Any]]


class UpgradeOptions(PlanOptions, total=False):
    """Options of `gyakusan upgrade`."""

    resale: Amount


class FleetOptions(PlanOptions, total=False):
    """Options of `gyakusan fleet`."""

    replicas: Amount
    spare: Amount
    nodes: Amount
    network: str
    first_address: str
    price: Amount
    months: float
    tariff: Amount
    pue: float
    hours: float
    upkeep: float
    api_input: Amount
    api_output: Amount


KEY_OF_OPTION: Mapping[str, str] = {"engine": "engines", "kv_type": "kv", "gpus": "count"}
"""Option -> key of a request, where they differ."""
MONEY = frozenset(("budget", "computer", "price", "resale", "tariff", "api_input", "api_output"))
"""Options that are amounts of money: a number without its currency is refused by name."""
Question = Mapping[str, Any] | str | Path
"""A request: its keys and values, or a TOML or JSON file of them."""


def request_values(file: Question | None, options: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """Return keys and values of a request; options win over those of `file`. Raises UnknownName, BadSetting, SourceError.

    options: by the names of the command line; `question` is the former name of `file`
    known: names of options beside the keys of a request, for the nearest names in an error
    """
    from gyakusan.planning.request.request import KEYS
    from gyakusan.python.files import question_of

    options = dict(options)
    question = file or options.pop("question", None)
    given = question_of(Path(question)) if isinstance(question, str | Path) else dict(question or {})
    names = {*KEYS, *known, *KEY_OF_OPTION}
    for name in options:
        if name not in names:
            raise unknown(say("option"), name, sorted(names))
    for name, value in options.items():
        money = name in MONEY and isinstance(value, int | float) and not isinstance(value, bool)
        plain = list(value) if isinstance(value, set | frozenset) else value
        given[KEY_OF_OPTION.get(name, name)] = str(value) if money else plain
    return given


def engine_settings(name: str, settings: Mapping[str, Any], own: Iterable[str] = ()) -> dict[str, Any]:
    """Return fields of an engine's Settings. Raises UnknownName with the nearest names, BadSetting.

    settings: fields of the Settings, kv_type for keys and values together, cpu=True for the CPU
    own: further names that the function knows, for an error
    """
    rules = engine(name)
    known = [f.name for f in fields(rules.Settings)]
    changes = dict(settings)
    kind, cpu = changes.pop("kv_type", None), changes.pop("cpu", False)
    for key in changes:
        if key not in known:
            raise unknown(say("setting"), key, sorted({*known, *own, "kv_type", "cpu"}))
    _check_settings({f.name: str(f.type) for f in fields(rules.Settings)}, changes)
    check_types(kv_type=kind)
    if kind is not None:
        changes = {**cache_types(name, kind), **changes}
    for key in ("key_type", "value_type"):
        if isinstance(changes.get(key), str):
            changes[key] = changes[key].upper()
    return {**changes, "backend": "cpu"} if cpu else changes


def _check_settings(types: Mapping[str, str], changes: Mapping[str, Any]) -> None:
    """Raise BadSetting for a setting whose value has another type than its field. types: as the fields are annotated."""
    kinds: Mapping[str, type | tuple[type, ...]] = {
        "int": Integral,
        "str": (str, Path),
        "bool": bool,
        "float": (int, float),
        "Number": Integral,
    }
    for key, value in changes.items():
        words = types[key].split(" | ")
        wanted = kinds.get(words[0])
        absent = value is None and "None" in words
        wrong = isinstance(value, bool) and words[0] != "bool"
        wrong = wrong or (isinstance(value, float) and not isfinite(value))
        if wanted is not None and not absent and (wrong or not isinstance(value, wanted)):
            raise BadSetting(
                "{key} cannot be {value}.",
                key=key,
                value=quoted(value, 40),
                mend="Give a text, in quotes." if words[0] == "str" else "Give a number.",
            )


def cache_types(name: str, kind: str) -> Mapping[str, object]:
    """Return the settings that give keys and values a type. Raises BadSetting where the engine has no such choice."""
    if name == DEFAULT:
        return {"key_type": kind, "value_type": kind}
    rules, wanted = engine(name), kind.upper()
    if wanted == "F16":
        return rules.cache_setting("F16") or {}  # what it has anyway
    found = rules.cache_setting(wanted) if wanted in ("Q8_0", "Q4_0") else None
    if found is None or (wanted == "Q4_0" and found == rules.cache_setting("Q8_0")):
        raise BadSetting(
            "{name} has no cache of type {kind}.",
            name=name,
            kind=kind,
            mend="Leave it out, or take another engine.",
        )
    return found


OWN = (
    "context",
    "users",
    "device",
    "memory",
    "reserve",
    "bandwidth",
    "ram",
    "images",
    "quant",
    "engine",
    "exact",
    "offline",
    "set",
)
"""Options of `inspect` that are no settings of an engine."""


NUMBERS = ("context", "users", "prompt")
"""Arguments that are amounts; the others are texts."""
PLACE = ("device", "memory", "reserve", "bandwidth", "ram")
"""Options that name the machine."""


def deployed(
    model: str,
    settings: Mapping[str, Any],
    *,
    context: Amount | None = None,
    users: Amount = 1,
    quant: str | None = None,
    engine: str = DEFAULT,
    offline: bool = False,
    **where: str | None,
) -> Deployment:
    """Return the deployment that options mean, as `gyakusan inspect` makes it. Raises GyakusanError.

    settings: of the engine; `set` holds further ones, as a mapping or as "name=value"; `quantization` is the former name
        of `quant`
    where: device, memory, reserve, bandwidth, ram
    """
    from functools import partial

    from gyakusan import api
    from gyakusan.engines import registry
    from gyakusan.units import parse_count

    check_types(model=model, context=context, users=users, quant=quant, engine=engine, **where)
    given = dict(settings)
    former, more = given.pop("quantization", None), given.pop("set", {})
    where = {**where, **{k: given.pop(k) for k in PLACE if k in given}}
    name = registry.engine(engine).NAME
    length = None if context is None else parse_count(_whole(context), at_most=api.MOST_CONTEXT)
    return api.deployment(
        model,
        quantization=quant or former,
        load=partial(api.usual_load, users=_people(users), context=length),
        images=_images(given.pop("images", False)),
        settings=engine_settings(name, {**given, **(more if isinstance(more, Mapping) else {})}, OWN),
        pairs=_pairs(more),
        server=name,
        offline=offline,
        **where,
    )


def _images(value: object) -> bool | None:
    """Return whether images are counted; None = as the server does by itself."""
    return None if value is None else bool(value)


def check_types(**given: object) -> None:
    """Raise BadSetting that names an argument of another type: texts, and numbers that are finite and no truth values.

    given: the Python functions' arguments by name; None counts as not given
    """
    for name, value in given.items():
        right: type | tuple[type, ...] = str
        if name in NUMBERS:
            right = (str, int, float)
        elif name == "model":
            right = (str, Path)
        endless = isinstance(value, float) and not isfinite(value)
        if value is not None and (isinstance(value, bool) or endless or not isinstance(value, right)):
            raise BadSetting(
                "{key} cannot be {value}.",
                key=name,
                value=quoted(value, 40),
                mend="Give a number." if name in NUMBERS else "Give a text, in quotes.",
            )


def _pairs(more: object) -> tuple[str, ...]:
    """Return the "name=value" texts among further settings; a mapping has none. Raises BadSetting."""
    if isinstance(more, str | Mapping):
        return (more,) if isinstance(more, str) else ()
    if not isinstance(more, list | tuple):
        raise BadSetting(
            "{key} cannot be {value}.", key="set", value=quoted(more, 40), mend='Write "name=value", or a mapping.'
        )
    return tuple(more)


def _whole(value: Amount) -> str | int:
    return int(value) if isinstance(value, float) and value.is_integer() else value  # type: ignore[return-value]


def _people(users: Amount) -> int:
    """Return how many people are served. Raises BadQuantity."""
    from gyakusan import api
    from gyakusan.units import parse_count

    return parse_count(_whole(users), at_most=api.MOST_USERS, length=False)
