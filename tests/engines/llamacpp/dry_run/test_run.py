"""The live judge: llama.cpp's own dry run beside our figures, and what happens when it refuses, crashes or hangs.

b11434 (recorded) and b11549 (in the wheel) give the same bytes for all rows but those named in CHANGED.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.engines.llamacpp.buffers.test_kv_cache import settings_of
from tests.models import recorded

from gyakusan.core.model import Model
from gyakusan.engines.llamacpp.compute_buffer.one_device import compute_buffer, range_factors
from gyakusan.engines.llamacpp.dry_run import run, stub_gguf
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.errors import BadSetting, ServerError
from gyakusan.models import families, load

pytest.importorskip("xllamacpp")

FILES = ("llamacpp_b11434.jsonl.gz", "llamacpp_archs.jsonl.gz")
ROWS = 4
"""For each architecture."""
CHANGED = {
    "gemma4": "per-layer embeddings are held once more; the hidden state is held where all tokens are output",
    "qwen35": "the hidden state is held where all tokens are output",
    "bailingmoe3": "the hidden state is held where all tokens are output",
    "deepseek4": "the hidden state of its streams is held where all tokens are output",
}
"""Architecture -> why b11549's scratch is larger than b11434's in some rows. Models with prediction blocks read it."""
OPEN = {"deepseek4", "gemma3n", "gemma4", "nemotron_h_moe"}
"""Architectures with rows whose scratch we do not have to the byte. It may only become shorter."""


@cache
def subjects() -> dict[str, tuple[tuple[dict[str, Any], ...], Model]]:
    """Architecture -> rows of one of its models on the CPU, spread over its settings, and the model."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for file in FILES:
        for row in recorded.rows(file):
            if row["backend"] == "cpu" and row.get("n_gpu", 1) == 1:
                found.setdefault((row["model"], row["quant"]), []).append(row)
    out: dict[str, tuple[tuple[dict[str, Any], ...], Model]] = {}
    for (name, quantization), rows in sorted(found.items()):
        ordered = sorted(rows, key=lambda r: json.dumps(r, sort_keys=True))
        spread = ordered[:: max(1, len(ordered) // ROWS)][:ROWS]
        out.setdefault(recorded.architecture(name), (tuple(spread), recorded.model(name, quantization)))
    return out


def asked(row: dict[str, Any]) -> Settings:
    """A recorded row's settings."""
    return replace(settings_of(row), outputs="server" if row.get("mode", "server") == "server" else "bench")


@cache
def answers(architecture: str) -> tuple[run.Dry, ...]:
    rows, model = subjects()[architecture]
    return run.ask(model, [asked(row) for row in rows])


def test_there_are_enough() -> None:
    assert len(subjects()) >= 44
    assert all(len(rows) == ROWS for rows, _ in subjects().values())


@pytest.mark.parametrize("architecture", sorted(subjects()))
def test_ours_are_llama_cpps(architecture: str) -> None:
    rows, model = subjects()[architecture]
    for row, dry in zip(rows, answers(architecture), strict=True):
        off = {c.kind: c.difference for c in run.compare(model, asked(row), dry)}
        if architecture in OPEN:
            del off["scratch"]
            low, high = range_factors(model, asked(row))
            ours = compute_buffer(model, asked(row)).host
            assert dry.scratch != row["compute"] or low * ours <= dry.scratch <= high * ours
        assert set(off.values()) == {0}, (row, off)


@pytest.mark.parametrize("architecture", sorted(subjects()))
def test_two_builds_agree(architecture: str) -> None:
    rows, model = subjects()[architecture]
    for row, dry in zip(rows, answers(architecture), strict=True):
        assert (dry.weights, dry.context) == (row["weights"], row["context"])
        if more := dry.scratch - row["compute"]:
            graph, settings = model.graph, asked(row)
            assert architecture in CHANGED
            assert graph.per_layer or settings.outputs == "bench"
            assert 0 < more <= 4 * settings.effective_ubatch * max(graph.per_layer, model.embedding * graph.streams)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary files go; nothing is left in it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


def small(**changes: Any) -> Model:
    """A llama with two layers, and other metadata than its tensors say."""
    config = {
        "model_type": "llama",
        "hidden_size": 256,
        "intermediate_size": 1024,
        "num_hidden_layers": 2,
        "vocab_size": 96,
    }
    config |= {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 2048}
    model = families.unquantized(families.convert(config))
    return replace(model, metadata={**model.metadata, **changes})


CPU = Settings(context=512, backend="cpu")


def test_many_settings_in_one_call(folder: Path) -> None:
    settings = [replace(CPU, context=256 * n, ubatch=128 * n, repack=n % 2 == 0) for n in (1, 2, 3)]
    found = run.ask(small(), settings)
    assert [d.context for d in found] == [256 * n * 2 * 2 * 128 * 2 for n in (1, 2, 3)]
    assert all(c.difference == 0 for s, d in zip(settings, found, strict=True) for c in run.compare(small(), s, d))
    assert {d.build for d in found} == {run.library().build}


def test_a_gpu_counts_as_the_cpu(folder: Path) -> None:
    gpu = Settings(
        context=512, gpu_layers=1, n_cpu_moe=1, offload_kv=False, tensor_split=(1.0, 2.0), split_mode="layer"
    )
    assert run.on_cpu(gpu) == CPU
    assert run.ask(small(), [gpu]) == run.ask(small(), [CPU])


def test_a_file_on_disk_is_asked_itself(folder: Path) -> None:
    model = load("smollm2")
    if not model.source.endswith(".gguf"):
        pytest.skip("the small model is not installed")
    assert stub_gguf.is_whole_file(model)
    assert not stub_gguf.is_whole_file(load("smollm2", "Q8_0"))
    for one in (model, load("smollm2", "Q8_0")):
        (dry,) = run.ask(one, [CPU])
        assert [c.difference for c in run.compare(one, CPU, dry)] == [0] * 4


CONFIGS: dict[str, Any] = json.loads((recorded.TRUTH / "hf_hparams.json").read_text())
ASKED = [replace(CPU, context=8192), replace(CPU, context=16384, slots=2, ubatch=256)]
SEVERAL = {"minimax-m3"}
"""Architectures whose scratch for several users we do not have to the byte. It may only become shorter."""


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_a_config_alone_is_enough(name: str, folder: Path) -> None:
    """The keys that llama.cpp insists on and no config tells are filled in; so are the defaults of its class."""
    model = families.unquantized(families.convert(CONFIGS[name]["hf_config"]), name=name)
    for settings, dry in zip(ASKED, run.ask(model, ASKED), strict=True):
        off = {c.kind: c.difference for c in run.compare(model, settings, dry)}
        if model.architecture in (OPEN | SEVERAL if settings.slots > 1 else OPEN):
            low, high = range_factors(model, settings)
            ours = compute_buffer(model, settings).host
            del off["scratch"]
            assert model.architecture in CHANGED or low * ours <= dry.scratch <= high * ours
        assert set(off.values()) == {0}, (settings, off)


def test_a_refusal_names_the_reason(folder: Path) -> None:
    with pytest.raises(ServerError, match=r"llama\.cpp b\d+ refuses these settings: .*wrong shape.*--exact"):
        run.ask(small(**{"llama.attention.head_count": 7}), [CPU])
    with pytest.raises(ServerError, match="n_seq_max"):
        run.ask(small(), [replace(CPU, slots=300, context=300 * 256)])


def test_a_crash_is_an_error(folder: Path) -> None:
    """An unknown gate makes llama.cpp abort."""
    model = families.unquantized(families.convert(CONFIGS["minimax-m2.5"]["hf_config"]))
    wrong = replace(model, metadata={**model.metadata, "minimax-m2.expert_gating_func": 99})
    with pytest.raises(ServerError, match=r"dry run of llama\.cpp b\d+ crashed"):
        run.ask(wrong, [CPU])


def test_a_hang_ends(folder: Path) -> None:
    with pytest.raises(ServerError, match="longer than"):
        run.ask(small(), [CPU] * 50, patience=0.01)


def test_another_build_is_not_believed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import _ctypes

    monkeypatch.setattr(run, "library", lambda: run.Library(_ctypes.__file__, 12345))
    with pytest.raises(
        ServerError, match=r"build of llama\.cpp is not supported: b12345 \(no llama_model_default_params"
    ):
        run.ask(small(), [CPU])


def test_what_it_prints_must_be_what_it_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    original = run._run

    def lying(*arguments: Any) -> list[dict[str, Any]]:
        found = original(*arguments)
        return [{**a, "sizes": [a["sizes"][0], a["sizes"][1], a["sizes"][2] + 2**20]} for a in found]

    monkeypatch.setattr(run, "_run", lying)
    with pytest.raises(ServerError, match="is not supported"):
        run.ask(small(), [CPU])


def test_without_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.util, "find_spec", lambda name: None)
    with pytest.raises(ServerError, match=r"gyakusan\[serve\]"):
        run.ask(small(), [CPU])


def test_states_that_would_really_be_taken() -> None:
    model = recorded.model("codestral-mamba-7b", "Q4_K_M")
    with pytest.raises(BadSetting, match="Lower --users"):
        run.ask(model, [Settings(context=256 * 200, slots=200, backend="cpu")])


def test_a_model_without_metadata() -> None:
    with pytest.raises(ServerError, match="no metadata"):
        run.ask(replace(small(), metadata={}), [CPU])


def test_the_sparse_file_has_no_keys_of_ours() -> None:
    keys = stub_gguf.stub_metadata(
        small(**{"gyakusan.tied": True, "tokenizer.ggml.tokens": ("a", "b"), "split.count": 3})
    )
    assert not [k for k in keys if k.startswith(("gyakusan.", "split.", "tokenizer.ggml.tokens"))]
    assert (keys["tokenizer.ggml.model"], keys["llama.vocab_size"]) == ("none", 96)


def test_the_child_leaves_no_core_file(folder: Path) -> None:
    before = set(os.listdir("."))
    test_a_crash_is_an_error(folder)
    assert set(os.listdir(".")) == before
