"""Which device each unit goes to: recorded maps, and what llama.cpp refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.placement_accuracy import free_of, layers_of, settings_of
from tests.models import recorded

from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, override_device, place, share_out
from gyakusan.engines.llamacpp.settings import Settings, check
from gyakusan.errors import BadSetting

SPLIT = Settings(context=8192, split_mode="layer")
TWO = (24, 24)


def rows() -> list[dict[str, object]]:
    return [r for r in recorded.rows("llamacpp_split.jsonl.gz") if "error" not in r]


def test_every_recorded_map() -> None:
    wrong = []
    for row in rows():
        model = recorded.model(row["model"], row["quant"])  # type: ignore[arg-type]
        placement = place(model.blocks, settings_of(row), free_of(row))
        if any(placement.units[i] != d for i, d in layers_of(row).items()):
            wrong.append(row)
    assert not wrong


def test_every_recorded_pipeline() -> None:
    for row in rows():
        model = recorded.model(row["model"], row["quant"])  # type: ignore[arg-type]
        assert place(model.blocks, settings_of(row), free_of(row)).pipeline is row["pipeline"]


def test_the_last_units_go_first() -> None:
    placement = place(4, replace(SPLIT, gpu_layers=2), TWO)
    assert placement.units == (HOST, HOST, HOST, 0, 1)
    assert placement.output == 1
    assert placement.blocks(HOST) == (0, 1, 2)
    assert not placement.pipeline


def test_more_layers_than_there_are() -> None:
    assert place(4, replace(SPLIT, gpu_layers=5), TWO) == place(4, SPLIT, TWO)
    with pytest.raises(BadSetting, match="at most 5"):
        place(4, replace(SPLIT, gpu_layers=6), TWO)


def test_units_are_counted_by_share() -> None:
    assert place(9, replace(SPLIT, tensor_split=(3.0, 1.0)), TWO).counts() == (8, 2)
    assert place(9, SPLIT, (30, 10)).counts() == (8, 2)
    assert place(9, replace(SPLIT, tensor_split=(0.0, 1.0)), TWO).counts() == (0, 10)


@pytest.mark.parametrize("counts", [(1, 1), (40, 41), (3, 0, 5), (17, 20, 1, 3)])
def test_a_split_said_in_units_gives_these_units(counts: tuple[int, ...]) -> None:
    units = share_out(sum(counts) - 1, sum(counts), [float(c) for c in counts])
    assert tuple(units.count(i) for i in range(len(counts))) == counts


def test_one_gpu_of_two() -> None:
    placement = place(4, replace(SPLIT, split_mode="none", main_gpu=1), TWO)
    assert placement.counts() == (0, 5)
    assert placement.used == (1,)


def test_no_gpu_at_all() -> None:
    assert place(2, replace(SPLIT, split_mode="none", main_gpu=-1), TWO).units == (HOST,) * 3
    assert place(2, Settings(context=8, backend="cpu"), ()).units == (HOST,) * 3


def test_any_rule_stops_the_pipeline() -> None:
    assert place(4, SPLIT, TWO).pipeline
    assert not place(4, replace(SPLIT, overrides=(("^$", "CPU"),)), TWO).pipeline
    assert not place(4, replace(SPLIT, offload_kv=False), TWO).pipeline
    assert not place(4, SPLIT, (24,)).pipeline


def test_rules_in_their_order() -> None:
    chosen = replace(SPLIT, overrides=((r"blk\.1\.ffn_up_exps", "CUDA1"),), n_cpu_moe=2)
    assert override_device("blk.1.ffn_up_exps.weight", chosen) == 1
    assert override_device("blk.1.ffn_down_exps.weight", chosen) == HOST
    assert override_device("blk.2.ffn_down_exps.weight", chosen) is None
    assert override_device("blk.0.attn_q.weight", chosen) is None
    assert override_device("blk.0.ffn_down.weight", replace(SPLIT, n_cpu_ffn=1)) == HOST


@pytest.mark.parametrize(
    "changes",
    [
        {"tensor_split": (0.0, 0.0)},
        {"tensor_split": (1.0, -1.0)},
        {"tensor_split": (1.0, 1.0, 1.0)},
        {"split_mode": "none", "main_gpu": 2},
    ],
)
def test_refusals(changes: dict[str, object]) -> None:
    with pytest.raises(BadSetting):
        place(4, replace(SPLIT, **changes), TWO)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes", [{"split_mode": "row"}, {"n_cpu_moe": -1}, {"overrides": (("a,b", "CPU"),)}, {"n_cpu_ffn": -2}]
)
def test_settings_that_make_no_sense(changes: dict[str, object]) -> None:
    with pytest.raises(BadSetting):
        check(replace(SPLIT, **changes))  # type: ignore[arg-type]


def test_a_broken_pattern_is_named() -> None:
    with pytest.raises(BadSetting, match="regular expression"):
        override_device("blk.0.x", replace(SPLIT, overrides=(("(", "CPU"),)))
