"""JSON Schemas: fresh, with a word on every field, and as strict as the documents are."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.documents.valid import valid

from gyakusan import api
from gyakusan.cli import main
from gyakusan.core.load import Load
from gyakusan.documents import ledger
from gyakusan.documents.schema import DOCUMENTS, schema, written
from gyakusan.documents.served import served
from gyakusan.documents.writer import plain
from gyakusan.engines.server import ReportedBuffer
from gyakusan.errors import UnknownName
from gyakusan.planning.predict.assessment import assess
from gyakusan.serving.buffer_comparison import BufferComparison

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"


def objects(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of a schema with its fields."""
    for part in (value, *value["$defs"].values()):
        yield part.get("title", ""), part.get("properties", {})


def test_the_published_schemas_are_fresh() -> None:
    """If not: python -m gyakusan.documents.schema docs/schemas"""
    assert {p.stem: p.read_text("utf-8") for p in FOLDER.iterdir()} == {name: written(name) for name in DOCUMENTS}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_field_has_its_word(name: str) -> None:
    found = schema(name)
    Draft202012Validator.check_schema(found)
    assert found["properties"]["schema"]["enum"] == [found["$id"]]
    assert {"schema", "catalogue"} <= set(found["required"])
    # Figures of recorded truth are the catalogue's own values.
    elsewhere = {"Section", "Group", "Case", "Figures"}
    silent = [
        f"{o}.{f}"
        for o, fields in objects(found)
        if o not in elsewhere
        for f, v in fields.items()
        if not v.get("description")
    ]
    assert silent == []


def test_a_schema_refuses() -> None:
    asked = api.deployment("smollm2", load=Load(1, 2048), device="RTX 4090")
    good = valid(plain(ledger.inspect(asked.ledger, assess(asked, asked.ledger)), "ja"))
    for break_it in (
        lambda d: d["model"].pop("size"),
        lambda d: d["devices"][0]["lines"][0].update(part="brain"),
        lambda d: d["devices"][0].update(total="much"),
        lambda d: d.pop("fits"),
        lambda d: d.update(colour=1),
    ):
        bad = copy.deepcopy(good)
        break_it(bad)
        with pytest.raises(AssertionError):
            valid(bad)


@dataclass(frozen=True)
class ReportedBuffers:
    """What a server logged, and no more."""

    buffers: tuple[ReportedBuffer, ...]
    build: int | None
    version: str | None = None


def test_a_running_server() -> None:
    rows = [BufferComparison("weights", "host", 1.0, None, None, None)]
    for build, resident in ((11549, 2**30), (None, None)):
        report = ReportedBuffers((), build)
        valid(plain(served("http://127.0.0.1:8080/v1", rows, report, "b11434", 1e9, resident), "en"))


def test_an_error_is_a_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "gpt-oss-20b", "--device", "RTX 5099", "--json"]) == 2
    out, err = capsys.readouterr()
    found = valid(json.loads(out))
    assert (found["schema"], found["kind"], found["exit_code"]) == ("gyakusan/error/1", "UnknownName", 2)
    assert err == f"gyakusan: {found['error']} {found['mend']}\n"


def test_schemas_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "inspect"]) == 0
    assert capsys.readouterr().out == (FOLDER / "inspect.json").read_text("utf-8")
    assert main(["schema"]) == 0
    assert capsys.readouterr().out.split() == list(DOCUMENTS)
    with pytest.raises(UnknownName):
        schema("inspct")
