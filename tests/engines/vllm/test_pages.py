"""Pages: which splits over GPUs a model allows."""

from __future__ import annotations

import pytest

from gyakusan.catalog.models import find
from gyakusan.engines.vllm.pages import pages
from gyakusan.engines.vllm.settings import Settings
from gyakusan.errors import BadSetting
from gyakusan.models.assemble import plain


@pytest.mark.parametrize("name", ["deepseek-v3", "kimi-k2", "deepseek-v4-flash"])
def test_latent_heads_are_shared_out_evenly_or_not_at_all(name: str) -> None:
    model = plain(find(name))
    assert pages(model, Settings(1024, tensor_parallel=8))
    for ranks in (3, 5, 6, 7):
        with pytest.raises(BadSetting, match="cannot be split"):
            pages(model, Settings(1024, tensor_parallel=ranks))
