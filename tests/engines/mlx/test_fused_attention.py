"""Which widths of heads MLX fuses when it reads a prompt."""

from __future__ import annotations

import pytest

from gyakusan.core.model import Attention, Latent
from gyakusan.engines.mlx.fused_attention import is_fused, may_be_fused, parsed, since
from gyakusan.engines.mlx.settings import Settings


def heads(width: int, value: int = 0) -> Attention:
    return Attention((0,), 8, 8 * width, 8 * (value or width), width, value or width)


@pytest.mark.parametrize(
    ("width", "old", "new"),
    [(64, True, True), (72, False, True), (80, True, True), (96, False, True), (128, True, True), (192, False, False),
     (256, False, False), (512, False, False)],
)  # fmt: skip
def test_widths_by_version(width: int, old: bool, new: bool) -> None:
    assert (is_fused(heads(width), "0.32.0"), is_fused(heads(width), "0.32.1")) == (old, new)
    assert is_fused(heads(width), "") is new


def test_keys_and_values_of_two_widths_are_not_fused() -> None:
    assert not is_fused(heads(128, 64), "0.32.4")
    assert not is_fused(Latent((0,), 16, 512, 64, 128, 128), "0.32.4")


def test_neural_accelerators() -> None:
    told = [
        may_be_fused(heads(width), Settings(8192, mlx=mlx, nax=nax, prefill_step_size=step))
        for width, mlx, nax, step in (
            (256, "0.32.2", True, 2048), (256, "0.32.1", True, 2048), (256, "0.32.4", False, 2048),
            (256, "0.32.4", True, 512), (512, "0.32.4", True, 2048), (512, "0.32.2", True, 2048), (256, "", True, 2048),
        )
    ]  # fmt: skip
    assert told == [True, False, False, False, True, False, True]
    assert (since(256), since(512)) == ("0.32.2", "0.32.4")


def test_versions() -> None:
    assert parsed("v0.32.4") == (0, 32, 4)
    assert parsed("0.32") == (0, 32, 0)
    assert parsed("0.32.5.dev20261001+abc") == (0, 32, 5)
    assert parsed("newest") is None
