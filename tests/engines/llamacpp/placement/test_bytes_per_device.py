"""Weights and context on each device: every recorded row, 0 bytes off."""

from __future__ import annotations

from benchmarks.placement_accuracy import device, free_of, settings_of
from tests.models import recorded

from gyakusan.engines.llamacpp.buffers.kv_cache import kv_cache, recurrent_state
from gyakusan.engines.llamacpp.buffers.weights import weights
from gyakusan.engines.llamacpp.placement import bytes_per_device
from gyakusan.engines.llamacpp.placement.layer_assignment import HOST, place
from gyakusan.engines.llamacpp.settings import Settings


def test_weights_and_context_of_every_row() -> None:
    wrong = []
    for row in recorded.rows("llamacpp_split.jsonl.gz"):
        if "error" in row:
            continue
        model, settings = recorded.model(row["model"], row["quant"]), settings_of(row)
        placement = place(model.blocks, settings, free_of(row))
        held, kept = (
            bytes_per_device.weights(model, settings, placement),
            bytes_per_device.context(model, settings, placement),
        )
        for d in range(HOST, placement.cards):
            said = device(row, d)
            if (held.on(d), kept.on(d)) != (said["model"], said["context"]):
                wrong.append((row["model"], d))
    assert not wrong


def test_one_gpu_is_the_same_as_the_plain_figures() -> None:
    for name in ("gpt-oss-20b", "gemma3-27b", "plamo-2-1b", "nemotron-nano-9b-v2", "gemma4-e4b"):
        model = recorded.model(name, next(iter(recorded.files()[name]["types"])))
        for backend, free in (("cuda", (1,)), ("cpu", ())):
            settings = Settings(context=8192, backend=backend)  # type: ignore[arg-type]
            placement = place(model.blocks, settings, free)
            held, kept = (
                bytes_per_device.weights(model, settings, placement),
                bytes_per_device.context(model, settings, placement),
            )
            plain = weights(model, settings)
            assert (sum(held.gpus), held.host) == (plain.gpu, plain.host), name
            assert sum(kept.gpus) + kept.host == kv_cache(model, settings) + recurrent_state(model, settings), name


def test_frequency_factors_are_on_every_gpu_with_blocks() -> None:
    model = recorded.model("llama3.1-8b", "Q4_K_M")
    settings = Settings(context=8192, split_mode="layer")
    placement = place(model.blocks, settings, (1, 1, 1))
    copies = [d for t, d in bytes_per_device.homes(model, settings, placement) if t.name == "rope_freqs.weight"]
    assert copies == [0, 1, 2]


def test_a_tied_table_is_copied_to_the_output() -> None:
    model = recorded.model("gemma3-27b", "Q4_K_M")
    for layers, expected in ((-1, [HOST, 1]), (0, [HOST])):
        settings = Settings(context=8192, split_mode="layer", gpu_layers=layers)
        placement = place(model.blocks, settings, (1, 1))
        copies = [d for t, d in bytes_per_device.homes(model, settings, placement) if t.name == "token_embd.weight"]
        assert copies == expected
