"""Projectors and adapters beside a model: their headers are read, their bytes are on the device that uses them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from gyakusan.core.ledger import Ledger, Line
from gyakusan.core.load import Load
from gyakusan.core.machine import Device, Machine
from gyakusan.core.model import Extra, Model, Stored, Tensor
from gyakusan.engines.llamacpp import engine, launch
from gyakusan.engines.llamacpp.extras import projector_lora
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.errors import BadReference, BadSetting, Unsupported
from gyakusan.models import load
from gyakusan.models.formats import gguf_writer
from gyakusan.units import GIB, MIB

RAM = Device("RAM", "host", 64 * GIB, "cpu")
CARD = Device("card", "gpu", 24 * GIB, "cuda")
ONE, TWO = Machine("one", (CARD,), RAM), Machine("two", (CARD, CARD), RAM)
MAC = Machine("Mac", (Device("M4", "unified", 64 * GIB, "metal"),), None)
BARE = Machine("bare", (), RAM)
EYES = (
    Tensor("v.patch_embd.weight", (14, 14, 3, 1152), "F16"),
    Tensor("mm.input_projection.weight", (1000, 5), "Q8_0"),
)
SIGHT = {"embedding_length": 1152, "feed_forward_length": 4304, "image_size": 896, "patch_size": 14}


@pytest.fixture
def model() -> Model:
    return load("qwen2.5-7b")


@pytest.fixture
def mmproj(tmp_path: Path) -> str:
    keys = {"general.architecture": "clip", "general.type": "mmproj", "clip.vision.attention.head_count": 16}
    keys |= {f"clip.vision.{k}": v for k, v in SIGHT.items()}
    path = tmp_path / "mmproj-F16.gguf"
    gguf_writer.write(path, keys, (EYES[0], Tensor("v.post_ln.weight", (1152,), "F32")))
    return str(path)


@pytest.fixture
def lora(tmp_path: Path, model: Model) -> str:
    return adapter(tmp_path, model, "blk.0.attn_q.weight", "blk.27.ffn_up.weight")


def adapter(folder: Path, model: Model, *names: str, rank: int = 16) -> str:
    shapes = {t.name: t.shape for t in model.tensors}
    pairs = []
    for name in names:
        wide, high = shapes.get(name, (64, 64))
        pairs += [Tensor(f"{name}.lora_a", (wide, rank), "F16"), Tensor(f"{name}.lora_b", (rank, high), "F16")]
    path = folder / "lora.gguf"
    gguf_writer.write(path, {"general.architecture": "qwen2", "general.type": "adapter", "adapter.type": "lora"}, pairs)
    return str(path)


def priced(model: Model, machine: Machine = ONE, **changes: Any) -> Ledger:
    asked = Load(1, 8192)
    return engine.ledger(model, asked, machine, engine.settings(model, asked, machine, **changes))


def said(ledger: Ledger, text: str) -> list[tuple[str, Line]]:
    return [(a.device.name, line) for a in ledger.accounts for line in a.lines if text in str(line.reason)]


@pytest.mark.parametrize(("machine", "where"), [(ONE, "card"), (MAC, "M4"), (BARE, "RAM"), (TWO, "card")])
def test_a_projector_has_weights_and_a_buffer_of_its_own(
    model: Model, mmproj: str, machine: Machine, where: str
) -> None:
    weights, made = said(priced(model, machine, projector=mmproj), "projector")
    assert weights[0] == made[0] == where
    assert weights[1].bytes == 14 * 14 * 3 * 1152 * 2 + 1152 * 4
    assert (weights[1].kind, weights[1].basis, made[1].kind, made[1].basis) == (
        "weights",
        "derived",
        "scratch",
        "assumed",
    )
    assert 0 < made[1].least < made[1].bytes < made[1].greatest


def test_an_image_of_4096_patches_by_hand(mmproj: str) -> None:
    low, best, high = projector_lora.compute_buffer_range(projector_lora._checked(mmproj, "clip"))
    assert best == 4 * 4096 * (6 * 1152 + 4304)
    assert high == best + 4 * 16 * 4096**2
    assert low == 4 * 256 * 3 * 1152


def test_the_last_card_has_no_part_of_the_projector(model: Model, mmproj: str) -> None:
    with_it, without = (priced(model, TWO, projector=p).accounts for p in (mmproj, None))
    assert with_it[0].total > without[0].total
    assert with_it[1].total == without[1].total


def test_a_projector_that_came_with_the_model_is_counted_and_started(model: Model, mmproj: str) -> None:
    size = Path(mmproj).stat().st_size
    eyed = replace(model, stored=Stored("gguf", 1, extras=(Extra("projector", size, mmproj),)))
    assert len(said(priced(eyed), "projector")) == 2
    assert said(priced(eyed, projector=None), "projector") == []
    chosen = engine.settings(eyed, Load(1, 8192), ONE)
    argv = launch.arguments("m.gguf", chosen)
    assert argv[argv.index("--mmproj") + 1] == mmproj
    assert launch.fields("m.gguf", chosen)["mmproj.path"] == mmproj


def test_of_a_projector_elsewhere_the_size_is_known(model: Model) -> None:
    away = "https://host/mmproj.gguf"
    eyed = replace(model, stored=Stored("gguf", 1, extras=(Extra("projector", 800 * MIB, away),)))
    ((_, weights), (_, made)) = said(priced(eyed), "projector")
    assert (weights.bytes, weights.basis) == (800 * MIB, "read")
    assert made.bytes == projector_lora.encoder_buffer(projector_lora.ENCODERS[model.architecture])
    assert made.least < made.bytes < made.greatest < 1.15 * made.bytes
    other = replace(eyed, architecture="phi3")
    assert (
        projector_lora.compute_buffer_range(projector_lora.ExtraFile(away, 1), other.architecture)
        == projector_lora.UNREAD_BUFFER
    )
    argv = launch.arguments("m.gguf", engine.settings(eyed, Load(1, 8192), ONE))
    assert argv[argv.index("--mmproj-url") + 1] == away


def test_a_broken_projector_is_counted_by_its_size_and_said(model: Model, tmp_path: Path) -> None:
    broken = tmp_path / "mmproj.gguf"
    broken.write_bytes(b"GGUF" + bytes(20))
    eyed = replace(model, stored=Stored("gguf", 1, extras=(Extra("projector", 24, str(broken)),)))
    ledger = priced(eyed)
    ((_, weights), _) = said(ledger, "projector")
    assert (weights.bytes, weights.basis) == (24, "read")
    (note,) = (str(n) for n in ledger.notes if "mmproj.gguf" in str(n))
    assert note.endswith(" Only the size of mmproj.gguf is counted.")
    assert not any("mmproj" in str(n) for n in priced(eyed, projector=None).notes)


def test_a_projector_without_its_model_names_the_mend(mmproj: str) -> None:
    with pytest.raises(Unsupported, match="is a projector") as caught:
        load(mmproj)
    assert "--set projector=PATH" in str(caught.value.mend)


def test_what_is_no_projector_is_refused(model: Model, lora: str, mmproj: str, tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="is not a projector"):
        priced(model, projector=lora)
    with pytest.raises(BadSetting, match="is not a LoRA adapter"):
        priced(model, lora=(mmproj,))
    with pytest.raises(BadReference):
        priced(model, projector=str(tmp_path / "none.gguf"))


def test_an_adapter_lies_where_its_tensors_do(model: Model, lora: str) -> None:
    first = 2 * 16 * (3584 + 3584)
    last = 2 * 16 * (3584 + 18944)
    assert [(w, x.bytes) for w, x in said(priced(model, lora=(lora,)), "LoRA")] == [("card", first + last)]
    assert [(w, x.bytes) for w, x in said(priced(model, BARE, lora=(lora,)), "LoRA")] == [("RAM", first + last)]
    accounts = priced(model, TWO, lora=(lora,)).accounts
    sizes = [[x.bytes for x in a.lines if "LoRA" in str(x.reason)] for a in accounts]
    assert sizes == [[first], [last], []]
    half = priced(model, gpu_layers=14, lora=(lora,)).accounts
    assert [[x.bytes for x in a.lines if "LoRA" in str(x.reason)] for a in half] == [[last], [first]]


def test_an_adapter_of_another_model_is_refused(model: Model, tmp_path: Path) -> None:
    path = adapter(tmp_path, model, "blk.99.attn_q.weight")
    with pytest.raises(BadSetting, match=r"adapts the tensor blk\.99"):
        priced(model, lora=(path,))


def test_fit_leaves_room_for_what_is_loaded_beside(mmproj: str, model: Model) -> None:
    tight = structs.replace(ONE, gpus=(structs.replace(CARD, memory=6 * GIB),))
    size = Path(mmproj).stat().st_size
    eyed = replace(model, stored=Stored("gguf", 1, extras=(Extra("projector", size + 2 * GIB, "https://h/m.gguf"),)))
    asked = Load(1, 8192)
    plain, seeing = (engine.settings(m, asked, tight, fit=True) for m in (model, eyed))
    assert seeing.gpu_layers != plain.gpu_layers
    assert engine.ledger(eyed, asked, tight, seeing).accounts[0].fits


@pytest.mark.parametrize(("mode", "lazy"), [("auto", False), ("on", True), ("off", False)])
@pytest.mark.parametrize("machine", [ONE, BARE, MAC])
def test_small_tables_of_per_layer_embeddings_are_lazy_only_if_asked(mode: str, lazy: bool, machine: Machine) -> None:
    model = load("gemma4-e4b")
    table = next(t.bytes for t in model.tensors if t.name.startswith("per_layer_token_embd"))
    without, with_ = (priced(model, machine, lazy=m) for m in ("off", mode))
    held = sum(line.least for a in without.accounts for line in a.lines)
    kept = sum(line.least for a in with_.accounts for line in a.lines)
    assert held - kept == pytest.approx(table if lazy else 0, abs=1)


def test_large_tables_stay_on_disk_by_themselves() -> None:
    model = load("gemma4-e4b")
    wide = tuple(t.stored_as("F16") if t.name.startswith("per_layer_token_embd") else t for t in model.tensors)
    big = replace(model, tensors=wide)
    ((where, line),) = said(priced(big), "per-layer")
    assert (where, line.bytes, line.least) == ("RAM", 0, 0)
    assert line.greatest == 5376 * MIB  # as a real load of Ollama's gemma4:e4b says
    assert said(priced(big, lazy="off"), "per-layer") == []


def test_a_projector_that_was_downloaded_again_is_read_again(model: Model, mmproj: str) -> None:
    first = said(priced(model, projector=mmproj), "projector")[0][1].bytes
    keys = {"general.architecture": "clip", "general.type": "mmproj", "clip.vision.attention.head_count": 16}
    gguf_writer.write(Path(mmproj), keys, (EYES[0], Tensor("v.more.weight", (1152, 1152), "F32")))
    assert said(priced(model, projector=mmproj), "projector")[0][1].bytes > first


def test_rpc_workers_are_the_first_gpus(model: Model) -> None:
    asked = engine.settings(model, Load(1, 8192), TWO, rpc=("box:50052",))
    argv = launch.arguments("m.gguf", asked)
    assert argv[argv.index("--rpc") + 1] == "box:50052"
    assert any("RPC" in str(note) for note in priced(model, TWO, rpc=("box:50052",)).notes)
    with pytest.raises(BadSetting, match="RPC workers"):
        priced(model, ONE, rpc=("a:1", "b:2"))
    with pytest.raises(BadSetting, match="no port"):
        priced(model, TWO, rpc=("box",))


def test_settings_without_effect_are_named(model: Model) -> None:
    notes = [str(n) for n in priced(model, BARE, gpu_layers=3, n_cpu_moe=2, draft_tokens=8).notes]
    assert "gpu_layers, n_cpu_moe, draft_tokens: set, but without effect here." in notes
    assert not any("without effect" in str(n) for n in priced(model, BARE).notes)


def test_the_wheels_server_says_what_it_cannot_load(lora: str) -> None:
    with pytest.raises(BadSetting, match="does not support --lora"):
        launch.fields("m.gguf", Settings(context=4096, lora=(lora,)))


@pytest.mark.parametrize(("architecture", "seen"), [("qwen35", 248.10), ("qwen2", 704.79)])
def test_buffers_of_encoders_that_servers_printed(architecture: str, seen: float) -> None:
    """qwen3.6-27b and qwen2.5vl:3b, for 46 x 46 tokens; the latter keeps a mask of all patches against all."""
    assert projector_lora.encoder_buffer(projector_lora.ENCODERS[architecture]) == pytest.approx(seen * MIB, rel=0.015)
