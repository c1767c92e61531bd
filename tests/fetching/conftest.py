"""A home of its own for each test, and a fake hub on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.fake_download_hub import FakeHub, fake_hub

QUIET = (
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME",
    "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT", "LLAMA_CACHE",
    "OLLAMA_MODELS", "OLLAMA_HOST", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
)  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, in which nobody has fetched anything."""
    for name in QUIET:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    found = tmp_path / "home"
    found.mkdir()
    monkeypatch.setenv("HOME", str(found))
    monkeypatch.setenv("OLLAMA_MODELS", str(found / "ollama"))
    monkeypatch.setattr("gyakusan.fetching.stock.packaged", lambda: None)  # a package of this Python is in no home
    return found


@pytest.fixture
def cache(home: Path) -> Path:
    """The hub's cache in this home."""
    return home / ".cache" / "huggingface" / "hub"


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A fake hub, to which HF_ENDPOINT points."""
    with fake_hub() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.base)
        yield found
