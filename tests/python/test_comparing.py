"""Python's compare: models on devices, plans beside them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import gyakusan
from gyakusan.cli.app import run


def test_the_document_is_that_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    found = gyakusan.compare("RTX 5090", "RTX 3060 12GB", model=["gpt-oss-20b", "llama3.3-70b"], context="16k")
    devices = ("compare", "RTX 5090", "RTX 3060 12GB", "--model", "gpt-oss-20b", "--model", "llama3.3-70b")
    run([*devices, "--context", "16k", "--json"], "en")
    assert json.loads(found.to_json("en")) == json.loads(capsys.readouterr().out)
    lines = repr(found).splitlines()
    assert len(lines) == 4
    assert "does not fit" in lines[3]


def test_plans_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "office.toml"
    file.write_text('device = "RTX 4090"\nusers = 2\n')
    found = gyakusan.compare("RTX 5090", model="gpt-oss-20b", plan=file)
    run(["compare", "RTX 5090", "--model", "gpt-oss-20b", "--plan", str(file), "--json"], "en")
    said = json.loads(capsys.readouterr().out)
    got = json.loads(found.to_json("en"))
    assert [s["model"] for s in got] == [s["model"] for s in said]
    assert got[0] == said[0]
    assert repr(found).startswith("office: ")
    assert gyakusan.compare(plan={"device": "RTX 4090", "users": 2}).to_dict()[0]["title"] == "plan"


def test_what_is_missing_is_named() -> None:
    with pytest.raises(gyakusan.GyakusanError, match="No device"):
        gyakusan.compare(model="gpt-oss-20b")
    with pytest.raises(gyakusan.GyakusanError, match="No model"):
        gyakusan.compare("RTX 5090")


def test_memory_and_prices_are_in_the_document() -> None:
    fits, short = gyakusan.compare("RTX 5090", "RTX 3060 12GB", model="qwen3-32b").to_dict()
    account = gyakusan.inspect("qwen3-32b", device="RTX 5090").accounts[0]
    assert fits["total"] == account.total
    assert fits["spare"] == account.spare
    assert fits["price_jpy"] > 0
    assert fits["answer_price_jpy"] > 0
    assert short["spare"] < 0
    assert short["answer_price_jpy"] is None
    beside = gyakusan.compare("RTX 5090", model="qwen3-32b", plan={"device": "RTX 4090"}).to_dict()
    assert beside[1]["price_jpy"] == fits["price_jpy"]
    assert beside[1]["answer_price_jpy"] == fits["answer_price_jpy"]
    assert beside[0]["answer_price_jpy"] is None, "it is owned"
