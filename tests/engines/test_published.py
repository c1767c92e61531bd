"""Plans are made of published files: one of each width, and commands that name what can be fetched."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise

import pytest
from msgspec import structs

from gyakusan import api, machines, models
from gyakusan.catalog.artifacts import Artifact, artifacts, published, repository_files
from gyakusan.catalog.models import ModelRecord, find, model_records
from gyakusan.core import recipe
from gyakusan.core.load import Load
from gyakusan.engines.deployment import deploy
from gyakusan.engines.llamacpp.hub_reference import resolve_hub_reference
from gyakusan.engines.published import (
    PlannedFormat,
    checkpoint_formats,
    gguf_artifact,
    gguf_formats,
    gguf_preparation,
    mlx_formats,
    named,
    original,
)
from gyakusan.engines.registry import NAMES, engine
from gyakusan.models.assemble import plain

LISTED = [r for r in model_records() if r.listed]
CARD = machines.parse("RTX 5090")
CONFIRMED = {
    "qwen3.6-35b-a3b": "unsloth/Qwen3.6-35B-A3B-GGUF:UD-Q4_K_M",
    "gpt-oss-20b": "ggml-org/gpt-oss-20b-GGUF:MXFP4",
    "gpt-oss-120b": "ggml-org/gpt-oss-120b-GGUF:MXFP4",
    "gemma4-26b-a4b": "ggml-org/gemma-4-26B-A4B-it-GGUF:Q4_K_M",
    "gemma4-12b": "ggml-org/gemma-4-12B-it-GGUF:Q4_0",
    "qwen3.8-27b": "ggml-org/Qwen3.8-27B-GGUF:Q4_K_M",
    "gemma4-31b": "unsloth/gemma-4-31B-it-GGUF:Q4_K_M",
    "deepseek-v4-flash-0731": "ggml-org/DeepSeek-V4-Flash-0731-GGUF:MXFP4",
    "llama3.3-70b": "bartowski/Llama-3.3-70B-Instruct-GGUF:Q4_K_M",
    "qwen3-coder-next": "unsloth/Qwen3-Coder-Next-GGUF:Q4_K_M",
    "glm-4.5-air": "unsloth/GLM-4.5-Air-GGUF:Q4_K_M",
    "llama3.2-1b": "unsloth/Llama-3.2-1B-Instruct-GGUF:UD-Q4_K_XL",
}
"""References that were confirmed by hand, of the table in shared/data/artifacts.md."""


def _planned(record: ModelRecord) -> list[tuple[str, PlannedFormat]]:
    kinds = {"llama.cpp": gguf_formats, "vLLM": checkpoint_formats, "MLX-LM": mlx_formats}
    return [(name, form) for name, formats in kinds.items() for form in formats(record)]


def _seen(artifact: Artifact) -> bool:
    """True if the files of the repository were listed, so that a tag can be resolved."""
    return bool(artifact.files)


@pytest.mark.parametrize("record", LISTED, ids=lambda r: r.name)
def test_every_reference_resolves_to_the_file_that_is_meant(record: ModelRecord) -> None:
    for form in gguf_formats(record):
        if form.artifact is None or not _seen(form.artifact):
            continue
        files = repository_files(record.name, form.artifact.repository)
        found = resolve_hub_reference(files, form.artifact.quantization)
        assert found.model[0] in form.artifact.files, form
        assert form.artifact.tuned != "base" or record.role == "base"


@pytest.mark.parametrize("record", LISTED, ids=lambda r: r.name)
def test_nothing_of_another_training_is_planned(record: ModelRecord) -> None:
    tuned = {a.tuned for a in artifacts(record.name)} & {"instruct", "coder", "thinking"}
    for _, form in _planned(record):
        if form.artifact is not None and tuned and form.artifact.confidence != "catalogue":
            assert form.artifact.tuned in ("instruct", "coder", "thinking", "unclear"), form


@pytest.mark.parametrize("record", LISTED, ids=lambda r: r.name)
def test_a_planned_format_is_known_to_its_engine_and_named_once(record: ModelRecord) -> None:
    every = _planned(record)
    assert len({(e, f.name) for e, f in every}) == len(every)
    for name, form in every:
        assert engine(name).named_format(form.name) is not None
        assert engine(name).artifact(record, form.name) == form.artifact


@pytest.mark.parametrize(("name", "reference"), CONFIRMED.items())
def test_confirmed_references_are_known(name: str, reference: str) -> None:
    repository, _, tag = reference.partition(":")
    known = [a for a in artifacts(name) if a.reference == reference]
    assert known, reference
    if known[0].files:
        found = resolve_hub_reference(repository_files(name, repository), tag)
        assert found.model
        assert found.model[0] in known[0].files


@pytest.mark.parametrize("name", ["gpt-oss-20b", "gemma4-26b-a4b", "deepseek-v4-flash-0731", "gpt-oss-120b"])
def test_the_usual_plan_names_the_confirmed_reference(name: str) -> None:
    forms = [f for f in gguf_formats(find(name)) if f.artifact is not None]
    assert CONFIRMED[name] in {f.artifact.reference for f in forms if f.artifact is not None}


def test_one_file_of_each_width_the_largest_first() -> None:
    for record in LISTED:
        forms = list(gguf_formats(record))
        assert len(forms) <= 8
        model = plain(record) if len(forms) > 1 and record.parameters < 9e9 else None
        if model is not None:
            sizes = [recipe.apply(f.name, model).bytes for f in forms]
            assert all(a > 0.97 * b for a, b in pairwise(sizes)), [f.name for f in forms]


def test_a_model_that_is_published_in_mxfp4_has_no_other_format() -> None:
    assert [f.name for f in gguf_formats(find("gpt-oss-20b"))] == ["MXFP4"]
    assert [f.name for f in checkpoint_formats(find("gpt-oss-20b"))] == ["MXFP4"]
    assert [f.name for f in mlx_formats(find("gpt-oss-20b"))] == ["mxfp4-q8"]
    assert [f.name for f in gguf_formats(find("gpt-oss-swallow-20b-rl-v0.1"))] == ["MXFP4_MOE"]


def test_what_nobody_publishes_has_to_be_made() -> None:
    record = find("mamba-2.8b")
    assert {f.artifact for f in gguf_formats(record)} == {None}
    assert named(gguf_formats(record), "Q4_K_M") is None
    for name, quantization in (("llama.cpp", "Q4_K_M"), ("vLLM", "AWQ"), ("MLX-LM", "4bit"), ("Ollama", "Q4_K_M")):
        rules = engine(name)
        assert rules.artifact(record, quantization) is None
        lines = rules.preparation(record, quantization)
        assert any(original(record) in line for line in lines)
        assert all("<" not in line for line in lines)
        assert all(shlex.split(line) for line in lines)


def test_preparation_makes_the_file_that_the_command_names() -> None:
    record, model = find("mamba-2.8b"), models.load("mamba-2.8b", "Q4_K_M")
    made = deploy(model, "llama.cpp", CARD, Load(1, 2048))
    assert made.artifact is None
    argv = made.command.argv
    assert made.preparation[-1].split()[2] == argv[argv.index("--model") + 1] == "mamba-2.8b-Q4_K_M.gguf"
    assert "-hf" not in argv
    assert engine("llama.cpp").preparation(record, "BF16")[-1].startswith("python convert_hf_to_gguf.py")


def test_commands_of_every_engine_name_the_repository() -> None:
    expected = {
        ("llama.cpp", "Q4_K_M"): ["-hf", "Qwen/Qwen3-8B-GGUF:Q4_K_M"],
        ("vLLM", "AWQ"): ["serve", "Qwen/Qwen3-8B-AWQ"],
        ("vLLM", "FP8"): ["serve", "Qwen/Qwen3-8B-FP8"],
        ("vLLM", "BF16"): ["serve", "Qwen/Qwen3-8B"],
    }
    for (name, quantization), (before, source) in expected.items():
        form = engine(name).named_format(quantization)
        assert form is not None
        found = deploy(models.load("qwen3-8b", form.base), name, CARD, Load(1, 2048), form.changes, quantization)
        argv = found.command.argv
        assert argv[argv.index(before) + 1] == source
        assert "--quantization" not in argv
        assert found.artifact is not None
        assert found.preparation == ()


def test_fp8_is_made_while_it_loads_where_only_16_bits_are_published() -> None:
    record = next(r for r in LISTED if [a.format for a in published(r) if a.format in ("bf16", "fp8")] == ["bf16"])
    form = engine("vLLM").named_format("FP8")
    assert form is not None
    found = deploy(models.load(record.name, form.base), "vLLM", CARD, Load(1, 1024), form.changes, "FP8")
    assert found.command.argv[-2:] == ("--quantization", "fp8")
    assert found.artifact is not None
    assert found.artifact.format == "bf16"
    assert found.command.argv[2] == found.artifact.repository


def test_ollama_pulls_a_tag_of_its_library_or_a_file_of_the_hub() -> None:
    for name, quantization, tag in (
        ("llama3.1-8b", "Q4_K_M", "llama3.1:8b"),
        ("qwen3.8-27b", "UD-Q4_K_XL", "hf.co/unsloth/Qwen3.8-27B-GGUF:UD-Q4_K_XL"),
    ):
        found = deploy(models.load(name, quantization), "Ollama", CARD, Load(1, 2048), quantization=quantization)
        assert found.command.argv == ("ollama", "serve")
        assert found.command.then == (("ollama", "pull", tag), ("ollama", "run", tag))
    made = deploy(models.load("mamba-2.8b", "Q4_K_M"), "Ollama", CARD, Load(1, 2048)).command.then
    assert made[-1] == ("ollama", "run", "mamba-2.8b")
    assert "FROM ./mamba-2.8b-Q4_K_M.gguf" in made[0][-1]


def test_ollama_fetches_no_file_in_parts() -> None:
    parts = gguf_artifact(find("glm-4.5-air"), "Q4_K_M")
    assert parts is not None
    assert engine("Ollama").artifact(find("glm-4.5-air"), "Q4_K_M") is None


def test_no_command_has_a_placeholder() -> None:
    for record in LISTED[::7]:
        for name, form in _planned(record):
            fmt = engine(name).named_format(form.name)
            assert fmt is not None
            machine = machines.parse("M3 Ultra 512GB") if name == "MLX-LM" else CARD
            found = deploy(models.load(record.name, fmt.base), name, machine, Load(1, 256), fmt.changes, form.name)
            words = shlex.join(found.command.argv)
            assert not re.search(r"[<>]", words), words
    assert set(NAMES) == {"llama.cpp", "Ollama", "vLLM", "MLX-LM"}


def test_four_bit_floats_of_known_publishers_only_and_mxfp4_for_experts_only() -> None:
    for record in LISTED:
        forms = {f.name: f.artifact for f in checkpoint_formats(record) if f.name in ("NVFP4", "MXFP4")}
        routed = any(key.endswith(".expert_count") for key in record.metadata)
        assert routed or "MXFP4" not in forms, record.name
        assert all(a is not None and (a.rank <= 2 or record.quantization == "MXFP4_MOE") for a in forms.values())
    assert "MXFP4" in {f.name for f in checkpoint_formats(find("deepseek-v4-flash"))}
    assert "NVFP4" in {f.name for f in checkpoint_formats(find("qwen3.8-27b"))}


def test_a_command_that_makes_a_file_is_read_as_it_was_meant() -> None:
    record = structs.replace(find("qwen3-8b"), name="my model; id", aliases=("a/b c",))
    for line in gguf_preparation(record, "Q4_K_M"):
        assert ";" not in shlex.split(line)
        assert any(w.startswith("my model; id") for w in shlex.split(line))


def test_the_published_files_are_those_of_the_command() -> None:
    """Where nobody names a format, too: it was the 16-bit original, and a folder for models that were trained in MXFP4."""
    for name in ("gpt-oss-20b", *(r.name for r in LISTED[::9])):
        found = api.deployment(name, load=Load(1, 256), device="H200", server="vllm")
        repository = found.command.argv[2]
        assert (found.artifact.repository if found.artifact else None) == (
            None if repository.startswith("./") else repository
        )
    assert api.deployment("gpt-oss-20b", load=Load(1, 256), device="H200", server="vllm").artifact is not None
