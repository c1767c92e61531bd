"""What reads images: the file of the repository that a tag names, else of the same model, else an assumption that says so."""

from __future__ import annotations

import pytest

from gyakusan.catalog.artifacts import artifacts
from gyakusan.catalog.models import find, model_records
from gyakusan.catalog.projectors import ASSUMED, projector_of, reads_images, unquantized_projector


def test_the_repository_of_the_tag_decides() -> None:
    record = find("gemma4-26b-a4b")
    small, large = projector_of(record, "Q4_0"), projector_of(record, "UD-Q4_K_XL")
    assert small is not None
    assert large is not None
    assert (small.file, small.basis) == ("mmproj-gemma-4-26B-A4B-it-Q8_0.gguf", "read")
    assert (large.file, large.basis) == ("mmproj-BF16.gguf", "read")
    assert small.bytes < large.bytes
    assert projector_of(record, "ud-q4_k_xl") == large


def test_a_checkpoint_holds_the_largest() -> None:
    record = find("gemma4-26b-a4b")
    whole = unquantized_projector(record)
    assert whole is not None
    assert whole.bytes == max(a.projector_bytes or 0 for a in artifacts(record.name) if a.format == "gguf")


@pytest.mark.parametrize(("name", "basis"), [("exaone-4.5-33b", "derived"), ("ministral-3-3b", "assumed")])
def test_a_size_that_nobody_wrote_down_says_so(name: str, basis: str) -> None:
    found = projector_of(find(name), "")
    assert found is not None
    assert found.basis == basis
    assert (found.bytes == ASSUMED) == (basis == "assumed")


@pytest.mark.parametrize(("name", "reads"), [("qwen3-8b", False), ("gpt-oss-20b", False), ("llama4-scout", True)])
def test_text_models_have_none(name: str, reads: bool) -> None:
    assert reads_images(find(name)) is reads
    assert (unquantized_projector(find(name)) is not None) is reads


def test_every_model_of_images_has_a_size() -> None:
    known = [r for r in model_records() if "image" in r.modalities]
    assert len(known) > 20
    sizes = {r.name: projector_of(r, "") for r in known}
    assert all(p is not None and 10**8 < p.bytes < 10**10 for p in sizes.values()), sizes
