"""Read a plan request from what a person or a program wrote: options, a TOML or JSON file, Python keywords.

Every key has one reader in `_READERS`. A value that makes no sense raises an error that names the key; limits that
contradict each other raise one from `check_request`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from msgspec import structs

from gyakusan.choices import choice
from gyakusan.core.load import check_turn_lengths
from gyakusan.engines.base import System
from gyakusan.engines.registry import NAMES, engine
from gyakusan.errors import BadQuantity, BadSetting, UsageError, did_you_mean, unknown
from gyakusan.message import Choices, Message, quoted, say
from gyakusan.numerals import in_digits
from gyakusan.patterns import late
from gyakusan.planning.request import money
from gyakusan.planning.request.money import Money
from gyakusan.planning.request.request import (
    KEYS,
    MAX_CONTEXT,
    MAX_DEVICES,
    MAX_USERS,
    PlanRequest,
    Prefer,
    SpokenLanguage,
    Task,
)
from gyakusan.planning.request.request_rate import parse_request_rate, slots_for_rate
from gyakusan.units import parse_count

SAVED_KEYS = ("saved", "plans", "lan", "since")
"""Keys of a saved answer that are no keys of its question."""
LARGEST = 1_000_000_000
"""No speed, time, quality or power reaches it."""
MAX_COLOCATED = 7
"""Most models beside the first one."""
COLOCATED_KEYS = (
    *("task", "users", "context", "prompt", "answer", "language", "model"),
    *("speed", "first", "quality", "engines", "kv", "licenses", "families", "without", "images"),
)
"""Keys of a model beside others: what is about the machine is specified once, for all of them."""


def parse_request(values: Mapping[str, object]) -> PlanRequest:
    """Return the request that these values describe, one value for each key of `KEYS`; None counts as not specified.

    Raises UnknownName for an unknown key, BadQuantity or BadSetting for a value that makes no sense, naming the key.
    """
    for key in values:
        if key not in KEYS:
            similar = did_you_mean(str(key), KEYS)
            raise BadSetting(
                "A request has no key {key}.",
                key=quoted(str(key), 40),
                near=", ".join(similar),
                mend="Did you mean {near}?" if similar else "For the keys, see `gyakusan plan --help`.",
            )
    given = {k: value for k, value in values.items() if value is not None}
    currency = _currency("currency", given["currency"]) if "currency" in given else ""
    read: dict[str, Any] = {
        KEYS[k]: _money(k, value, currency) if k in _MONEY else _READERS[k](k, value) for k, value in given.items()
    }
    request = PlanRequest(**read)
    if request.arrivals is not None and "users" not in read:
        request = structs.replace(request, users=_users_of_rate(request.arrivals, request))
    return check_request(request)


def _users_of_rate(rate: float, request: PlanRequest) -> int:
    users = slots_for_rate(rate, request.workload)
    if users > MAX_USERS:
        raise BadQuantity(
            "This rate means {users} conversations at once.",
            users=f"{users:,}",
            most=f"{MAX_USERS:,}",
            mend="The most is {most}: lower the arrivals or shorten the answers.",
        )
    return users


def check_request(request: PlanRequest) -> PlanRequest:
    """Return the request. Raises BadQuantity or BadSetting if its values contradict each other."""
    workload = request.workload
    check_turn_lengths(workload.prompt_tokens, workload.output_tokens, workload.context)
    named = request.device is not None or request.memory is not None
    if request.budget is not None and named:
        raise BadSetting(
            "--device names a machine you own, --budget one to buy: both were given.",
            mend=(
                "Leave out --device and --memory, or leave out --budget. To extend a machine you own: gyakusan upgrade."
            ),
        )
    if request.task == "embedding" and (request.device or request.memory or request.budget):
        raise BadSetting("An embedding model needs a chat model next to it.", mend="Write --also embedding.")
    _check_system(request)
    return request


def _check_system(request: PlanRequest) -> None:
    """Raise BadSetting if an engine that is named does not run on the operating system."""
    for name in request.engines:
        refusal = engine(name).system_refusal(request.os, alone=len(request.engines) == 1)
        if refusal is not None:
            raise refusal


def file_values(text: str, name: str) -> Mapping[str, Any]:
    """Return the keys and values of a TOML or JSON file called `name`. Raises BadSetting if it is neither."""
    from gyakusan.doors.parse import json_value, toml_value

    def refuse(why: Message) -> BadSetting:
        return BadSetting(
            "{file} cannot be read: {problem}.", file=name, problem=why, mend="Write TOML, or JSON in a .json file."
        )

    values = (json_value if name.endswith(".json") else toml_value)(text, refuse)
    if not isinstance(values, dict):
        raise BadSetting("{file} does not hold a table of keys.", file=name, mend="Write lines such as users = 5.")
    return values


def question_values(text: str, name: str) -> dict[str, Any]:
    """Return the keys and values of the question in a file, without the answer that was saved with it. Raises BadSetting."""
    values = file_values(text, name)
    if str(values.get("schema")).startswith("gyakusan/detect/"):
        raise BadSetting(
            "{file} describes a computer, and a file with a question is expected here.", file=name,
            mend="Write --nodes before each file: gyakusan plan --nodes a.json --nodes b.json",
        )  # fmt: skip
    return {k: v for k, v in values.items() if k not in SAVED_KEYS}


_MONEY = ("budget", "computer")
"""Keys of amounts of money, whose currency may stand in another key."""


def _count(key: str, value: object) -> int:
    most = {"users": MAX_USERS, "count": MAX_DEVICES}.get(key, MAX_CONTEXT)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _bad(key, value)
    length = key not in ("users", "count")
    if isinstance(value, str) and not any(c.isdigit() for c in in_digits(value)):
        raise BadQuantity(
            "{key} takes a whole number, not {value}.",
            key=key,
            value=quoted(value, 40, mark='"'),
            mend="Write 32768 or 32k." if length else "Write a whole number, e.g. 5.",
        )
    try:
        return parse_count(value, at_most=most, length=length)
    except BadQuantity as error:
        raise BadQuantity("{key}: {problem}", key=key, problem=error.message, mend=error.mend) from error


_WATTS = late(r"\s*(?:W|watts?|ワット)$", re.IGNORECASE)
_UNITS = {
    "power": _WATTS, "outlet": _WATTS,
    "first": re.compile(r"\s*(?:s|sec|seconds?|秒)$", re.IGNORECASE),
    "speed": re.compile(r"\s*(?:(?:tokens?|tok|t|トークン)/(?:s|秒)|トークン)$", re.IGNORECASE),
    "quality": re.compile(r"\s*(?:points?|点)$", re.IGNORECASE),
}  # fmt: skip
"""Units that may stand after a number: those in which the program itself tells it."""


def _number(key: str, value: object) -> float:
    try:
        number = float(_UNITS[key].sub("", in_digits(str(value)).strip()))
    except ValueError:
        raise _no_number(key, value) from None
    if isinstance(value, bool) or not 0 <= number < LARGEST or (number == 0 and key in ("power", "outlet")):
        raise _no_number(key, value)
    return number


def _rate(key: str, value: object) -> float:
    return parse_request_rate(str(value) if isinstance(value, int | float) else _text(key, value))


def _text(key: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _bad(key, value)
    return value.strip()


def _yes_or_no(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _bad(key, value)
    return value


def _money(key: str, value: object, currency: str = "") -> Money:
    """Read an amount; of a computer also "own", or nothing, which both say that it need not be bought."""
    if isinstance(value, Money):
        return value
    text = _text(key, value)
    if key == "computer" and re.fullmatch(r"own|0+(\.0+)?\s*\D*", text, re.IGNORECASE):
        return Money(0.0, "JPY")
    try:
        return money.parse_money(text, currency)
    except BadQuantity as error:
        raise BadQuantity("{key}: {problem}", key=key, problem=error.message, mend=error.mend) from error


def _currency(key: str, value: object) -> str:
    return money.parse_currency(_text(key, value))


_CHOICES = {
    "task": get_args(Task),
    "prefer": get_args(Prefer),
    "os": get_args(System),
    "language": get_args(SpokenLanguage),
}


def _choice(key: str, value: object) -> str:
    value = choice(key, value) if isinstance(value, str) else value
    if value not in _CHOICES[key]:
        raise BadSetting(
            "{key} cannot be {value}.",
            key=key,
            value=quoted(value),
            choices=Choices(key, _CHOICES[key]),
            mend="Choose one of: {choices}.",
        )
    return str(value)


def _words(key: str, value: object) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(p, str) for p in parts):
        raise _bad(key, value)
    return tuple(dict.fromkeys(p.strip() for p in parts if p.strip()))


def _words_or_all(key: str, value: object) -> tuple[str, ...]:
    """Read names of which "all" leaves none out, so that it undoes what was specified before."""
    return tuple(word for word in _words(key, value) if word.casefold() != "all")


def _engines(key: str, value: object) -> tuple[str, ...]:
    names = _words(key, value)
    if isinstance(value, str) and not names:
        raise BadSetting(
            "{key} cannot be {value}.", key=key, value=quoted(value, 40), known=", ".join(NAMES), mend="Known: {known}."
        )
    if any(name.casefold() == "all" for name in names):
        return ()
    return tuple(dict.fromkeys(engine(name).NAME for name in names))


def _kv_types(key: str, value: object) -> tuple[str, ...]:
    words = _words(key, value)
    for word in words:
        if word.upper() not in ("F16", "Q8_0"):
            raise unknown(say("cache type"), word, ("F16", "Q8_0"), choices=True)
    return tuple(w.upper() for w in words)


def _exchange_rates(key: str, value: object) -> tuple[tuple[str, float], ...]:
    if isinstance(value, Mapping):
        value = [f"{k}={v}" for k, v in value.items()]
    return tuple(money.parse_rate(w) for w in _words(key, value))


def _colocated(key: str, value: object) -> tuple[PlanRequest, ...]:
    """Read other models: each a table, or "coding:users=2,context=16k" with the task before the colon."""
    if isinstance(value, str | Mapping):
        value = [value]
    if not isinstance(value, list | tuple) or len(value) > MAX_COLOCATED:
        raise _bad(key, value)
    return tuple(v if isinstance(v, PlanRequest) else _colocated_model(v) for v in value)


def _colocated_model(value: object) -> PlanRequest:
    values = _short_form(value) if isinstance(value, str) else value
    if not isinstance(values, Mapping):
        raise _bad("also", value)
    for key in values:
        if key not in COLOCATED_KEYS:
            raise BadSetting(
                "--also has no key {key}.",
                key=quoted(str(key), 40),
                known=", ".join(COLOCATED_KEYS),
                mend="Known: {known}.",
            )
    try:
        return parse_request(values)
    except UsageError as error:
        told = say("In --also: {problem}", problem=error.message)
        raise type(error)(told.template, mend=error.mend, **told.facts) from None


def _short_form(text: str) -> dict[str, str]:
    """Return "coding:users=2,context=16k" as {"task": "coding", "users": "2", "context": "16k"}. Raises BadSetting."""
    task, _, rest = text.partition(":")
    pairs = [p.partition("=") for p in rest.split(",") if p.strip()]
    if not task.strip() or not all(sep and name.strip() for name, sep, _ in pairs):
        raise _bad("also", text)
    return {"task": task.strip(), **{name.strip(): value.strip() for name, _, value in pairs}}


def _bad(key: str, value: object) -> BadSetting:
    if isinstance(value, str) and not value.strip():
        return BadSetting("{key} is empty.", key=key, mend="Give it a value, or leave it out.")
    return BadSetting(
        "{key} cannot be {value}.",
        key=key,
        value=quoted(value, 40),
        mend="For the keys, see `gyakusan plan --help`.",
    )


def _no_number(key: str, value: object) -> BadSetting:
    return BadSetting(
        "{key} cannot be {value}.",
        key=key,
        value=f"{value:g}" if isinstance(value, float) else quoted(value, 40),
        low=1 if key in ("power", "outlet") else 0,
        most=f"{LARGEST:,}",
        mend="Give a number from {low} to below {most}.",
    )


_READERS: Mapping[str, Callable[[str, object], object]] = {
    **dict.fromkeys(("users", "context", "prompt", "answer", "count"), _count),
    **dict.fromkeys(("power", "outlet", "speed", "first", "quality"), _number),
    **dict.fromkeys(("device", "memory", "reserve", "bandwidth", "ram", "brand", "model"), _text),
    **dict.fromkeys(("used", "enterprise", "images", "buy"), _yes_or_no),
    **dict.fromkeys(_MONEY, _money),
    **dict.fromkeys(("task", "prefer", "os", "language"), _choice),
    **dict.fromkeys(("licenses", "families"), _words_or_all),
    "without": _words,
    "also": _colocated,
    "arrivals": _rate,
    "currency": _currency,
    "engines": _engines,
    "kv": _kv_types,
    "rates": _exchange_rates,
}
