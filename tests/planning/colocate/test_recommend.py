"""Several models together: every one fits beside the others by inspect, and the best sum is the best sum."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.planning.small import small

import gyakusan
from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.engines.registry import engine
from gyakusan.engines.vllm.pool import requested
from gyakusan.engines.vllm.profile import visible
from gyakusan.engines.vllm.settings import Settings
from gyakusan.errors import BadSetting, GyakusanError
from gyakusan.planning.candidates.model_table import load
from gyakusan.planning.colocate.model_options import ModelOption, combinations
from gyakusan.planning.colocate.recommend import ColocationAnswer, colocate
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.text import tell

ALSO = (
    ["embedding"],
    ["coding:users=2,context=16k", "embedding:model=bge-m3"],
    ["chat:users=4,context=4k", "translation"],
)


def ask(**values: object) -> ColocationAnswer:
    return colocate(parse_request(values), columns=small())


def agrees(found: ColocationAnswer, device: str) -> None:
    """Each model fits by inspect where what the others take is reserved, and takes what the plan says."""
    for plan in found.plans:
        for member in plan.members:
            asked = api.deployment(
                member.deployment.name,
                quantization=member.deployment.quantization,
                load=Load(int(member.ledger.load.users), int(member.ledger.load.context)),
                device=device,
                reserve=f"{member.reserve // 2**20}MiB",
                server=member.deployment.engine,
                settings={**(engine(member.deployment.engine).cache_setting("F16") or {}), **member.changes},
            )
            assert asked.refusals == ()
            assert asked.ledger.fits
            assert [a.total for a in asked.ledger.accounts] == [a.total for a in member.ledger.accounts]


@pytest.mark.parametrize("also", ALSO)
@pytest.mark.parametrize("device", ["RTX 4090", "2x RTX 3090", "M4 Max 64GB", "RTX 4080 + RTX 4090"])
def test_every_model_fits_by_inspect_beside_the_others(device: str, also: list[str]) -> None:
    found = ask(device=device, users=2, also=also)
    assert found.plans
    agrees(found, device)


@settings(max_examples=8, deadline=None)
@given(
    st.sampled_from(("RTX 3060 12GB", "RTX 5090", "DGX Spark")),
    st.integers(1, 6),
    st.sampled_from((2048, 8192, 32768)),
    st.sampled_from(("", "llama.cpp", "vllm")),
)
def test_what_is_returned_fits_whoever_asks(device: str, users: int, context: int, engine: str) -> None:
    also = [f"coding:users={users},context={context}", "embedding"]
    try:
        found = ask(device=device, also=also, engines=engine)
    except GyakusanError:
        return
    assert bool(found.plans) != bool(found.relaxations)
    agrees(found, device)


def test_all_of_it_together_is_no_more_than_there_is() -> None:
    found = ask(device="2x RTX 3090", engines="vllm", users=2, also=["coding:users=2,context=16k", "embedding"])
    (plan,) = found.plans
    for number, gpu in enumerate(plan.offer.machine.gpus):
        taken = 0
        for member in plan.members:
            account = member.ledger.accounts[number]
            share = member.changes.get("gpu_memory_utilization")
            served = Settings(1, gpu_memory_utilization=share) if share else None
            taken += max(int(account.total), requested(visible(gpu), served) if served else 0)
            assert any(line.kind == "overhead" for line in account.lines)
        assert gpu.usable is not None
        assert taken <= gpu.usable


def test_commands_have_ports_of_their_own_and_shares_of_vllm() -> None:
    also = ["coding:model=qwen3-8b", "embedding"]
    (plan,) = ask(device="2x RTX 3090", model="gemma3-12b", engines="vllm", also=also).plans
    ports = [m.command.argv[m.command.argv.index("--port") + 1] for m in plan.members]
    assert ports == ["8080", "8081", "8082"]
    for member in plan.members[:2]:
        share = float(member.command.argv[member.command.argv.index("--gpu-memory-utilization") + 1])
        assert 0 < share < 0.9
    assert "--embedding" in plan.members[2].command.argv


def test_vllm_answers_as_many_at_once_as_were_planned() -> None:
    """The command said --max-num-seqs 256, whatever the slots of the answer were."""
    for plan in ask(device="RTX 4090", users=5, engines="vllm", also=["coding:users=2"]).plans:
        for member in plan.members:
            argv = member.command.argv
            assert argv[argv.index("--max-num-seqs") + 1] == str(member.request.users)


PIECES = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 40)), min_size=1, max_size=7)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=3), st.integers(1, 70))
def test_the_best_sum_is_found(parts: list[list[tuple[int, int]]], room: int) -> None:
    choices = [[ModelOption(m, float(w), i) for i, (m, w) in enumerate(part)] for part in parts]
    every = [c for c in itertools.product(*choices) if sum(p.memory for p in c) <= room]
    found = combinations(choices, room)
    assert bool(found) == bool(every)
    if every:
        assert found[-1][1] == max(sum(p.utility for p in c) for c in every)
    for memory, worth, chosen in found:
        assert memory == sum(p.memory for p in chosen) <= room
        assert worth == pytest.approx(sum(p.utility for p in chosen))


def test_what_does_not_fit_is_named_with_the_nearest_change() -> None:
    found = ask(device="RTX 3060 12GB", also=["coding:model=qwen3-30b-a3b", "embedding"])
    assert not found.plans
    said = [tell(r.sentence, "en") for r in found.relaxations]
    assert said[0].startswith("qwen3-30b-a3b: short by ")
    assert "It fits without qwen3-30b-a3b." in said


def test_two_that_fit_alone_and_not_together() -> None:
    found = ask(device="RTX 3060 12GB", model="gpt-oss-20b", also=["coding:model=gemma3-12b,context=8k"])
    assert not found.plans
    said = " ".join(tell(r.sentence, "en") for r in found.relaxations)
    assert "The smallest models together take" in said
    assert "short by" in said
    assert "It fits" in said


def test_a_machine_is_bought_for_all_of_them() -> None:
    found = colocate(parse_request({"budget": "400000JPY", "also": ["coding", "embedding"]}))
    assert {r for p in found.plans for r in p.roles} == {"balanced", "cheapest", "best"}
    for plan in found.plans:
        assert plan.offer.price is not None
        assert plan.offer.price <= 400_000


def test_embedding_models_answer_nobody() -> None:
    columns = load()
    assert not {"bge-m3", "qwen3-embedding-0.6b"} & set(columns.places)
    with pytest.raises(BadSetting, match="embedding"):
        gyakusan.plan(device="RTX 4090", model="bge-m3")
    with pytest.raises(BadSetting):
        gyakusan.plan(device="RTX 4090", task="embedding")
    with pytest.raises(BadSetting, match="not an embedding model"):
        ask(device="RTX 4090", also=["embedding:model=llama3.1-8b"])
    with pytest.raises(BadSetting, match="embedding"):
        ask(device="RTX 4090", also=["coding:model=bge-m3"])


@pytest.mark.parametrize(
    "also", ["coding:user=2", ":", "coding:users", "drawing", ["coding"] * 8, 5, "coding:device=x"]
)
def test_a_part_that_makes_no_sense_is_refused(also: object) -> None:
    with pytest.raises(GyakusanError):
        ask(device="RTX 4090", also=also)


def test_every_server_fetches_published_files(capsys: pytest.CaptureFixture[str]) -> None:
    from gyakusan.cli import main

    assert main(["plan", "--device", "RTX 3090", "--also", "embedding", "--lang", "en"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert out.count("llama-server -hf ") == 2
    assert "-Embedding-" in out
    assert ":Q8_0" in out
    assert "--offline" not in out


@pytest.mark.parametrize(
    ("device", "users", "engines"),
    [("RTX 4090", 5, ""), ("2x RTX 3090", 3, ""), ("RTX 4090", 1, "vllm"), ("2x RTX 3090", 5, "vllm")],
)
def test_all_servers_fit_at_the_high_end_of_doubt(device: str, users: int, engines: str) -> None:
    """Each of these was answered by models that fit together by the best figure, short by up to 3.6 GiB at the high end."""
    (plan,) = ask(
        device=device,
        users=users,
        also=[f"coding:users={users},context=32k", "embedding"],
        **({"engines": engines} if engines else {}),
    ).plans
    assert plan.spare is not None
    assert plan.left is not None
    assert 0 <= plan.spare <= plan.left
    assert all(m.ledger.surely_fits for m in plan.members)
    for number, gpu in enumerate(plan.offer.machine.gpus):
        assert gpu.usable is not None
        most = sum(int(m.ledger.accounts[number].at_most) for m in plan.members if number < len(m.ledger.accounts))
        assert most <= gpu.usable
