"""Models that were given to a page: found by their names inside its questions alone."""

from __future__ import annotations

import pytest

from gyakusan.errors import BadReference
from gyakusan.models import load
from gyakusan.models.given import find, given


def test_only_inside() -> None:
    model = load("llama3.1-8b", offline=True)
    with given({"x.gguf": model}):
        assert find("file:x.gguf") is model
        assert load("file:x.gguf") is model
        assert load("file:x.gguf", "Q4_0").quantization == "Q4_0"
        assert find("x.gguf") is None
        with pytest.raises(BadReference, match="is not open in this page"):
            load("file:y.gguf")
    assert find("file:x.gguf") is None
    with pytest.raises(BadReference, match="does not exist"):
        load("file:x.gguf", offline=True)
