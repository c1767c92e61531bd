"""What reads images beside a model: the command switches it off, or the memory counts it."""

from __future__ import annotations

import pytest

from gyakusan import api
from gyakusan.catalog.models import find
from gyakusan.catalog.projectors import projector_of, unquantized_projector
from gyakusan.core.load import Load
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.images import ImagePart, image_part


def asked(name: str, engine: str = "llama.cpp", *, images: bool, device: str = "RTX 4090") -> Deployment:
    return api.deployment(name, quantization="Q4_K_M", load=Load(1, 8192), device=device, server=engine, images=images)


def test_text_tasks_switch_it_off() -> None:
    deployment = asked("qwen3.6-27b", images=False)
    assert image_part(find("qwen3.6-27b"), "llama.cpp", "Q4_K_M", images=False).use == "off"
    assert "--no-mmproj" in deployment.command.argv
    assert not any(line.part == "weights.projector" for a in deployment.ledger.accounts for line in a.lines)


def test_images_are_counted_to_the_byte_of_the_file() -> None:
    plain, seeing = (asked("qwen3.6-27b", images=x) for x in (False, True))
    found = projector_of(find("qwen3.6-27b"), "Q4_K_M")
    assert found is not None
    part = image_part(find("qwen3.6-27b"), "llama.cpp", "Q4_K_M", images=True)
    assert (part.use, part.projector_bytes) == ("counted", found.bytes)
    assert "--no-mmproj" not in seeing.command.argv
    lines = {line.part: line.bytes for a in seeing.ledger.accounts for line in a.lines}
    assert lines["weights.projector"] == found.bytes
    more = seeing.ledger.accounts[0].total - plain.ledger.accounts[0].total
    assert more == found.bytes + lines["compute.projector"]


@pytest.mark.parametrize("images", [False, True])
def test_a_text_model_has_none(images: bool) -> None:
    deployment = asked("qwen3-8b", images=images)
    assert image_part(find("qwen3-8b"), "llama.cpp", "Q4_K_M", images=images) == ImagePart()
    assert "--no-mmproj" not in deployment.command.argv


def test_engines_differ() -> None:
    record = find("gemma4-26b-a4b")
    whole = unquantized_projector(record)
    assert whole is not None
    assert image_part(record, "vllm", "AWQ", images=False) == ImagePart("off", whole.bytes)
    assert image_part(record, "vllm", "AWQ", images=True).settings == {"vision_bytes": whole.bytes}
    assert image_part(record, "mlx", "4bit", images=True) == ImagePart()
    assert image_part(record, "ollama", "Q4_K_M", images=False).use == "counted"  # a library model always brings it


def test_ollama_takes_it_with_the_model() -> None:
    parts = {line.part for a in asked("gemma3-4b", "ollama", images=False).ledger.accounts for line in a.lines}
    assert {"weights.projector", "compute.projector"} <= parts
