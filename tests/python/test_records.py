"""Python's catalog_* and accuracy_*: the same documents as the commands', and a short repr."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

import gyakusan
from gyakusan.cli.app import run
from gyakusan.errors import UnknownName
from gyakusan.python.answer import Answer
from gyakusan.python.records import catalog_show

ASKED: dict[str, tuple[Callable[[], Answer], tuple[str, ...]]] = {
    "list": (
        lambda: gyakusan.catalog_list("models", search="qwen3", language="ja", all=True),
        ("catalog", "list", "models", "--search", "qwen3", "--language", "ja", "--all"),
    ),
    "devices": (lambda: gyakusan.catalog_list(memory="96GiB"), ("catalog", "list", "--memory", "96GiB")),
    "computers": (lambda: gyakusan.catalog_list("machines"), ("catalog", "list", "machines")),
    "embeddings": (lambda: gyakusan.catalog_list("embeddings"), ("catalog", "list", "embeddings")),
    "device": (lambda: gyakusan.catalog_show("RTX 5090"), ("catalog", "show", "RTX 5090")),
    "model": (lambda: gyakusan.catalog_show("gpt-oss-20b"), ("catalog", "show", "gpt-oss-20b")),
    "sources": (gyakusan.catalog_sources, ("catalog", "sources")),
    "memory": (lambda: gyakusan.accuracy_memory(engine="mlx"), ("accuracy", "memory", "--engine", "mlx")),
    "speed": (gyakusan.accuracy_speed, ("accuracy", "speed")),
}


@pytest.mark.parametrize("name", ASKED)
def test_the_document_is_that_of_the_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    ask, arguments = ASKED[name]
    found = ask()
    run([*arguments, "--json"], "en")
    assert json.loads(found.to_json("en")) == json.loads(capsys.readouterr().out)
    assert 1 <= len(repr(found).splitlines()) <= 20


def test_what_is_wrong_is_named(tmp_path: object) -> None:
    with pytest.raises(gyakusan.GyakusanError, match="RTX 5091"):
        gyakusan.catalog_show("RTX 5091")
    with pytest.raises(gyakusan.GyakusanError, match="no-such-model-at-all"):
        gyakusan.catalog_show("no-such-model-at-all")
    with pytest.raises(gyakusan.GyakusanError, match="--online"):
        gyakusan.catalog_update()
    with pytest.raises(gyakusan.GyakusanError, match="sglang"):
        gyakusan.accuracy_memory(engine="sglang")
    with pytest.raises(gyakusan.GyakusanError, match="does not exist"):
        gyakusan.catalog_add(f"{tmp_path}/none.toml")


def test_what_is_like_nothing_is_told_where_names_are_listed() -> None:
    with pytest.raises(
        UnknownName, match=r"No device or model is called 'xyzzy'\. The names: gyakusan catalog list models"
    ):
        catalog_show("xyzzy")
    with pytest.raises(UnknownName) as refused:
        catalog_show("\x1b[31mx")
    assert "Did you mean" not in str(refused.value)
