"""The request for a fleet: that of a plan, limits of machines, the network between them, and the terms of costs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from typing import Any

from msgspec import structs

from gyakusan.engines.registry import NAMES, engine, usual_engines
from gyakusan.errors import BadQuantity, BadSetting, did_you_mean
from gyakusan.message import quoted
from gyakusan.numerals import in_digits
from gyakusan.planning.fleet.costs import CostTerms
from gyakusan.planning.request import money
from gyakusan.planning.request.money import Money
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.request.request import KEYS, PlanRequest
from gyakusan.units import parse_count

DEFAULT_TERMS = CostTerms()
LARGEST = {"replicas": 1024, "spare": 64, "nodes": 8}
"""Keys that are counts -> the largest that is accepted."""
UNITS = {"months": ("か月", "ヶ月", "カ月"), "hours": ("時間", "h"), "upkeep": ("%",), "pue": ()}
"""Key -> how its unit may be written behind the number."""
RANGES = {"months": (1.0, 240.0), "pue": (1.0, 5.0), "hours": (0.1, 24.0), "upkeep": (0.0, 100.0)}
"""Keys that are plain numbers -> the least and the largest that are accepted."""
_NETWORK = re.compile(r"\s*(\d{1,6}(?:\.\d{1,6})?)\s*(G|M|T)(?:(?:bit|b)/?p?s?|(B)/s|bE|be|BE)\s*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PLAIN = re.compile(r"[A-Za-z0-9.:-]+")
_SCALE = {"M": 1e6, "G": 1e9, "T": 1e12}


@dataclass(frozen=True, slots=True)
class FleetRequest:
    """What a fleet is requested for.

    plan_request: users or arrivals, workload, models and machines, as for `plan`
    replicas: most replicas of the server
    spare: machines that are switched on and wait for a failure
    nodes: most machines that one replica may span
    network: bandwidth between machines [B/s]
    first_address: of the first machine of a replica that spans machines, None = not known
    price: of one machine, None = the catalogue's
    budget: for all machines, None = any
    terms: what costs are computed with
    given: keys that the user gave; the other values are defaults
    """

    plan_request: PlanRequest
    replicas: int = 64
    spare: int = 0
    nodes: int = 4
    network: float = 12.5e9
    first_address: str | None = None
    price: Money | None = None
    budget: Money | None = None
    terms: CostTerms = DEFAULT_TERMS
    given: frozenset[str] = field(default_factory=frozenset)


def parse_fleet_request(values: Mapping[str, object]) -> FleetRequest:
    """Return the request that these values describe. Raises BadSetting, BadQuantity or UnknownName, naming the key."""
    given = {k: v for k, v in values.items() if v is not None}
    for key in given:
        if key not in KEYS and key not in FLEET_KEYS:
            near = did_you_mean(str(key), (*KEYS, *FLEET_KEYS))
            raise BadSetting(
                "A request has no key {key}.",
                key=quoted(str(key), 40),
                near=", ".join(near),
                mend="Did you mean {near}?" if near else "For the keys, see `gyakusan fleet --help`.",
            )
    own: dict[str, Any] = {k: _read(k, v) for k, v in given.items() if k in FLEET_KEYS}
    named = {"device", "memory"} & given.keys()
    plan_request = parse_request({k: v for k, v in given.items() if k in KEYS and not (k == "budget" and named)})
    if not plan_request.engines:
        plan_request = structs.replace(plan_request, engines=reached_by_others())
    terms = CostTerms(**{f.name: own.pop(f.name) for f in fields(CostTerms) if f.name in own})
    request = FleetRequest(_in_currency(plan_request, own), terms=terms, given=frozenset(given), **own)
    _refuse_contradictions(request)
    return request


def reached_by_others() -> tuple[str, ...]:
    """Return the engines that a fleet takes where nobody names one: those whose server asks for a key by itself.

    A fleet serves people at other computers. Another engine is served behind gyakusan, where it is named.
    """
    return tuple(name for name in usual_engines() if engine(name).KEY)


def _in_currency(request: PlanRequest, own: Mapping[str, Any]) -> PlanRequest:
    """Return the request with the currency of the fleet's budget or of the price that was given."""
    amounts = [m for m in (own.get("budget"), own.get("price")) if m is not None]
    if request.currency is not None or request.budget is not None or not amounts:
        return request
    return structs.replace(request, currency=amounts[0].currency)


def _refuse_contradictions(request: FleetRequest) -> None:
    """Raise BadSetting for values that contradict each other."""
    engines, machine = request.plan_request.engines, request.plan_request.device or request.plan_request.memory
    if request.price is not None and not machine:
        raise BadSetting(
            "--price is given without the machine it is for.", mend="Name the machine with --device, e.g. '8x H100'."
        )
    if request.nodes > 1 and "nodes" in request.given and engines and not any(map(_spans, engines)):
        raise BadSetting(
            "Only {names} can span machines, and --engine leaves it out.",
            names=", ".join(filter(_spans, NAMES)),
            mend="Leave out --engine or --nodes.",
        )


