"""Which block a tensor is in, and names that only look as if they were in one."""

from __future__ import annotations

import pytest

from gyakusan.core.model import block_of


@pytest.mark.parametrize(
    ("name", "block"),
    [("blk.0.attn_q.weight", 0), ("blk.127.x", 127), ("blk.5", 5), ("output.weight", -1), ("", -1)]
    + [(f"blk.{x}.weight", -1) for x in ("", "x", "1e9", "-1", "+1", " 1", "1_0", "²", "０", "9" * 5000)],
)
def test_block_of(name: str, block: int) -> None:
    assert block_of(name) == block
