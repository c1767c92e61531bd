"""What a server's memory grows to is told as it starts, with the settings that limit it."""

from __future__ import annotations

import pytest

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.serving.model_group import growing_memory, planned_memory
from gyakusan.show import served
from gyakusan.show.tree import Text
from gyakusan.text import tell
from gyakusan.units import format_bytes


def said(**settings: object) -> str:
    asked = api.deployment("qwen3-8b", device="RTX 4090", load=Load(1, 8192), ram="64GiB", settings=settings)
    (text,) = served.growth(planned_memory(asked), growing_memory(asked)) or (Text(""),)
    assert isinstance(text, Text)
    return tell(text.words, "en")


def test_the_cache_of_earlier_prompts_is_told_with_what_limits_it() -> None:
    """A model of 94 MiB took 8.2 GiB after a while, and only `status` said so."""
    asked = api.deployment("qwen3-8b", device="RTX 4090", load=Load(1, 8192), ram="64GiB")
    most = sum({**planned_memory(asked), **growing_memory(asked)}.values())
    assert most - sum(planned_memory(asked).values()) >= 8192 * 2**20
    assert f"up to {format_bytes(most)};" in said()
    assert "--set cache_ram=N limits it" in said()


@pytest.mark.parametrize("limit", [0, 64])
def test_what_grows_by_little_needs_no_word(limit: int) -> None:
    assert said(cache_ram=limit) == ""


def test_what_the_option_promises_holds() -> None:
    assert said(cache_ram=512) != said()
    assert format_bytes(8192 * 2**20) not in said(cache_ram=512)
