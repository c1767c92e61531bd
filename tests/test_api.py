"""The Python API: names, laziness, values."""

from __future__ import annotations

import subprocess
import sys

import pytest

import gyakusan
from gyakusan import api
from gyakusan.engines.registry import NAMES


def test_every_name_is_there() -> None:
    assert sorted(gyakusan.__all__) == dir(gyakusan)
    assert all(getattr(gyakusan, name) is not None for name in gyakusan.__all__)
    with pytest.raises(AttributeError):
        _ = gyakusan.nothing


def test_importing_costs_nothing() -> None:
    code = "import sys, gyakusan; print([m for m in ('numpy', 'rich', 'msgspec', 'httpx2', 'cyclopts') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_question_about_one_model_needs_no_numpy() -> None:
    code = "import sys, gyakusan; gyakusan.inspect('qwen2.5-7b', device='RTX 4090'); print('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize("text", ["all", "ALL", "all,all", "vllm, all", " all ,"])
def test_all_among_engines_is_all(text: str) -> None:
    assert api.engine_names(text) == tuple(NAMES)
