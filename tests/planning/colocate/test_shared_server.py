"""One server for several uses: whoever shares has a slot of the longest context, and a model runs twice only with reason."""

from __future__ import annotations

import pytest
from tests.planning.small import small

from gyakusan.planning.colocate.recommend import ColocationAnswer, colocate
from gyakusan.planning.colocate.shared_server import groupings, shared_request
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.request.request import PlanRequest


def ask(**values: object) -> ColocationAnswer:
    return colocate(parse_request(values), columns=small())


@pytest.mark.parametrize("device", ["RTX 3060 12GB", "RTX 5090", "M4 Max 64GB"])
@pytest.mark.parametrize("also", [["coding:users=2,context=16k"], ["chat:users=3,context=4k", "embedding"]])
def test_a_shared_server_has_a_slot_for_everybody(device: str, also: list[str]) -> None:
    found = ask(device=device, users=2, also=also)
    assert found.plans
    for plan in found.plans:
        served = [use for member in plan.members for use in member.uses]
        assert sorted(u.task for u in served) == sorted(p.task for p in (found.request, *found.request.colocated))
        for member in plan.members:
            load = member.ledger.load
            assert load.users >= sum(u.users for u in member.uses)
            assert load.context >= max(u.workload.context for u in member.uses) or member.plan is None
            assert len(member.uses) == 1 or member.plan is not None
        names = [m.deployment.name for m in plan.members]
        assert len(set(names)) == len(names)


def test_one_model_for_chat_and_code_is_one_server_with_one_command() -> None:
    (plan,) = ask(device="RTX 4090", users=1, also=["coding:users=2,context=32k"]).plans
    (member,) = plan.members
    argv = list(member.command.argv)
    assert argv[argv.index("--parallel") + 1] == "3"
    assert argv[argv.index("--ctx-size") + 1] == str(3 * 32768)
    assert plan.busy_share == 1


def test_an_embedding_model_has_a_server_of_its_own() -> None:
    (plan,) = ask(device="RTX 4090", also=["coding", "embedding"]).plans
    assert [len(m.uses) for m in plan.members] == [2, 1]
    assert plan.members[1].plan is None


def test_many_short_and_one_long_conversation_do_not_share_where_the_slots_do_not_fit() -> None:
    """Forty slots of 64k do not fit beside any model of the table; forty of 2k and one of 64k do."""
    (plan,) = ask(device="RTX 4090", users=40, context="2k", also=["coding:context=40k"]).plans
    assert len(plan.members) == 2


@pytest.mark.parametrize(
    ("one", "two", "shares"),
    [
        ({}, {"users": 3}, True),
        ({"model": "gpt-oss-20b"}, {}, True),
        ({"model": "gpt-oss-20b"}, {"model": "qwen3-8b"}, False),
        ({"engines": ("vllm",)}, {"engines": ("llama.cpp",)}, False),
        ({"kv_types": ("Q8_0",)}, {}, False),
    ],
)
def test_who_can_share(one: dict[str, object], two: dict[str, object], shares: bool) -> None:
    parts = (PlanRequest(users=2, **one), PlanRequest(task="coding", **{"users": 1, **two}))  # type: ignore[arg-type]
    found = shared_request(parts)
    assert bool(found) is shares
    for part, asked in zip(found, parts, strict=False):
        assert part.users == sum(p.users for p in parts)
        assert part.workload.context == 32768
        assert part.workload.prompt_tokens == asked.workload.prompt_tokens
        assert part.model == (one.get("model") or two.get("model"))


@pytest.mark.parametrize(("count", "ways"), [(1, 1), (2, 2), (3, 5), (4, 15), (5, 2)])
def test_ways_to_put_uses_on_servers(count: int, ways: int) -> None:
    every = list(groupings(count))
    assert len({frozenset(map(frozenset, g)) for g in every}) == len(every) == ways
    assert every[0] == tuple((i,) for i in range(count))
    for grouping in every:
        assert sorted(i for group in grouping for i in group) == list(range(count))
