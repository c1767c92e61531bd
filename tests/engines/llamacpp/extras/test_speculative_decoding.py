"""Prediction blocks and draft models, beside dry runs of llama.cpp b11549 (CPU) with load_mtp and a context of type MTP."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from benchmarks.memory_accuracy import model_of, read_meta

from gyakusan.core.ledger import Ledger, Line
from gyakusan.core.load import Load
from gyakusan.core.machine import Device, Machine
from gyakusan.core.model import Model
from gyakusan.engines.llamacpp import engine, launch
from gyakusan.engines.llamacpp.extras import speculative_decoding
from gyakusan.engines.llamacpp.settings import Settings, check
from gyakusan.errors import BadSetting
from gyakusan.models import load
from gyakusan.units import GIB, MIB

META = Path(__file__).parents[3] / "truth" / "gguf_meta.json.gz"
DENSE, MIXED, AIR, FLASH = "qwen3.5-27b-mtp", "qwen3.5-35b-a3b-mtp", "glm-4.5-air", "glm-4.7-flash-mtp"
LOADED = {
    DENSE: (16536406016, 16799719424),
    MIXED: (21155768832, 21702472192),
    AIR: (70438853120, 72848162816),
    FLASH: (18123246080, 18895625984),
}
"""Weights in RAM without and with the prediction blocks, Q4_K_M. [B]"""
SECOND = (
    (DENSE, 4096, 1, 512, 16777216, 132139040),
    (DENSE, 32768, 4, 512, 134217728, 136333344),
    (DENSE, 131072, 1, 512, 536870912, 205539360),
    (DENSE, 32768, 1, 2048, 134217728, 545333280),
    (DENSE, 32768, 1, 128, 134217728, 34083360),
    (MIXED, 32768, 1, 512, 67108864, 79710240),
    (MIXED, 131072, 1, 512, 268435456, 176179232),
    (MIXED, 32768, 1, 2048, 67108864, 318840864),
    (AIR, 4096, 1, 512, 16777216, 157298720),
    (AIR, 131072, 1, 512, 536870912, 209727520),
    (AIR, 32768, 4, 512, 134217728, 153890848),
    (FLASH, 32768, 1, 512, 37748736, 101195808),
    (FLASH, 131072, 1, 512, 150994944, 201859104),
    (FLASH, 32768, 1, 128, 37748736, 25298976),
)
"""(model, context of all slots, slots, ubatch, cache, compute buffer) of the second context. [tokens], [B]"""
ROLLBACK = ((DENSE, 2147483648, 4657774592, 187162720, 167796768), (MIXED, 671088640, 1724907520, 122052704, 88105024))
"""(model, its cache, all context with three snapshots, compute with, compute without) at 32768 tokens, 4 slots. [B]"""
RAM = Device("RAM", "host", 512 * GIB, "cpu")
CARD = Device("card", "gpu", 96 * GIB, "cuda")
BARE, ONE, TWO = Machine("bare", (), RAM), Machine("one", (CARD,), RAM), Machine("two", (CARD, CARD), RAM)


@cache
def model(name: str) -> Model:
    return model_of(read_meta(META), name, "Q4_K_M")


def priced(found: Model, machine: Machine, users: int = 1, context: int = 32768, **changes: Any) -> Ledger:
    asked = Load(users, context // users)
    return engine.ledger(found, asked, machine, engine.settings(found, asked, machine, **changes))


def said(ledger: Ledger, text: str) -> list[tuple[str, Line]]:
    return [(a.device.name, line) for a in ledger.accounts for line in a.lines if text in str(line.reason)]


@pytest.mark.parametrize("name", LOADED)
def test_prediction_blocks_take_what_loading_them_takes(name: str) -> None:
    before, after = LOADED[name]
    ((where, line),) = said(priced(model(name), BARE, mtp=True, mmap=False), "prediction blocks (MTP), loaded")
    assert (where, line.bytes) == ("RAM", after - before)
    assert priced(model(name), BARE, mmap=False).accounts[0].of("weights") == before


@pytest.mark.parametrize(("name", "context", "slots", "ubatch", "kept", "compute"), SECOND)
def test_the_second_context(name: str, context: int, slots: int, ubatch: int, kept: int, compute: int) -> None:
    asked = priced(model(name), BARE, slots, context, mtp=True, ubatch=ubatch)
    cache_line, made = (line for _, line in said(asked, "second context"))
    assert (cache_line.kind, cache_line.bytes) == ("kv_cache", kept)
    assert made.least <= compute <= made.greatest


@pytest.mark.parametrize(("name", "kv", "context", "compute", "plain"), ROLLBACK)
def test_states_to_go_back_to(name: str, kv: int, context: int, compute: int, plain: int) -> None:
    ledger = priced(model(name), BARE, 4, mtp=True)
    own = priced(model(name), BARE, 4)
    assert own.of("kv_cache") == kv
    assert ledger.of("recurrent_state") == context - kv == 4 * own.of("recurrent_state")
    ((_, room),) = said(ledger, "the same for one layer")
    assert room.least <= compute - plain <= room.greatest


def test_layers_that_keep_every_token_have_nothing_to_go_back_to() -> None:
    assert said(priced(model(AIR), ONE, mtp=True), "states to return to") == []


def test_every_drafted_token_has_logits() -> None:
    ((where, line),) = said(priced(model(AIR), ONE, 2, mtp=True, draft_tokens=5), "logits of drafted")
    assert (where, line.bytes) == ("RAM", 2 * 5 * model(AIR).vocabulary * 4)
    assert said(priced(model(AIR), ONE), "draft") == []


def test_on_two_cards_the_last_has_the_prediction_blocks() -> None:
    accounts = priced(model(AIR), TWO, mtp=True).accounts
    assert [sum("prediction blocks" in str(x.reason) for x in a.lines) for a in accounts] == [0, 2, 0]


def test_a_file_without_prediction_blocks_is_refused() -> None:
    with pytest.raises(BadSetting, match="no prediction blocks") as caught:
        priced(load("qwen2.5-7b"), ONE, mtp=True)
    assert "draft=NAME" in str(caught.value.mend)


def test_a_draft_model_costs_what_it_costs_alone() -> None:
    big, small = load("qwen3-32b"), load("qwen3-0.6b")
    both = priced(big, ONE, draft="qwen3-0.6b", key_type="Q8_0", value_type="Q8_0")
    one = priced(big, ONE, key_type="Q8_0", value_type="Q8_0")
    alone = priced(small, ONE)
    for kind in ("weights", "kv_cache"):
        assert both.accounts[0].of(kind) == one.accounts[0].of(kind) + alone.accounts[0].of(kind)
        assert both.accounts[1].of(kind) == one.accounts[1].of(kind) + alone.accounts[1].of(kind)
    assert both.of("overhead") == one.of("overhead")
    assert len(said(both, "draft model qwen3-0.6b")) >= 5


@pytest.mark.parametrize("machine", [BARE, TWO])
def test_a_draft_model_goes_where_the_model_goes(machine: Machine) -> None:
    lines = said(priced(load("qwen3-32b"), machine, draft="qwen3-0.6b"), "draft model")
    assert {where for where, _ in lines} == {a.device.name for a in priced(load("qwen3-32b"), machine).accounts}


def test_another_vocabulary_cannot_draft() -> None:
    with pytest.raises(BadSetting, match="cannot be the draft model") as caught:
        priced(load("qwen3-32b"), ONE, draft="smollm2")
    assert "same family" in str(caught.value.mend)


def test_a_draft_model_is_not_fetched() -> None:
    with pytest.raises(BadSetting, match="not on this computer"):
        priced(load("qwen3-32b"), ONE, draft="https://host/draft.gguf")


def test_how_a_server_is_told() -> None:
    line = launch.command("m.gguf", Settings(context=4096, mtp=True, draft_tokens=2))
    assert "--spec-type draft-mtp --spec-draft-n-max 2" in line
    line = launch.command("m.gguf", Settings(context=4096, draft="/x/small.gguf", lazy="on"))
    assert "--model-draft /x/small.gguf --spec-type draft-simple --spec-draft-n-max 3" in line
    assert "--lazy-mode on" in line
    assert "--spec" not in launch.command("m.gguf", Settings(context=4096))


def test_one_of_them_drafts() -> None:
    with pytest.raises(BadSetting, match="Both"):
        check(Settings(context=4096, mtp=True, draft="x"))
    with pytest.raises(BadSetting, match="draft_tokens cannot be 0"):
        check(Settings(context=4096, mtp=True, draft_tokens=0))


def test_arrays_are_priced_as_scalars_are() -> None:
    import numpy as np

    contexts = np.array([4096, 32768])
    asked = engine.settings(model(DENSE), Load(1, 4096), ONE, context=contexts, mtp=True)
    many = engine.ledger(model(DENSE), Load(1, 4096), ONE, asked).accounts[0].total
    for context, total in zip(contexts, many, strict=True):
        assert priced(model(DENSE), ONE, context=int(context), mtp=True).accounts[0].total == pytest.approx(total)


def test_the_range_is_that_of_the_dry_runs() -> None:
    shares = []
    for name, context, slots, ubatch, _, compute in SECOND:
        asked = priced(model(name), BARE, slots, context, mtp=True, ubatch=ubatch)
        made = [line for _, line in said(asked, "second context")][1]
        shares.append(compute / float(made.greatest))
    assert speculative_decoding.SECOND_CONTEXT_SHARES[0] < min(shares)
    assert max(shares) < speculative_decoding.SECOND_CONTEXT_SHARES[2]
    assert (round(min(shares), 2), round(max(shares), 2)) == (0.67, 0.93)
    assert sum(shares) / len(shares) == pytest.approx(speculative_decoding.SECOND_CONTEXT_SHARES[1], abs=0.05)


def test_a_second_context_of_the_27b_at_32k_on_a_card() -> None:
    kept, made = (line for _, line in said(priced(model(DENSE), ONE, mtp=True), "second context"))
    assert kept.bytes == 128 * MIB
    assert 80 * MIB < made.bytes < 420 * MIB


@pytest.mark.parametrize("name", ["qwen3.6-27b", "qwen3.5-9b", "qwen3.5-4b", "qwen3.5-35b-a3b"])
def test_records_of_files_without_prediction_blocks_take_the_file_that_has_them(name: str) -> None:
    """The makers publish both; a sibling whose record has the block costs what a record that lacks it is given."""
    machine, model = Machine("box", (Device("RTX 5090", "gpu", 32 * GIB, "cuda"),), None), load(name)
    plain, drafting = (
        engine.ledger(model, Load(1, 8192), machine, engine.settings(model, Load(1, 8192), machine, mtp=x))
        for x in (False, True)
    )
    parts = {x.part: x.bytes for a in drafting.accounts for x in a.lines}
    assert parts["draft.weights"] > 0
    assert {"draft.kv", "draft.compute", "state.rollback"} <= parts.keys()
    assert drafting.of("kv_cache") - plain.of("kv_cache") == parts["draft.kv"]


def test_the_draft_has_a_cache_type_of_its_own() -> None:
    machine, model = Machine("box", (Device("RTX 5090", "gpu", 32 * GIB, "cuda"),), None), load("qwen3.8-27b")
    sizes = []
    for kind in ("F16", "Q8_0"):
        chosen = engine.settings(model, Load(1, 8192), machine, mtp=True, draft_key_type=kind, draft_value_type=kind)
        found = engine.ledger(model, Load(1, 8192), machine, chosen)
        sizes.append(sum(x.bytes for a in found.accounts for x in a.lines if x.part == "draft.kv"))
        assert ("--cache-type-k-draft" in launch.arguments("m.gguf", chosen)) is (kind == "Q8_0")
    assert sizes[1] / sizes[0] == pytest.approx(34 / 64, rel=1e-3)
