"""Plans with a part of a model in RAM, a smaller cache, several copies: only where they help, and as the ledger says."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.exclusions import select_models
from gyakusan.planning.select.plan import Plan, confirm_candidate
from gyakusan.planning.select.recommend import recommend

OFFLOAD = {"device": "RTX 3060 12GB", "ram": "64GiB", "task": "coding", "context": "32k"}


@cache
def grid(**values: Any) -> SweepResult:
    return recommend(parse_request(values)).grid


def names(found: SweepResult) -> list[str]:
    return [found.columns.models[i].name for i in found.models]


def confirmed(values: dict[str, Any], index: int) -> Plan | None:
    return confirm_candidate(parse_request(values), grid(**values), index)


def test_a_mixture_has_its_experts_in_ram() -> None:
    found = grid(**OFFLOAD)
    at = [i for i, n in enumerate(names(found)) if n == "qwen3.6-35b-a3b" and found.cells.blocks_in_ram[i]]
    assert at
    plan = confirmed(OFFLOAD, at[0])
    assert plan is not None
    assert plan.in_ram == "experts"
    assert plan.ledger.settings["n_cpu_moe"] == plan.blocks_in_ram > 0
    assert "--n-cpu-moe" in plan.command.argv
    assert abs(plan.blocks_in_ram - found.cells.blocks_in_ram[at[0]]) <= 2
    assert plan.pace is not None
    assert plan.pace.decode_each.low == pytest.approx(found.cells.tokens_per_s_low[at[0]], rel=0.1)
    assert plan.pace.ttft.value == pytest.approx(found.cells.ttft[at[0]], rel=0.1)


def test_a_dense_model_has_blocks_in_ram() -> None:
    found = grid(**OFFLOAD)
    at = [i for i, n in enumerate(names(found)) if n == "qwen3.8-27b" and found.cells.blocks_in_ram[i]]
    plan = confirmed(OFFLOAD, at[0])
    assert plan is not None
    assert plan.in_ram == "layers"
    assert plan.ledger.settings["gpu_layers"] > 0
    assert plan.pace is not None
    assert plan.pace.decode_each.value == pytest.approx(found.cells.tokens_per_s[at[0]], rel=0.15)


def test_only_where_nothing_of_the_model_fits() -> None:
    found = grid(**OFFLOAD)
    coarse = np.array([found.columns.of_engine("llama.cpp").coarse[r] for r in found.cells.row])
    whole = {n for n, b, c in zip(names(found), found.cells.blocks_in_ram, coarse, strict=True) if not b and not c}
    split = {n for n, b in zip(names(found), found.cells.blocks_in_ram, strict=True) if b}
    assert split
    assert not whole & split


def test_ram_that_is_not_known_holds_nothing() -> None:
    assert not grid(device="RTX 3060 12GB", task="coding", context="32k").cells.blocks_in_ram.any()


def test_more_ram_never_takes_a_candidate_away() -> None:
    small, large = (
        {(n, r) for n, r in zip(names(g), g.cells.row.tolist(), strict=True)}
        for g in (grid(**{**OFFLOAD, "ram": size}) for size in ("16GiB", "64GiB"))
    )
    assert small < large


def test_ram_named_with_the_device_is_the_same() -> None:
    named = grid(device="RTX 3060 12GB + 64GB RAM", task="coding", context="32k")
    assert names(named) == names(grid(**OFFLOAD))


def test_a_smaller_cache_is_tried_beside_the_usual_one() -> None:
    values = {"device": "RTX 4090", "task": "coding", "context": "64k", "engines": "llama.cpp"}
    found = grid(**values)
    halves = {(n, int(r)) for n, r, kv in zip(names(found), found.cells.row, found.cells.kv, strict=True) if not kv}
    small = {(n, int(r)) for n, r, kv in zip(names(found), found.cells.row, found.cells.kv, strict=True) if kv}
    assert small > halves
    plan = confirmed(values, int(np.flatnonzero(found.cells.kv)[0]))
    assert plan is not None
    assert plan.ledger.settings["key_type"] == "Q8_0"
    assert not grid(**values, kv="f16").cells.kv.any()
    only = grid(**values, kv="q8_0")
    assert set(names(only)) >= set(names(found))


def test_copies_divide_users_and_cards() -> None:
    values = {"device": "4x RTX 3090", "users": 8, "engines": "vllm"}
    found = grid(**values)
    at = [i for i, n in enumerate(names(found)) if n == "qwen3.5-9b" and found.cells.replicas[i] == 4]
    assert at
    plan = confirmed(values, at[0])
    assert plan is not None
    assert (plan.replicas, plan.ledger.settings["data_parallel"], plan.ledger.settings["tensor_parallel"]) == (4, 4, 1)
    assert "--data-parallel-size 4" in " ".join(plan.command.argv)
    one = recommend(parse_request({"device": "RTX 3090", "users": 2, "engines": "vllm"})).grid
    same = next(i for i, n in enumerate(names(one)) if n == "qwen3.5-9b" and one.cells.row[i] == found.cells.row[at[0]])
    assert plan.pace is not None
    assert found.cells.tokens_per_s[at[0]] == pytest.approx(one.cells.tokens_per_s[same])
    assert plan.pace.decode_all.value == pytest.approx(8 * plan.pace.decode_each.value)
    assert found.cells.total[at[0]] == pytest.approx(one.cells.total[same])


def test_copies_share_no_experts_and_outnumber_no_users() -> None:
    found = grid(device="4x RTX 3090", users=3, engines="vllm")
    assert set(np.unique(found.cells.replicas)) == {1, 2}
    experts = np.asarray(found.columns.shapes.experts)[found.models]
    assert (experts[found.cells.replicas > 1] <= 1).all()


def test_plans_say_the_same_as_inspect() -> None:
    for plan in recommend(parse_request(OFFLOAD)).plans:
        asked = api.deployment(
            plan.name,
            quantization=plan.quantization,
            load=Load(1, 32768),
            device="RTX 3060 12GB",
            ram="64GiB",
            server=plan.engine,
            settings=plan.deployment.changes,
        )
        assert asked.ledger.fits
        assert [a.total for a in asked.ledger.accounts] == [a.total for a in plan.ledger.accounts]
        pace = api.assess(asked).speed
        assert pace is not None
        assert plan.pace is not None


def test_images_are_counted_in_every_candidate_and_readers_only_are_asked() -> None:
    plain, seeing = grid(device="RTX 4090"), grid(device="RTX 4090", images=True)
    assert "gpt-oss-20b" in names(plain)
    assert "gpt-oss-20b" not in names(seeing)
    at = {n: i for i, n in enumerate(names(plain))}
    i = names(seeing).index("gemma3-4b")
    j = next(k for k in range(len(plain.cells)) if plain.cells.row[k] == seeing.cells.row[i])
    assert "gemma3-4b" in at
    assert seeing.cells.total[i] - plain.cells.total[j] > 800_000_000
    plan = confirmed({"device": "RTX 4090", "images": True}, i)
    assert plan is not None
    assert plan.projector == "counted"
    assert plan.projector_bytes > 800_000_000


@pytest.mark.parametrize("model", ["phi4-14b", "gpt-oss-20b"])
def test_beyond_the_training_nothing_fits_even_what_is_named(model: str) -> None:
    request = parse_request({"device": "H200", "model": model, "context": "256k"})
    assert select_models(request, grid(device="RTX 4090").columns)[0] == []


def test_several_cards_and_ram() -> None:
    values = {"device": "2x RTX 3090", "ram": "128GiB", "context": "32k"}
    found = grid(**values)
    at = [i for i, n in enumerate(names(found)) if n == "gpt-oss-120b" and found.cells.blocks_in_ram[i]]
    plan = confirmed(values, at[0])
    assert plan is not None
    assert len(plan.ledger.settings["tensor_split"]) == 2
    assert abs(plan.blocks_in_ram - found.cells.blocks_in_ram[at[0]]) <= 3
    assert plan.pace is not None
    assert plan.pace.decode_each.value == pytest.approx(found.cells.tokens_per_s[at[0]], rel=0.15)


def test_a_machine_to_buy_has_the_ram_that_is_asked_for() -> None:
    plain, more = grid(budget="300000JPY"), grid(budget="300000JPY", ram="64GiB")
    assert not plain.cells.blocks_in_ram.any()
    assert more.cells.blocks_in_ram.any()
    hosts = {o.machine.host.memory for o in more.offers if o.machine.host is not None}
    assert hosts == {64 * 2**30}
