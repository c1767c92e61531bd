"""What is run on which node, in which order."""

from __future__ import annotations

import pytest
from tests.planning.nodes.computers import node

from gyakusan.engines.service_files import shell_line
from gyakusan.errors import BadSetting
from gyakusan.planning.nodes.across import as_pipeline, over_workers
from gyakusan.planning.nodes.answers import Answers
from gyakusan.planning.nodes.copies import best_copies
from gyakusan.planning.nodes.layout import Layout
from gyakusan.planning.nodes.link import USUAL
from gyakusan.planning.nodes.start import one_line, starts
from gyakusan.planning.request.parse_request import parse_request

LARGE = parse_request({"model": "qwen2.5-72b"})


def lines(layout: Layout | None) -> list[tuple[str, str]]:
    assert layout is not None
    return [(s.node.name, shell_line(s.server)) for s in starts(layout)]


def test_the_worker_the_tunnel_the_server() -> None:
    nodes = [node("RTX 3090", "rack", "10.0.0.1"), node("RTX 4090", "desk", "10.0.0.2")]
    (worker, tunnel, server) = lines(over_workers(LARGE, nodes, USUAL)[0])
    assert worker == ("desk", "ggml-rpc-server --host 127.0.0.1 --port 50052")
    assert tunnel == ("rack", "ssh -o ExitOnForwardFailure=yes -N -L 50052:127.0.0.1:50052 10.0.0.2")
    assert server[0] == "rack"
    assert server[1].startswith("llama-server -hf ")
    assert "--rpc 127.0.0.1:50052" in server[1]
    assert "--host 127.0.0.1" in server[1]


def test_one_command_does_all_of_it() -> None:
    nodes = [node("RTX 3090", "rack"), node("RTX 4090", "desk", "10.0.0.2")]
    line = one_line(over_workers(LARGE, nodes, USUAL)[0])
    parts = (
        "serve bartowski/Qwen2.5-72B-Instruct-GGUF:Q4_K_M",
        "--context 8192 --users 1 --kv-type q8_0",
        "--rpc ssh:10.0.0.2",
    )
    assert line == f"gyakusan {' '.join(parts)}"
    found = best_copies(parse_request({"model": "llama3.1-8b", "users": 2}), nodes, Answers())
    assert found is not None
    assert one_line(found) == ""


def test_no_single_command_takes_an_ipv6_address() -> None:
    """`gyakusan serve --rpc ssh:fe80::1` is refused."""
    nodes = [node("RTX 3090", "rack"), node("RTX 4090", "desk", "fe80::1")]
    (layout, *_) = over_workers(LARGE, nodes, USUAL)
    assert one_line(layout) == ""
    assert lines(layout)[1][1].endswith(" fe80::1")


def test_an_address_that_lacks_is_asked_for() -> None:
    (layout, *_) = over_workers(LARGE, [node("RTX 3090", "rack"), node("RTX 4090", "desk")], USUAL)
    with pytest.raises(BadSetting, match=r"how desk is reached.*address"):
        lines(layout)


def test_every_stage_knows_the_first_and_its_key() -> None:
    request = parse_request({"model": "qwen3-235b-a22b", "users": 2})
    nodes = [node("DGX Spark", "a", "10.0.0.1"), node("DGX Spark", "b")]
    found = lines(as_pipeline(request, nodes, USUAL)[0])
    assert [name for name, _ in found] == ["a", "b"]
    assert all("--master-addr 10.0.0.1" in line and "VLLM_API_KEY=" in line for _, line in found)
    assert "--headless" in found[1][1]


def test_copies_ask_for_a_key() -> None:
    request = parse_request({"model": "llama3.1-8b", "users": 2, "engines": "llama.cpp"})
    found = lines(best_copies(request, [node("RTX 4090", "a"), node("RTX 3090", "b")], Answers()))
    assert all("LLAMA_API_KEY=" in line and "--host 0.0.0.0" in line for _, line in found)
