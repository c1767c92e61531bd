"""What would work: each way, typed as it is shown, has the fleet that it names, and that surely fits."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from tests.planning.small import small

from gyakusan.planning.fleet.recommend import FleetAnswer, fleet
from gyakusan.planning.fleet.relaxations import at_most_replicas
from gyakusan.planning.fleet.request import parse_fleet_request

KEYS = {"engine": "engines"}


def ask(**values: Any) -> FleetAnswer:
    return fleet(parse_fleet_request(values), columns=small())


CASES: list[dict[str, Any]] = [
    {"users": 5, "device": "RTX 4090", "ram": "1GiB"},
    {"users": 50, "budget": "1000JPY"},
    {"users": 20, "budget": "900USD", "context": "64k"},
    {"users": 4, "device": "RTX 3060 12GB", "replicas": 1, "quality": 90},
    {"users": 40, "device": "RTX 3060 12GB", "replicas": 1, "speed": 90},
    {"users": 40, "device": "RTX 4090", "replicas": 2, "context": "128k"},
    {"arrivals": "90000/h", "device": "RTX 3060 12GB", "replicas": 2},
    {"arrivals": "2000/h", "device": "RTX 4070", "replicas": 1, "first": "0.2s"},
    {"users": 3, "device": "RTX 3060 12GB", "engines": "mlx"},
    {"users": 8, "device": "RTX 4070", "replicas": 1, "prompt": 30000, "answer": 2000, "context": "64k"},
]


@pytest.mark.parametrize("values", CASES, ids=str)
def test_each_way_comes_true_when_it_is_typed(values: dict[str, Any]) -> None:
    """It was said to work with more replicas, with other engines and for 1 person: none of them did."""
    found = ask(**values)
    assert not found.plans
    assert found.ways or found.reasons
    for way in found.ways:
        words = shlex.split(way.options)
        pairs = zip(words[::2], words[1::2], strict=True)
        typed = {KEYS.get(name.removeprefix("--"), name.removeprefix("--")): value for name, value in pairs}
        again = ask(**{**values, **typed})
        assert again.plans, way.options
        first = again.plans[0]
        assert first.plan.surely_fits
        assert (first.plan.name, first.machines) == (way.plan.plan.name, way.plan.machines), way.options
    assert [w.effort for w in found.ways] == sorted(w.effort for w in found.ways)


def test_too_little_ram_is_answered_with_more_of_it() -> None:
    found = ask(users=5, device="RTX 4090", ram="1GiB")
    assert [w.options for w in found.ways if w.options.startswith("--ram")] == ["--ram 4GiB"]


def test_more_replicas_are_as_many_as_are_needed() -> None:
    found = ask(arrivals="90000/h", device="RTX 3060 12GB", replicas=2)
    told = [w.options for w in found.ways]
    assert any(o.startswith("--replicas ") and o != "--replicas 1024" for o in told)
    assert any(o.startswith("--arrivals ") for o in told)


def test_a_limit_of_one_is_singular() -> None:
    assert [str(at_most_replicas(n)) for n in (1, 2, 1024)] == [
        "at most 1 replica", "at most 2 replicas", "at most 1,024 replicas",
    ]  # fmt: skip
