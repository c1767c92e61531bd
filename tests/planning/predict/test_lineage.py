"""The same model has the same speed and quality however it is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import gyakusan
from gyakusan import api
from gyakusan.catalog import models
from gyakusan.core import recipe
from gyakusan.errors import UnknownName
from gyakusan.models.assemble import plain
from gyakusan.planning.predict.lineage import Lineage, catalogue_name, lineage

CONFIG = {
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 4096, "intermediate_size": 12288,
    "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
    "vocab_size": 151936, "max_position_embeddings": 40960, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
}  # fmt: skip


@pytest.fixture
def directory(tmp_path: Path) -> str:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return str(folder)


def figures(name: str, quant: str | None, engine: str = "llama.cpp") -> tuple[float, float, float]:
    asked = api.deployment(
        name, quantization=quant, load=lambda _: api.checked_load(1, 8192), device="RTX 4090", server=engine
    )
    found = api.assess(asked)
    assert found.speed is not None
    assert found.overall is not None
    return found.speed.decode_each.value, float(found.overall.value), float(found.overall.error)


@pytest.mark.parametrize("quant", ["Q4_K_M", "IQ4_XS", "Q8_0", "F16"])
def test_a_directory_answers_as_the_catalogue_does(directory: str, quant: str) -> None:
    assert figures(directory, quant) == pytest.approx(figures("qwen3-8b", quant), rel=1e-3)


def test_speed_follows_the_quantisation_that_is_asked_for(directory: str) -> None:
    speeds = [figures(directory, q)[0] for q in ("F16", "Q8_0", "Q4_K_M", "IQ4_XS")]
    assert speeds == sorted(speeds)
    assert speeds[-1] > 2.3 * speeds[0]


def test_a_directory_under_vllm(directory: str) -> None:
    assert figures(directory, "FP8", "vllm") == pytest.approx(figures("qwen3-8b", "FP8", "vllm"), rel=1e-2)


def test_a_tag_of_ollama() -> None:
    assert figures("qwen3:8b-q4_K_M", None)[1] == pytest.approx(figures("qwen3-8b", "Q4_K_M")[1], abs=0.3)


def test_a_name_needs_the_shape() -> None:
    small = replace(recipe.apply("Q4_K_M", plain(models.find("qwen3-4b"))), name="qwen3-8b-Q4_K_M", source="/x/m.gguf")
    assert lineage(small) == Lineage("qwen3-4b", "shape")


@pytest.mark.parametrize(
    ("name", "by"),
    [
        ("Qwen3-8B-UD-Q4_K_XL", "name"),
        ("qwen3-8b.Q4_K_M", "name"),
        ("Qwen/Qwen3-8B-GGUF:Q8_0", "name"),
        ("Qwen3-8B-Q8_0-00001-of-00002", "name"),
        ("checkpoint-3000", "shape"),
    ],
)
def test_names_of_files(name: str, by: str) -> None:
    model = replace(recipe.apply("Q4_K_M", plain(models.find("qwen3-8b"))), name=name, source=f"/x/{name}.gguf")
    found = lineage(model)
    assert found is not None
    assert (found.name, found.by) == ("qwen3-8b", by)


def test_a_model_that_is_not_there() -> None:
    strange = replace(plain(models.find("qwen3-8b")), name="mine", source="/x/mine.gguf", embedding=4097)
    assert lineage(strange) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("qwen3-8b", "qwen3-8b"),
        ("Qwen/Qwen3-8B", "qwen3-8b"),
        ("qwen3:8b-q4_K_M", "qwen3-8b"),
        ("unsloth/Qwen3.6-27B-GGUF:Q4_K_M", "qwen3.6-27b"),
        ("hf.co/unsloth/Qwen3.6-27B-GGUF", "qwen3.6-27b"),
        ("-hf ggml-org/gpt-oss-20b-GGUF:MXFP4", "gpt-oss-20b"),
        ("DIRECTORY", "qwen3-8b"),
    ],
)
def test_what_people_plan_for(text: str, name: str, directory: str) -> None:
    assert catalogue_name(text.replace("DIRECTORY", directory)) == name


def test_what_cannot_be_planned_for(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean gpt-oss-20b"):
        catalogue_name("gpt-oss-2b")
    with pytest.raises(UnknownName, match=r"Did you mean unsloth/Qwen3\.6-27B-GGUF"):
        catalogue_name("unslot/Qwen3.6-27B-GGUF:Q4_K_M")
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG, "hidden_size": 4352}))
    with pytest.raises(UnknownName, match="gyakusan inspect"):
        catalogue_name(str(tmp_path))


def test_a_plan_for_a_directory(directory: str) -> None:
    found = gyakusan.plan(device="RTX 4090", model=directory)
    assert {p.name for p in found.plans} == {"qwen3-8b"}