def _spans(name: str) -> bool:
    """Return True if a server of this engine can span machines."""
    return engine(name).spanning_settings(1, 2) is not None


def network(text: str) -> float:
    """Return the bandwidth that "100Gbit/s", "25GbE", "10Gbps" or "12.5GB/s" means [B/s]. Raises BadQuantity."""
    match = _NETWORK.fullmatch(text) if len(text) <= 64 else None
    rate = 0.0 if match is None else float(match[1]) * _SCALE[match[2]] / (1 if match[3] else 8)
    if not 1e6 <= rate <= 1e14:
        raise BadQuantity(
            "A network speed was expected, not {text}.", text=quoted(text, 40), mend="Write e.g. 100Gbit/s or 12.5GB/s."
        )
    return rate


def host_address(text: str, name: str | None = None) -> str:
    """Return the host name or IP address by which other machines reach one. Raises BadSetting.

    name: of the machine, None = the first of a replica
    """
    address, mend = text.strip(), "Give its host name or its IP address in your network, e.g. 192.168.0.10."
    if not _is_reachable(address) and name is not None:
        raise BadSetting("No other machine can reach {name} at {text}.", name=name, text=quoted(text, 40), mend=mend)
    if not _is_reachable(address):
        raise BadSetting("No other machine can reach the first one at {text}.", text=quoted(text, 40), mend=mend)
    return address


def _is_reachable(address: str) -> bool:
    """Return True for a host name or an IP address that does not mean the machine itself. Never for what a shell reads."""
    if len(address) > 253 or not _PLAIN.fullmatch(address):
        return False
    try:
        number = ip_address(address)
    except ValueError:
        last = address.rpartition(".")[2].casefold()
        return _HOST_NAME.fullmatch(address) is not None and not last.isdigit() and last != "localhost"
    return not (number.is_loopback or number.is_unspecified or number.is_multicast)


def _read(key: str, value: object) -> float | Money | str:
    if key in LARGEST:
        return _count(key, value)
    if key in RANGES:
        return _number(key, value)
    if not isinstance(value, str | Money) or not value:
        raise BadSetting(
            "{key} cannot be {value}.",
            key=key,
            value=quoted(value, 40),
            mend="For the keys, see `gyakusan fleet --help`.",
        )
    if isinstance(value, Money):
        return value
    if key == "first_address":
        return host_address(value)
    return network(value) if key == "network" else _money(key, value)


def _money(key: str, text: str) -> Money:
    """Return an amount, which may say what it is for: "31JPY/kWh", "0.15USD/M"."""
    unit = {"tariff": "/kwh", "api_input": "/m", "api_output": "/m"}.get(key, "")
    plain = text.strip()
    if unit and plain.casefold().endswith(unit):
        plain = plain[: -len(unit)]
    try:
        return money.parse_money(plain)
    except BadQuantity as error:
        raise BadQuantity("{key}: {problem}", key=key, problem=error.message, mend=error.mend) from error


def _count(key: str, value: object) -> int:
    least = 0 if key == "spare" else 1
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadSetting(
            "{key} cannot be {value}.",
            key=key,
            value=quoted(value, 40),
            mend="For the keys, see `gyakusan fleet --help`.",
        )
    try:
        return parse_count(value, at_least=least, at_most=LARGEST[key], length=False)
    except BadQuantity as error:
        raise BadQuantity("{key}: {problem}", key=key, problem=error.message, mend=error.mend) from error


def _number(key: str, value: object) -> float:
    low, high = RANGES[key]
    try:
        number = _in_unit(key, in_digits(str(value)).strip())
    except ValueError:
        number = float("nan")
    if isinstance(value, bool) or not low <= number <= high:
        raise BadQuantity(
            "{key} cannot be {value}.",
            key=key,
            value=quoted(value, 40),
            low=f"{low:g}",
            high=f"{high:g}",
            mend="Give a number from {low} to {high}.",
        )
    return number


def _in_unit(key: str, text: str) -> float:
    """Return a number that may name its unit, years as months. Raises ValueError."""
    if key == "months" and text.endswith("年"):
        return 12 * float(text.removesuffix("年"))
    for unit in UNITS.get(key, ()):
        text = text.removesuffix(unit)
    return float(text)


FLEET_KEYS = (
    *(f.name for f in fields(FleetRequest) if f.name not in ("plan_request", "terms", "given")),
    *(f.name for f in fields(CostTerms)),
)
"""Keys of a fleet's request that a plan's request does not have."""
