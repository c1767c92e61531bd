"""What is asked of a fleet: a question, how many machines at most, the network between them, and the terms of costs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from gyakusan.engines.registry import engine
from gyakusan.errors import BadQuantity, BadSetting, did_you_mean
from gyakusan.planning.fleet.costs import CostTerms
from gyakusan.planning.request import money
from gyakusan.planning.request.money import Money
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.request.request import KEYS, PlanRequest
from gyakusan.units import parse_count

USUAL = CostTerms()
MOST = {"replicas": 1024, "spare": 64, "nodes": 8}
RANGES = {"months": (1.0, 240.0), "pue": (1.0, 5.0), "hours": (0.1, 24.0), "upkeep": (0.0, 100.0)}
"""Terms that are plain numbers -> least, most."""
_NETWORK = re.compile(r"\s*(\d{1,6}(?:\.\d{1,6})?)\s*(G|M|T)(?:(?:bit|b)/?p?s?|(B)/s|bE|be|BE)\s*")
_SCALE = {"M": 1e6, "G": 1e9, "T": 1e12}


@dataclass(frozen=True, slots=True)
class FleetRequest:
    """question; replicas: of a server, at most; spare: machines that stand by; nodes: machines that one server may span, at

    most; network: between them [B/s]; price: of one machine, None = the catalogue's; budget: for all of them; terms: of
    costs; said: names that were given, the others are assumed.
    """

    question: PlanRequest
    replicas: int = 64
    spare: int = 0
    nodes: int = 4
    network: float = 12.5e9
    price: Money | None = None
    budget: Money | None = None
    terms: CostTerms = USUAL
    said: frozenset[str] = field(default_factory=frozenset)


def parse_fleet_request(values: Mapping[str, Any]) -> FleetRequest:
    """A question from what a person or a program wrote. Raises BadSetting, BadQuantity, UnknownName, naming the key."""
    given = {k: v for k, v in values.items() if v is not None}
    for key in given:
        if key not in KEYS and key not in NAMES:
            near = did_you_mean(str(key), (*KEYS, *NAMES))
            raise BadSetting(
                "A request has no key {key}.",
                key=repr(str(key)[:40]),
                near=", ".join(near) or ", ".join(NAMES),
                mend="Did you mean {near}?",
            )
    own = {k: _read(k, v) for k, v in given.items() if k in NAMES}
    named = {"device", "memory"} & given.keys()
    question = parse_request({k: v for k, v in given.items() if k in KEYS and not (k == "budget" and named)})
    terms = CostTerms(**{f.name: own.pop(f.name) for f in fields(CostTerms) if f.name in own})
    return checked_fleet_request(FleetRequest(question, terms=terms, said=frozenset(given), **own))


def checked_fleet_request(asked: FleetRequest) -> FleetRequest:
    """The question, or BadSetting for what contradicts itself."""
    question = asked.question
    if asked.price is not None and not (question.device or question.memory):
        raise BadSetting(
            "--price is given without the machine it is for.", mend="Name the machine with --device, e.g. '8x H100'."
        )
    if asked.nodes > 1 and "nodes" in asked.said and question.engines and not _any_spans(question.engines):
        raise BadSetting(
            "Only vLLM is planned across machines, and --engine leaves it out.",
            mend="Leave out --engine or --nodes.",
        )
    return asked


def _any_spans(engines: Sequence[str]) -> bool:
    """Return True if the server of one of the engines can span machines."""
    return any(engine(name).spanning_settings(1, 2) is not None for name in engines)


def network(text: str) -> float:
    """ "100Gbit/s", "25GbE", "10Gbps", "12.5GB/s" -> bytes a second. [B/s] Raises BadQuantity."""
    found = _NETWORK.fullmatch(text) if len(text) <= 64 else None
    rate = 0.0 if found is None else float(found[1]) * _SCALE[found[2]] / (1 if found[3] else 8)
    if not 1e6 <= rate <= 1e14:
        raise BadQuantity(
            "A network speed was expected, not {text}.", text=repr(text[:40]), mend="Write e.g. 100Gbit/s or 12.5GB/s."
        )
    return rate


def _read(key: str, value: Any) -> Any:
    if key in MOST:
        return _count(key, value)
    if key in RANGES:
        return _number(key, value)
    if not isinstance(value, str | Money) or not value:
        raise BadSetting(
            "{key} cannot be {value}.",
            key=key,
            value=repr(value)[:40],
            mend="For the keys, see `gyakusan fleet --help`.",
        )
    if isinstance(value, Money):
        return value
    return network(value) if key == "network" else _money(key, value)


def _money(key: str, text: str) -> Money:
    """Amounts may say what they are for: "31JPY/kWh", "0.15USD/M"."""
    ends = {"tariff": "/kwh", "api_input": "/m", "api_output": "/m"}
    plain = text.strip()
    end = ends.get(key, "")
    if end and plain.casefold().endswith(end):
        plain = plain[: -len(end)]
    try:
        return money.parse_money(plain)
    except BadQuantity as error:
        raise BadQuantity("{key}: {problem}", key=key, problem=error.message, mend=error.mend) from error


def _count(key: str, value: Any) -> int:
    least = 0 if key == "spare" else 1
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadSetting(
            "{key} cannot be {value}.",
            key=key,
            value=repr(value)[:40],
            mend="For the keys, see `gyakusan fleet --help`.",
        )
    try:
        return parse_count(value, at_least=least, at_most=MOST[key])
    except BadQuantity as error:
        raise BadQuantity("{key}: {problem}", key=key, problem=error.message, mend=error.mend) from error


def _number(key: str, value: Any) -> float:
    low, high = RANGES[key]
    try:
        found = float(str(value).strip().removesuffix("%"))
    except ValueError:
        found = float("nan")
    if isinstance(value, bool) or not low <= found <= high:
        raise BadQuantity(
            "{key} cannot be {value}.",
            key=key,
            value=repr(value)[:40],
            low=f"{low:g}",
            high=f"{high:g}",
            mend="Give a number from {low} to {high}.",
        )
    return found


NAMES = (
    *(f.name for f in fields(FleetRequest) if f.name not in ("question", "terms", "said")),
    *(f.name for f in fields(CostTerms)),
)
