"""Files of nodes: what detect writes is read whole, and what is broken is refused with its mend."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.machines.boxes import NAMES
from tests.planning.nodes.computers import described

from gyakusan.doors.text import line
from gyakusan.errors import BadSetting, GyakusanError
from gyakusan.planning.nodes.node import LONGEST_NAME, SCHEMA, json_nodes, parse_nodes

TWO = [("a.json", described("rtx4090")), ("b.json", described("gb10"))]


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_computer_is_the_machine_that_was_detected(name: str) -> None:
    said = described(name)
    nodes, _ = parse_nodes([("a", said), ("b", said)])
    first, second = nodes
    assert first.name == said["name"]
    assert second.name == f"{said['name']} 2"
    devices = [(d.name, d.kind, d.memory, d.usable, d.bandwidth) for d in first.machine.devices]
    assert devices == [
        (line(d["name"], LONGEST_NAME), d["kind"], d["memory"], d["usable"], d["bandwidth"]) for d in said["devices"]
    ]
    assert first.memory == sum(d.usable or 0 for d in first.machine.gpus or first.machine.devices)


def test_the_schema_is_the_one_that_detect_writes() -> None:
    assert described("rtx4090")["schema"] == SCHEMA


def test_a_list_a_table_and_several_files_say_the_same() -> None:
    a, b = (value for _, value in TWO)
    several, assumed = parse_nodes(TWO)
    assert parse_nodes([("x", [a, b])])[0] == several
    table, link = parse_nodes([("x", {"nodes": [a, b], "link": "10GbE"})])
    assert (table, link.bandwidth, link.assumed) == (several, 1.25e9, False)
    assert assumed.assumed
    assert parse_nodes([("x", {"nodes": [a, b], "link": "10GbE"})], "100Gb/s")[1].bandwidth == 12.5e9


def without(*names: str, **changes: object) -> dict[str, Any]:
    said = {k: v for k, v in described("rtx4090").items() if k not in names}
    return {**said, **changes}


def devices(**changes: object) -> list[dict[str, Any]]:
    return [{**d, **changes} for d in described("rtx4090")["devices"]]


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (without("schema"), "its schema is missing"),
        (without(schema="gyakusan/detect/2"), "schema is 'gyakusan/detect/2'.*version of gyakusan"),
        (without(schema=["x"] * 1000), "its schema is"),
        (5, "schema"),
        (without("devices"), "lacks the field devices"),
        (without(adress="10.0.0.1"), "adress, which is not known"),
        (without(devices=[]), "memory of node .* is not known.*in bytes"),
        (without(devices=devices(memory=None, usable=None)), "memory of node .* is not known"),
        (without(devices=devices(memory=0, reserved=0)), "memory of node .* is not known"),
        (without(devices=[devices()[0], *devices(memory=None, usable=None)[:1]]), "memory of node .* is not known"),
        (without(devices=devices()[:1] * 65), "has 65 devices.*at most 64"),
        (without(devices=devices(memory=-5)), "Correct memory and reserved"),
        (without(devices=devices(memory=2**60)), "Correct memory and reserved"),
        (without(devices=devices(reserved=2**40)), "Correct memory and reserved"),
        (without(devices=devices(kind="quantum")), "cannot be 'quantum'"),
        (without(address="localhost", name="desk"), "No other machine can reach desk at 'localhost'"),
        (without(address="a; rm -rf /"), "No other machine can reach"),
    ],
)
def test_a_broken_node_is_refused(value: object, match: str) -> None:
    with pytest.raises(BadSetting, match=match) as error:
        parse_nodes([TWO[1], ("broken.json", value)])
    assert error.value.mend is not None


@pytest.mark.parametrize(
    ("sources", "match"),
    [
        ([], "There are 0 nodes"),
        ([("x", [])], "There are 0 nodes"),
        (TWO[:1], "only one node.*without --nodes"),
        ([("x", [TWO[0][1]] * 17)], "There are 17 nodes.*2 to 16"),
        ([("x", {"nodes": [], "lnik": "10GbE"})], "has a key 'lnik'"),
    ],
)
def test_too_few_too_many(sources: list[tuple[str, object]], match: str) -> None:
    with pytest.raises(BadSetting, match=match):
        parse_nodes(sources)


@pytest.mark.parametrize("text", ["", "{", "nodes", '{"a": 1, "a": 2}', "[" * 100, "1" * 100])
def test_no_json(text: str) -> None:
    with pytest.raises(BadSetting, match=r"nodes\.json cannot be read.*gyakusan detect --json"):
        json_nodes(text, "nodes.json")


def test_names_are_on_one_line() -> None:
    nodes, _ = parse_nodes([TWO[0], ("x", without(name="\x1b[31mred\n" + "x" * 500))])
    assert "\x1b" not in nodes[1].name
    assert "\n" not in nodes[1].name
    assert len(nodes[1].name) <= 40


@pytest.mark.parametrize("bandwidth", [-5.0, 0.0, 1e-300, 1e15, 1e300, math.inf, math.nan])
def test_a_bandwidth_outside_physics_is_refused(bandwidth: float) -> None:
    with pytest.raises(BadSetting, match=r"x: .* has a memory bandwidth of .*null where it is not known"):
        parse_nodes([TWO[0], ("x", without(devices=devices(bandwidth=bandwidth)))])


def test_a_bandwidth_that_is_told_is_used_and_null_is_not_known() -> None:
    for told in (5e11, None):
        nodes, _ = parse_nodes([TWO[0], ("x", without(devices=devices(bandwidth=told)))])
        assert nodes[1].machine.gpus[0].bandwidth == told


@pytest.mark.parametrize("cores", [-3, 65537, 10**12])
def test_a_number_of_cores_that_no_computer_has_is_refused(cores: int) -> None:
    with pytest.raises(BadSetting, match=rf"has {cores} cores"):
        parse_nodes([TWO[0], ("x", without(cores=cores))])


@pytest.mark.parametrize(
    ("one", "other"), [("10.0.0.2", "10.0.0.2"), ("Spark.lan", "spark.lan"), ("fe80::1", "FE80:0::1")]
)
def test_two_nodes_at_one_address_are_refused_by_both_names(one: str, other: str) -> None:
    there = [("a", without(name="one", address=one)), ("b", without(name="two", address=other))]
    with pytest.raises(BadSetting, match="one and two have one address"):
        parse_nodes(there)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(TWO[0][1])), inner, max_size=5),
    max_leaves=12,
)


@given(JSON, st.sampled_from(sorted(TWO[0][1])))
def test_anything_else_is_an_error_of_ours(value: object, key: str) -> None:
    for broken in (value, {**TWO[0][1], key: value}):
        try:
            parse_nodes([TWO[1], ("x", broken)])
        except GyakusanError as error:
            json.dumps(str(error))
