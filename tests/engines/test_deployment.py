"""A deployment: the command that is printed and the server that is started think alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.engines.llamacpp import router
from gyakusan.engines.router import Routed, RoutedModel
from gyakusan.serving.server import Server

LOAD = Load(1, 4096)


@pytest.mark.parametrize(
    ("engine", "words"),
    [("llama.cpp", "--reasoning off"), ("vllm", "--default-chat-template-kwargs"), ("ollama", "")],
)
def test_a_plan_is_started_as_it_was_planned_to_think(engine: str, words: str) -> None:
    asked = structs.replace(api.deployment("qwen3-8b", load=LOAD, server=engine, device="RTX 4090"), mode="off")
    line, usual = (Server.of(d, path="/m").command for d in (asked, structs.replace(asked, mode="")))
    assert line.startswith(usual)
    assert words in line
    assert bool(words) == (line != usual)
    assert asked.thinking_words == asked.command.argv[len(structs.replace(asked, mode="").command.argv) :]


def test_one_of_several_models_thinks_as_it_was_planned_to() -> None:
    asked = structs.replace(api.deployment("qwen3-8b", load=LOAD, device="RTX 4090"), mode="off")
    model = RoutedModel("a", Path("/m.gguf"), asked.settings, asked.thinking_words)
    assert "reasoning = off" in router.preset(Routed((model,), 1))
    assert "reasoning = off" not in router.preset(Routed((replace(model, words=()),), 1))
