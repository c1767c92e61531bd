"""The figures that were calibrated on start-up logs of vLLM."""

from __future__ import annotations

from gyakusan.engines.vllm.profile_points import CALIBRATED


def test_each_range_has_its_best_figure_between_its_ends() -> None:
    """Of activations, of each sampler, of each kind of device, of graphs."""
    single = [CALIBRATED["activation"], CALIBRATED["graphs"]]
    for found in (*single, *CALIBRATED["sampler"].values(), *CALIBRATED["base"].values()):
        assert found["low"] <= found["best"] <= found["high"]


def test_each_kind_of_device_has_points_behind_its_range() -> None:
    """A range without a point would be an assumption."""
    assert set(CALIBRATED["points"]) == set(CALIBRATED["base"])
    assert all(CALIBRATED["points"].values())
