"""How many models are loaded at once: every choice of them must fit on every device."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from msgspec import structs

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.core.machine import Device
from gyakusan.engines.deployment import Deployment
from gyakusan.errors import BadSetting
from gyakusan.serving.model_group import (
    ROUTER,
    Member,
    ModelGroup,
    by_place,
    growing_memory,
    most_memory,
    names_for,
    planned_memory,
)
from gyakusan.units import GIB, MIB

SIZES = (Load(1, 8192), Load(2, 512), Load(6, 4096))


def on(asked: Deployment, usable: int | None) -> Deployment:
    """The same on a computer with so much free RAM."""
    host = asked.machine.host
    assert host is not None
    return asked.on(structs.replace(asked.machine, host=structs.replace(host, memory=usable, reserved=0)))


def members(usable: int | None, loads: tuple[Load, ...] = SIZES) -> list[Member]:
    each = [on(api.deployment("smollm2", load=load, device="cpu"), usable) for load in loads]
    return [Member(f"m{number}", one, Path(f"/m/{number}.gguf")) for number, one in enumerate(each)]


def needed(member: Member) -> float:
    return sum(float(a.at_most) for a in member.asked.ledger.accounts)


@pytest.mark.parametrize("usable", [GIB // 2, int(0.8 * GIB), GIB, 2 * GIB, 20 * GIB])
def test_every_choice_fits_and_one_more_does_not(usable: int) -> None:
    made = members(usable)
    group = ModelGroup(made)
    sets = {n: [sum(map(needed, c)) + ROUTER for c in combinations(made, n)] for n in (1, 2, 3)}
    assert group.fitting == max((n for n in sets if all(s <= usable for s in sets[n])), default=0)
    assert group.models_max == max(1, group.fitting)
    worst = max(sets[group.models_max])
    assert group.shares[-1].bytes == pytest.approx(worst)
    assert sum(map(needed, group.worst)) + ROUTER == pytest.approx(worst)
    assert group.users == sum(sorted((1, 2, 6))[-group.models_max :])
    assert group.first == tuple(m.name for m in made[: group.models_max])


def test_more_than_fit_are_refused_with_the_number_that_fits() -> None:
    made = members(GIB)
    assert 1 <= ModelGroup(made).fitting < 3
    with pytest.raises(BadSetting, match=r"3 models do not always fit together.* --models-max \d") as refused:
        ModelGroup(made, most=3)
    assert f"--models-max {ModelGroup(made).fitting}," in str(refused.value)
    assert ModelGroup(made, most=3, anyway=True).models_max == 3
    assert ModelGroup(made, most=1).models_max == 1
    assert ModelGroup(made, most=9, anyway=True).models_max == 3
    with pytest.raises(BadSetting, match="models_max cannot be 0"):
        ModelGroup(made, most=0)


def test_unknown_memory_is_taken_as_enough() -> None:
    group = ModelGroup(members(None))
    assert (group.models_max, group.shares[-1].usable, group.prompt_cache) == (3, None, None)


def test_idle_conversations_get_what_the_worst_set_leaves() -> None:
    """As one model, each may keep 8 GiB; together they would take what is not there."""
    assert ModelGroup(members(100 * GIB)).prompt_cache is None
    for usable in (2 * GIB, 12 * GIB):
        group = ModelGroup(members(usable))
        cache = group.prompt_cache
        assert cache is not None
        assert cache % MIB == 0
        assert 0 < cache < 8 * GIB
        assert group.shares[-1].bytes + group.models_max * cache <= usable
        assert f"cache-ram = {cache // MIB}\n" in group.text() + "\n"


def test_two_cards_of_one_name_are_two_devices() -> None:
    one = members(GIB)[0]
    accounts = one.asked.ledger.accounts
    card = Device("RTX", "gpu", GIB, "cuda")
    twice = [structs.replace(a, device=card) for a in (*accounts, *accounts)]

    class Two:
        ledger = type("L", (), {"accounts": twice})()

    places = [place for place, _ in by_place(Two())]  # type: ignore[arg-type]
    assert places == ["RTX", "RTX\n1"]


def test_lines_of_the_worst_set_are_told() -> None:
    group = ModelGroup(members(20 * GIB))
    planned = planned_memory(group)
    assert sum(planned.values()) == pytest.approx(group.bytes)
    assert most_memory(group) == pytest.approx(sum((planned | growing_memory(group)).values()))
    assert most_memory(group) > group.bytes
    assert {part for _, part in planned} >= {"weights", "kv.full"}


def test_one_server_and_one_that_routes() -> None:
    made = members(GIB)
    other = Member("v", made[0].asked.under("mlx"), Path("/m/v"))
    with pytest.raises(BadSetting, match="different servers"):
        ModelGroup([made[0], other])
    with pytest.raises(BadSetting, match="one model at an address"):
        ModelGroup([other, other])


def test_names_are_words_and_each_is_once() -> None:
    wanted = ("Qwen3 8B", "qwen/x:Q4", "default", "a]b", "[*]", "x", "x", "x-2", "日本")
    found = names_for(wanted)
    assert found[:5] == ("Qwen3-8B", "qwen-x-Q4", "default-model", "a-b", "model")
    assert len(set(found)) == len(found)
    assert found[5:7] == ("x", "x-2")
    assert found[8] == "日本"
