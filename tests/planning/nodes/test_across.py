"""One server over several nodes: workers on unequal ones, a pipeline on equal ones."""

from __future__ import annotations

import pytest
from msgspec import structs
from tests.planning.nodes.computers import described, node

from gyakusan.core.machine import Device, Machine
from gyakusan.engines.registry import engine
from gyakusan.planning.nodes.across import (
    addresses,
    as_pipeline,
    equal_devices,
    joined_machine,
    over_workers,
    weight_shares,
)
from gyakusan.planning.nodes.link import Link
from gyakusan.planning.nodes.node import Node, parse_nodes
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.units import GIB

LINK = Link(1.25e9, 50e-6)
FAST, SLOW, SPARK = node("RTX 4090"), node("RTX 3090"), node("DGX Spark")
LARGE = parse_request({"model": "qwen2.5-72b"})


def cpu(name: str, memory: int = 8 * GIB) -> Node:
    return Node(name, Machine(name, (), Device(name, "host", memory, "cpu"), cores=2))


def test_devices_of_workers_come_first() -> None:
    (rack, desk), _ = parse_nodes([("x", [described("two_rtx3090"), described("rtx4090")])])
    machine, owners = joined_machine([rack, desk])
    assert [g.name[-8:] for g in machine.gpus] == ["RTX 4090", "RTX 3090", "RTX 3090"]
    assert owners == (1, 0, 0)
    assert machine.host == rack.machine.host


def test_a_server_without_a_gpu_lends_its_cpu_to_itself() -> None:
    machine, owners = joined_machine([cpu("a"), cpu("b")])
    assert [g.name for g in machine.gpus] == ["b", "a"]
    assert (owners, machine.host) == ((1, 0), None)
    assert addresses([cpu("a"), cpu("b")]) == ("127.0.0.1:50052", "127.0.0.1:50053")
    assert addresses([FAST, cpu("b")]) == ("127.0.0.1:50052",)


def test_a_model_that_neither_holds_lies_on_both() -> None:
    (layout,) = over_workers(LARGE, [SLOW, FAST], LINK)
    plan, ledger = layout.first, layout.first.ledger
    assert ledger.surely_fits
    weights = [float(a.of("weights")) for a in ledger.accounts[:2]]
    assert all(w > 20e9 for w in weights)
    assert sum(weights) > 45e9
    assert all(a.of("kv_cache") > 0 for a in ledger.accounts[:2])
    words = plan.command.argv
    assert words[words.index("--rpc") + 1] == "127.0.0.1:50052"
    assert 0 < layout.link_share < 0.02
    assert sum(weight_shares(ledger, layout.owners, 2)) == pytest.approx(1)


def test_unequal_memory_is_filled_unequally() -> None:
    request = parse_request({"model": "qwen3-235b-a22b", "context": "16k", "kv": "q8_0"})
    layouts = over_workers(request, [SPARK, FAST], LINK)
    assert layouts
    shares = weight_shares(layouts[0].first.ledger, layouts[0].owners, 2)
    memory = [SPARK.memory, FAST.memory]
    assert shares[0] == pytest.approx(memory[0] / sum(memory), abs=0.08)
    assert all(a.fits for a in layouts[0].first.ledger.accounts)


def test_what_stays_in_ram_is_charged_to_the_node_with_the_server() -> None:
    """A Spark has one memory: the table of embeddings and the process are on it, not on the worker, whose device is first."""
    (layout, *_) = over_workers(parse_request({"model": "qwen2.5-72b"}), [SPARK, FAST], LINK)
    worker, own = layout.first.ledger.accounts
    assert (worker.device.name, own.device.kind) == (FAST.machine.gpus[0].name, "unified")
    parts = {line.part for line in own.lines}
    assert "weights.embedding" in parts
    assert "weights.embedding" not in {line.part for line in worker.lines}


def test_a_slower_link_is_slower() -> None:
    quick, slow = (over_workers(LARGE, [SLOW, FAST], Link(b, t))[0] for b, t in ((12.5e9, 1e-5), (12.5e6, 2e-3)))
    assert quick.speed is not None
    assert slow.speed is not None
    assert slow.speed < quick.speed
    assert slow.link_share > 0.05 > quick.link_share


def test_a_speed_that_is_not_reached_leaves_it_out() -> None:
    assert over_workers(structs.replace(LARGE, speed=500.0), [SLOW, FAST], LINK) == ()


def test_an_engine_without_workers() -> None:
    assert over_workers(structs.replace(LARGE, engines=("ollama",)), [SLOW, FAST], LINK) == ()


def test_equal_devices_have_the_same_memory_together() -> None:
    machine, _ = joined_machine([SPARK, FAST])
    equal = equal_devices(machine, 1.0)
    assert equal.gpus == (equal.gpus[0],) * 2
    total = sum(g.usable or 0 for g in machine.gpus)
    assert sum(g.usable or 0 for g in equal.gpus) == pytest.approx(total, rel=1e-6)


def test_equal_nodes_are_a_pipeline() -> None:
    request = parse_request({"model": "qwen3-235b-a22b", "users": 2, "context": "16k"})
    (layout, *_) = as_pipeline(request, [node("DGX Spark", "a", "10.0.0.1"), node("DGX Spark", "b")], LINK)
    plan = layout.first
    assert (layout.form, layout.owners) == ("pipeline", (0, 1))
    assert len(plan.ledger.accounts) >= 2
    assert plan.ledger.surely_fits
    words = plan.command.argv
    assert words[words.index("--pipeline-parallel-size") + 1] == "2"


@pytest.mark.parametrize("nodes", [[SPARK, FAST], [cpu("a"), cpu("b")]])
def test_unequal_nodes_are_none(nodes: list[Node]) -> None:
    assert as_pipeline(LARGE, nodes, LINK) == ()


def test_a_worker_is_told_to_listen_on_loopback() -> None:
    command = engine("llama.cpp").worker_command(cpu("a").machine, 50053)
    assert command is not None
    assert command.argv == ("ggml-rpc-server", "--host", "127.0.0.1", "--port", "50053", "--threads", "2")
