"""Commands of fleets: they run as they stand, on an address that the balancer reaches, with a key that none of them shows."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.planning.small import small

from gyakusan.documents.fleet import fleet as document
from gyakusan.engines.front_line import front_service
from gyakusan.engines.registry import engine
from gyakusan.engines.service_files import KEY_FILE, service, shell_line
from gyakusan.errors import BadSetting
from gyakusan.planning.fleet.recommend import FleetAnswer, fleet, left_out
from gyakusan.planning.fleet.request import host_address, parse_fleet_request

ANGLE = re.compile("[<>]")
WHERE = ("RTX 4090", "2x RTX 5090", "DGX Spark", "M3 Ultra 256GB", "RTX 3060 12GB")
SPANNING = {"users": 16, "device": "4x RTX 4090", "model": "qwen3-235b-a22b", "engines": "vllm"}


@cache
def little(**values: Any) -> FleetAnswer:
    """The answer over a few models."""
    return fleet(parse_fleet_request(values), columns=small())


@cache
def spanning(first_address: str | None = None) -> FleetAnswer:
    """Fleets whose replicas span machines."""
    return fleet(parse_fleet_request({**SPANNING, "first_address": first_address}))


def strings(value: object) -> list[str]:
    """Every key and string of a JSON document."""
    if isinstance(value, dict):
        return [s for k, v in value.items() for s in (k, *strings(v))]
    if isinstance(value, list):
        return [s for v in value for s in strings(v)]
    return [value] if isinstance(value, str) else []


def lines(found: FleetAnswer, *, all_flags: bool) -> list[str]:
    """Return the commands of every fleet as `--command` prints them."""
    return [
        shell_line(
            service(p.plan.deployment, c, all_flags=all_flags, lan=True)
            if p.key_variable
            else front_service(p.plan.deployment, c)
        )
        for p in found.plans
        for c in p.commands
    ]


@settings(max_examples=30)
@given(
    device=st.sampled_from(WHERE),
    users=st.sampled_from((1, 8, 40, 200)),
    engines=st.sampled_from((None, "llama.cpp", "ollama", "vllm", "mlx")),
    spare=st.sampled_from((0, 1)),
    all_flags=st.booleans(),
)
def test_nothing_has_to_be_filled_in(device: str, users: int, engines: str | None, spare: int, all_flags: bool) -> None:
    found = little(device=device, users=users, engines=engines, spare=spare)
    check(found, all_flags)


@pytest.mark.parametrize("address", [None, "10.0.0.5", "gpu-1.lan"])
@pytest.mark.parametrize("all_flags", [False, True])
def test_nothing_has_to_be_filled_in_across_machines(address: str | None, all_flags: bool) -> None:
    check(spanning(address), all_flags)


def check(found: FleetAnswer, all_flags: bool) -> None:
    """Assert that no string of the JSON and of the commands has an angle bracket."""
    got = msgspec.json.decode(msgspec.json.encode(document(found), enc_hook=str))
    told = [*strings(got), *lines(found, all_flags=all_flags)]
    assert [s for s in told if ANGLE.search(s)] == []


def test_servers_that_others_reach_listen_everywhere_and_ask_for_a_key_that_no_command_holds() -> None:
    several = {p.machines > 1 for users in (1, 64) for p in little(users=users, device="RTX 5090").plans}
    assert several == {True, False}
    for users in (1, 64):
        for plan in little(users=users, device="RTX 5090").plans:
            key = engine(plan.plan.engine).KEY
            assert plan.key_variable == key != ""
            for command in plan.commands:
                words = (*command.argv, *command.environment.values())
                assert any("0.0.0.0" in w for w in words)
                assert not any(k.endswith("_API_KEY") for k in command.environment)


@pytest.mark.parametrize(("device", "name"), [("RTX 5090", "ollama"), ("M5 Max 128GB", "mlx")])
@pytest.mark.parametrize("users", [3, 64])
def test_a_server_without_a_key_is_behind_gyakusan_which_asks_for_one(device: str, name: str, users: int) -> None:
    found = little(users=users, device=device, engines=name)
    assert found.plans
    for plan in found.plans:
        (command,) = plan.commands
        assert plan.key_variable == ""
        assert command.argv[:2] == ("gyakusan", "serve")
        assert command.argv[-4:] == ("--host", "0.0.0.0", "--key-file", KEY_FILE)
    assert all(f"--key-file {KEY_FILE}" in line and "openssl rand" in line for line in lines(found, all_flags=False))


@pytest.mark.parametrize("device", ["M5 Max 128GB", "Mac mini M4 Pro 64GB", "RTX 5090"])
def test_only_servers_that_ask_for_a_key_are_proposed_where_nobody_names_one(device: str) -> None:
    found = little(users=10, device=device)
    assert found.plans
    assert all(engine(p.plan.engine).KEY for p in found.plans)
    assert left_out(found) == (() if device == "RTX 5090" else ("MLX-LM",))
    assert left_out(little(users=10, device=device, engines="llama.cpp")) == ()


def test_machines_of_one_replica_know_the_first_and_find_their_own_address() -> None:
    (plan, *_), without = spanning("10.0.0.5").plans, spanning().plans
    assert [w for c in plan.commands for w in c.argv].count("10.0.0.5") == plan.nodes > 1
    assert all("VLLM_HOST_IP" not in c.environment for c in plan.commands)
    assert without
    assert all(p.commands == () and p.key_variable == "VLLM_API_KEY" for p in without)


@pytest.mark.parametrize("text", ["10.0.0.5", "gpu1", "gpu-1.lan", " 192.168.0.10 ", "fd00::5", "1password.example"])
def test_addresses_that_others_reach(text: str) -> None:
    assert host_address(text) == text.strip()


@given(st.text(max_size=30))
def test_an_address_needs_no_quotes_in_a_shell(text: str) -> None:
    try:
        address = host_address(text)
    except BadSetting:
        return
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.:-]*|::[A-Za-z0-9.:]+", address)
