"""Python's inspect: the ledger, with speed, quality and the document of --json."""

from __future__ import annotations

import json
from typing import Any

import pytest

import gyakusan
from gyakusan.cli.app import run
from gyakusan.core.ledger import Ledger
from gyakusan.errors import BadQuantity, BadSetting, UnknownName
from gyakusan.units import GIB


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> object:
    run([*arguments, "--json"], "en")
    return json.loads(capsys.readouterr().out)


def test_inspect_is_a_ledger_with_speed_and_quality() -> None:
    found = gyakusan.inspect("gpt-oss-20b", context=131072, device="RTX 4090")
    assert isinstance(found, Ledger)
    assert found.fits
    assert found.of("kv_cache") == 3 * GIB + 18 * 2**20
    assert found.speed is not None
    assert found.pace is found.speed
    assert found.quality is not None
    assert found.overall is not None
    assert found.overall.value == pytest.approx(found.quality.overall.value, abs=15)


def test_the_document_is_that_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    found = gyakusan.inspect("qwen2.5-7b", device="RTX 4090", users=4, context="32k", quant="Q5_K_M", kv_type="q8_0")
    options = ("--users", "4", "--context", "32k", "--quant", "Q5_K_M", "--kv-type", "q8_0")
    said = printed(capsys, "inspect", "qwen2.5-7b", "--device", "RTX 4090", *options)
    assert json.loads(json.dumps(found.to_dict("en"))) == said
    assert json.loads(found.to_json("en")) == said
    assert "\n" not in found.to_json(indent=None)


def test_former_names_go_on_working() -> None:
    old = gyakusan.inspect("qwen2.5-7b", device="RTX 4090", quantization="Q5_K_M", key_type="q8_0", value_type="q8_0")
    assert old.to_dict() == gyakusan.inspect("qwen2.5-7b", device="RTX 4090", quant="Q5_K_M", kv_type="q8_0").to_dict()


def test_settings_go_by_set_as_on_the_command_line() -> None:
    by_name = gyakusan.inspect("qwen2.5-7b", device="RTX 4090", ubatch=1024)
    assert gyakusan.inspect("qwen2.5-7b", device="RTX 4090", set={"ubatch": 1024}).accounts == by_name.accounts
    assert gyakusan.inspect("qwen2.5-7b", device="RTX 4090", set=["ubatch=1024"]).accounts == by_name.accounts
    assert gyakusan.inspect("qwen2.5-7b", device="RTX 4090", set="ubatch=1024").accounts == by_name.accounts
    assert gyakusan.inspect("qwen2.5-7b", device="RTX 4090").accounts != by_name.accounts


def test_settings_are_checked_by_name() -> None:
    with pytest.raises(UnknownName, match="ubatch"):
        gyakusan.inspect("qwen2.5-7b", device="RTX 4090", ubtch=64)
    with pytest.raises(BadQuantity):
        gyakusan.inspect("qwen2.5-7b", device="RTX 4090", users=0)


def test_repr_says_the_verdict() -> None:
    said = repr(gyakusan.inspect("llama3.1-70b", context=8192, device="RTX 4090"))
    assert said.splitlines()[0] == "llama3.1-70b Q4_K_M, llama.cpp, 1 x 8,192 tokens: does not fit"
    assert "NVIDIA GeForce RTX 4090: " in said
    assert len(said.splitlines()) <= 20


def test_exact_works_with_one_engine_only() -> None:
    with pytest.raises(gyakusan.GyakusanError, match="only"):
        gyakusan.inspect("qwen2.5-7b", device="RTX 4090", engine="vllm", exact=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prompt", float("nan")),
        ("prompt", True),
        ("users", float("inf")),
        ("device", ["x"]),
        ("memory", 24),
        ("quant", 5),
        ("batch", float("nan")),
        ("batch", "x"),
        ("offload_kv", 1),
        ("set", 5),
    ],
)
def test_an_argument_of_another_type_is_named(name: str, value: Any) -> None:
    with pytest.raises(BadSetting, match=rf"^{name} cannot be "):
        gyakusan.inspect("qwen3-8b", **{"device": "RTX 4090", name: value})


@pytest.mark.parametrize("prompt", [0, 10**30, 8192])
def test_a_prompt_has_room_in_the_context(prompt: int) -> None:
    with pytest.raises(BadQuantity):
        gyakusan.inspect("qwen3-8b", device="RTX 4090", context=8192, prompt=prompt)
    with pytest.raises(BadSetting, match="model cannot be 5"):
        gyakusan.inspect(5)  # type: ignore[arg-type]
