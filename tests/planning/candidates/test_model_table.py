"""Columns say what the engines' ledgers say, to the byte, and the file is not stale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyakusan.catalog.models import find
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.machines import parse
from gyakusan.models.assemble import plain
from gyakusan.planning.candidates import compact_model, model_table
from gyakusan.planning.candidates.model_table import FAMILY
from gyakusan.planning.candidates.model_variants import measure
from gyakusan.planning.evaluate import engine_memory
from gyakusan.planning.select.plan import catalogue_deployment, exact_ledger

BOXES = ("RTX 4090", "H100 SXM5", "M4 Max 128GB", "DGX Spark", "2x RTX 3090", "cpu")
ENGINES = ("llama.cpp", "Ollama", "vLLM", "MLX-LM")


def machine(name: str) -> Machine:
    """A box by name; `cpu` with a memory, so that it does not depend on where this runs."""
    return replace(parse("cpu", "64GiB"), simd="avx2") if name == "cpu" else parse(name)


def test_the_file_says_what_the_records_say() -> None:
    """Write it anew with tools/plan_columns.py."""
    assert model_table.stale() == ()


@pytest.mark.parametrize("name", ["llama3.1-8b", "gpt-oss-20b", "qwen3.5-35b-a3b", "deepseek-v3.2", "gemma3-12b"])
def test_the_rules_did_not_change_since_it_was_written(name: str) -> None:
    """Write it anew with tools/plan_columns.py --new."""
    stored = model_table.load().models[model_table.load().places[name]].facts
    fresh = measure(find(name))
    assert {k: stored[k] for k in ("gguf", "vllm", "mlx", "traffic")} == {
        k: [list(r) if isinstance(r, tuple) else r for r in fresh[k]] for k in ("gguf", "vllm", "mlx", "traffic")
    }


@pytest.mark.parametrize("name", ["gpt-oss-20b", "qwen3.5-35b-a3b", "deepseek-v4-flash", "gemma3n-e4b"])
def test_a_light_model_is_the_model_without_its_tensors(name: str) -> None:
    whole = plain(find(name))
    back = compact_model.decode(compact_model.encode(whole))
    assert back == replace(whole, tensors=(), quantization="unknown", inferred=False, stored=None, checkpoint=None)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_cell_is_the_ledger_to_the_byte(data: st.DataObject) -> None:
    """One device, and vLLM's ranks: exact. llama.cpp over several cards: see the next test."""
    found = model_table.load()
    engine = data.draw(st.sampled_from(ENGINES))
    box = machine(data.draw(st.sampled_from([b for b in BOXES if engine == "vLLM" or not b.startswith("2x")])))
    table = found.tables[FAMILY[engine]]
    row = data.draw(st.integers(0, len(table) - 1))
    known = found.models[int(table.model[row])]
    kv = data.draw(st.sampled_from(("F16", "Q8_0")))
    load = Load(data.draw(st.integers(1, 16)), data.draw(st.sampled_from((2048, 8192, 32768, 100_000))))
    whole = exact_ledger(catalogue_deployment(known.name, table.base[row], engine, box, load, kv))
    if whole is None:
        return
    rest = engine_memory.rest(engine, known, box, load, kv)
    assert rest is not None
    held = engine_memory.weights(table, row, rest.ranks, box)
    if engine == "Ollama":  # its batch shrinks when weights fill the card: never more than this
        assert whole.accounts[0].total <= engine_memory.total(
            held, rest.kept, rest.fixed, known.model.blocks, rest.split
        )
        return
    assert whole.accounts[0].total == engine_memory.total(held, rest.kept, rest.fixed, known.model.blocks, rest.split)
    usable = whole.accounts[0].device.usable
    assert engine_memory.usable(engine, box) == (float("inf") if usable is None else usable)


@pytest.mark.parametrize("name", ["llama3.3-70b", "qwen3-32b", "gpt-oss-120b"])
@pytest.mark.parametrize("count", [2, 4])
def test_over_several_cards_the_column_is_near_the_fullest_one(name: str, count: int) -> None:
    found, box, load = model_table.load(), parse(f"{count}x RTX 3090"), Load(2, 16384)
    table = found.tables["gguf"]
    row = next(i for i, m in enumerate(table.model) if found.models[m].name == name)
    known = found.models[int(table.model[row])]
    rest = engine_memory.rest("llama.cpp", known, box, load, "F16")
    whole = exact_ledger(catalogue_deployment(known.name, table.base[row], "llama.cpp", box, load, "F16"))
    assert rest is not None
    assert whole is not None
    fullest = max(a.total for a in whole.accounts if a.device.kind == "gpu")
    assert engine_memory.total(
        engine_memory.weights(table, row, 1, box), rest.kept, rest.fixed, known.model.blocks, rest.split
    ) == pytest.approx(fullest, rel=0.12)


def test_an_f16_cache_takes_the_same_under_every_driver_but_metal() -> None:
    """Machines share what was worked out for one of them (drivers.alike)."""
    found, load = model_table.load(), Load(3, np.array((1000, 32768, 100_001)))
    for known in found.models[::7]:
        taken = []
        for device in ("RTX 4090", "RX 7900 XTX", "Arc B580", "Radeon RX 6400"):
            settings = engine_memory.asked("llama.cpp", known, machine(device), load, "F16")
            held = engine_memory.buffers(known.model, settings)
            taken.append([np.broadcast_to(x, (3,)).tolist() for x in (held.kept, held.gpu, held.host)])
        assert taken[1:] == taken[:-1], known.name


def test_latent_attention_takes_the_same_under_mlx_as_in_its_ledger() -> None:
    """Which file of MLX-LM runs a model is told by a tensor, and the grid's models have none."""
    found, box, load = model_table.load(), machine("M4 Max 128GB"), Load(1, 2048)
    table = found.tables["mlx"]
    for name in ("glm-4.7-flash", "deepseek-v2-lite"):
        row = next(i for i, m in enumerate(table.model) if found.models[m].name == name)
        whole = exact_ledger(catalogue_deployment(name, table.base[row], "MLX-LM", box, load, "F16"))
        rest = engine_memory.rest("MLX-LM", found.models[int(table.model[row])], box, load, "F16")
        assert whole is not None
        assert rest is not None
        assert whole.accounts[0].total == engine_memory.weights(table, row, 1, box) + rest.kept + rest.fixed
