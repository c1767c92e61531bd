"""JSON Schemas of the TOML files: fresh, named by each file, and as strict as the check."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.catalog.some import DEVICE

from gyakusan.catalog import schema
from gyakusan.catalog.compile import toml_files
from gyakusan.catalog.places import DATA
from gyakusan.core.machine import Price
from gyakusan.core.records import field_names

FILES = toml_files(DATA)


def accepts(document: dict[str, Any], file: Path) -> bool:
    """Whether the JSON Schema of a file accepts a document."""
    from jsonschema import Draft202012Validator

    return bool(Draft202012Validator(msgspec.json.decode(file.read_bytes())).is_valid(document))


def named_schema(toml: Path) -> Path:
    """The schema that the first line of a TOML file names, as an editor finds it."""
    first = toml.read_text("utf-8").split("\n")[0]
    return (toml.parent / first.removeprefix("#:schema ")).resolve()


def test_the_schemas_are_fresh() -> None:
    """If not: python -m gyakusan.catalog.schema"""
    assert {path: path.read_text("utf-8") for path in schema.FOLDER.iterdir()} == dict(schema.documents())


@pytest.mark.parametrize("toml", FILES, ids=lambda f: f.stem)
def test_every_file_keeps_the_schema_that_it_names(toml: Path) -> None:
    assert named_schema(toml).parent == schema.FOLDER
    document = tomllib.loads(toml.read_text("utf-8"))
    assert accepts(document, named_schema(toml))
    assert accepts(document, schema.FOLDER / "own.json")
    kind = next(iter(document))
    assert not accepts(document | {kind: [{**document[kind][0], "colour": 1}]}, named_schema(toml))


BREAKS = {
    "an unknown field": lambda text: text + "colour = 1\n",
    "a missing field": lambda text: text.replace('vendor = "Some"\n', ""),
    "a wrong type": lambda text: text.replace("bandwidth_gb_s = 100", 'bandwidth_gb_s = "100"'),
    "an unknown value": lambda text: text.replace('"gpu"', '"toy"'),
    "a wrong price": lambda text: text + 'prices = [{ amount = 1, currency = "JPY", date = "2026" }]\n',
    "a price with an unknown field": lambda text: (
        text + 'prices = [{ amount = 1, currency = "JPY", date = "2026", source = "shop", tax = 10 }]\n'
    ),
    "nothing": lambda text: text,
}


@pytest.mark.parametrize("case", BREAKS)
def test_editors_and_the_check_agree(case: str) -> None:
    document = tomllib.loads(BREAKS[case](DEVICE))
    try:
        msgspec.convert(document["device"][0], schema.strict(schema.RECORDS["device"]))
        checked = True
    except msgspec.ValidationError:
        checked = False
    assert accepts(document, schema.FOLDER / "devices.json") is checked is (case == "nothing")


@pytest.mark.parametrize("record", [*schema.RECORDS.values(), Price], ids=lambda r: r.__name__)
def test_every_field_is_described(record: type) -> None:
    described = schema.descriptions(record)
    assert list(field_names(record)) == list(described)
