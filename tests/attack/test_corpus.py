"""What a coverage-guided fuzzer found for the two binary readers (benchmarks/fuzz_readers.py): read, or refused in words."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from benchmarks.fuzz_readers import read

from gyakusan.errors import BadModel, BadReference, GyakusanError

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("kind", ["gguf", "safetensors"])
def test_corpus(kind: str) -> None:
    files = sorted((CORPUS / kind).iterdir())
    assert len(files) >= 10
    said: Counter[str] = Counter()
    for path in files:
        try:
            read(kind, path.read_bytes())
        except (BadModel, BadReference) as error:
            said[error.message.template] += 1
        else:
            said["read"] += 1
    assert len(said) >= 5, "the files end in many different ways"


def test_its_size() -> None:
    assert sum(p.stat().st_size for p in CORPUS.rglob("*") if p.is_file()) < 300_000


def test_what_is_not_ours_ends_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert issubclass(BadModel, GyakusanError)
    with pytest.raises(TypeError):
        read("gguf", "text")  # type: ignore[arg-type]
