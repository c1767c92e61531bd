"""Columns say what the engines' ledgers say, to the byte, and the file is not stale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from gyakusan.catalog.listing import explain
from gyakusan.catalog.models import find
from gyakusan.core.arrays import Number
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.llamacpp.backends import backend_of, same_allocation_key
from gyakusan.engines.llamacpp.compute_buffer.one_device import compute_buffer
from gyakusan.engines.ollama import engine as ollama
from gyakusan.engines.registry import engine as find_engine
from gyakusan.machines import parse
from gyakusan.models.assemble import plain
from gyakusan.planning.candidates import build_model_table, compact_model, model_table
from gyakusan.planning.candidates.model_table import CatalogModel, VariantTable
from gyakusan.planning.candidates.model_variants import measure
from gyakusan.planning.evaluate.engine_memory import fullest_device, weight_bytes
from gyakusan.planning.select.plan import catalogue_deployment, exact_ledger

BOXES = ("RTX 4090", "H100 SXM5", "M4 Max 128GB", "DGX Spark", "2x RTX 3090", "cpu")
ENGINES = ("llama.cpp", "Ollama", "vLLM", "MLX-LM")


def machine(name: str) -> Machine:
    """A box by name; `cpu` with a memory, so that it does not depend on where this runs."""
    return structs.replace(parse("cpu", "64GiB"), simd="avx2") if name == "cpu" else parse(name)


def test_the_file_says_what_the_records_say() -> None:
    """Write it anew with tools/plan_columns.py."""
    assert build_model_table.stale() == ()


@pytest.mark.parametrize("name", ["llama3.1-8b", "gpt-oss-20b", "qwen3.5-35b-a3b", "deepseek-v3.2", "gemma3-12b"])
def test_the_rules_did_not_change_since_it_was_written(name: str) -> None:
    """Write it anew with tools/plan_columns.py --new."""
    stored = model_table.load().models[model_table.load().places[name]].facts
    fresh = measure(find(name))
    assert {k: stored[k] for k in ("gguf", "checkpoint", "mlx", "traffic")} == {
        k: [list(r) if isinstance(r, tuple) else r for r in fresh[k]] for k in ("gguf", "checkpoint", "mlx", "traffic")
    }


@pytest.mark.parametrize("name", ["gpt-oss-20b", "qwen3.5-35b-a3b", "deepseek-v4-flash", "gemma3n-e4b"])
def test_a_light_model_is_the_model_without_its_tensors(name: str) -> None:
    whole = plain(find(name))
    back = compact_model.decode(compact_model.encode(whole))
    assert back == replace(whole, tensors=(), quantization="unknown", inferred=False, stored=None, checkpoint=None)


def total(engine: str, known: CatalogModel, table: VariantTable, row: int, box: Machine, load: Load, kv: str) -> Number:
    """What the sweep has for one model: weights of a layout, and the engine's memory of the load."""
    rules = find_engine(engine)
    ranks, split = rules.max_ranks(known.model, len(box.gpus)), 1
    if rules.MULTI_GPU == "layers":
        split = max(1, len(box.gpus))
    (held,) = rules.load_memory([known.model], load, box, kv, ranks)
    assert held is not None
    fixed = held.fixed + rules.memory_class(box, kv).overhead
    weights = weight_bytes(engine, table, row, ranks, box)
    return fullest_device(weights, held.conversations, fixed, known.model.blocks, split)


def missed(one: Deployment) -> Number:
    """What closed forms of earlier builds miss: they sift, a simulation prices what is shown (see test_builds.py) [B]."""
    chosen = ollama.base(one.model, one.load, one.machine, one.settings)
    exact, sifted = (compute_buffer(m, chosen) for m in (one.model, replace(one.model, tensors=())))
    return max(0, exact.gpu - sifted.gpu) + max(0, exact.host - sifted.host)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_cell_is_the_ledger_to_the_byte(data: st.DataObject) -> None:
    """One device, and vLLM's ranks: exact. llama.cpp over several cards: see the next test."""
    found = model_table.load()
    engine = data.draw(st.sampled_from(ENGINES))
    box = machine(data.draw(st.sampled_from([b for b in BOXES if engine == "vLLM" or not b.startswith("2x")])))
    table = found.of_engine(engine)
    row = data.draw(st.integers(0, len(table) - 1))
    known = found.models[int(table.model[row])]
    kv = data.draw(st.sampled_from(("F16", "Q8_0")))
    load = Load(data.draw(st.integers(1, 16)), data.draw(st.sampled_from((2048, 8192, 32768, 100_000))))
    one = catalogue_deployment(known.name, table.name[row], engine, box, load, kv)
    whole = exact_ledger(one)
    if one is None or whole is None:
        return
    column = total(engine, known, table, row, box, load, kv)
    if engine == "Ollama":  # its batch shrinks when weights fill the card: never more than this
        assert whole.accounts[0].total - missed(one) <= column
        return
    assert whole.accounts[0].total == column
    usable = whole.accounts[0].device.usable
    assert find_engine(engine).usable(box) == (float("inf") if usable is None else usable)


@pytest.mark.parametrize("name", ["llama3.3-70b", "qwen3-32b", "gpt-oss-120b"])
@pytest.mark.parametrize("count", [2, 4])
def test_over_several_cards_the_column_is_near_the_fullest_one(name: str, count: int) -> None:
    found, box, load = model_table.load(), parse(f"{count}x RTX 3090"), Load(2, 16384)
    table = found.tables["gguf"]
    row = next(i for i, m in enumerate(table.model) if found.models[m].name == name)
    known = found.models[int(table.model[row])]
    whole = exact_ledger(catalogue_deployment(known.name, table.name[row], "llama.cpp", box, load, "F16"))
    assert whole is not None
    fullest = max(a.total for a in whole.accounts if a.device.kind == "gpu")
    assert total("llama.cpp", known, table, row, box, load, "F16") == pytest.approx(fullest, rel=0.12)


@pytest.mark.parametrize("devices", [("RTX 4090", "RX 7900 XTX"), ("Arc B580", "Radeon RX 6400")])
def test_an_f16_cache_takes_the_same_under_drivers_with_the_same_kernels(devices: tuple[str, ...]) -> None:
    """Machines share what was worked out for one of them (backends.same_allocation_key)."""
    found, load = model_table.load(), Load(3, np.array((1000, 32768, 100_001)))
    assert len({same_allocation_key(backend_of(machine(d)), "F16") for d in devices}) == 1
    for known in found.models[::7]:
        taken = []
        for device in devices:
            (held,) = find_engine("llama.cpp").load_memory([known.model], load, machine(device), "F16", 1)
            assert held is not None
            taken.append([np.broadcast_to(x, (3,)).tolist() for x in (held.conversations, held.fixed)])
        assert taken[1:] == taken[:-1], known.name


def test_latent_attention_takes_the_same_under_mlx_as_in_its_ledger() -> None:
    """Which file of MLX-LM runs a model is told by a tensor, and the grid's models have none."""
    found, box, load = model_table.load(), machine("M4 Max 128GB"), Load(1, 2048)
    table = found.tables["mlx"]
    for name in ("glm-4.7-flash", "deepseek-v2-lite"):
        row = next(i for i, m in enumerate(table.model) if found.models[m].name == name)
        whole = exact_ledger(catalogue_deployment(name, table.name[row], "MLX-LM", box, load, "F16"))
        assert whole is not None
        known = found.models[int(table.model[row])]
        assert whole.accounts[0].total == total("MLX-LM", known, table, row, box, load, "F16")


def test_the_users_own_record_says_why_it_is_not_proposed() -> None:
    facts = {**measure(find("qwen3-8b")), "listed": False}
    own = model_table.from_facts([facts], {"qwen3-8b": model_table.score_rows("qwen3-8b")}).models[0]
    assert own.unlisted is not None
    assert "your own record" in str(explain(own.unlisted))
    assert model_table.from_facts([facts | {"listed": True}], {"qwen3-8b": []}).models[0].unlisted is None
