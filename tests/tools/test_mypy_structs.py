"""The plugin of mypy that finds functions of dataclasses called with a Struct."""

from __future__ import annotations

from pathlib import Path

from mypy import api

ROOT = Path(__file__).parents[2]
CODE = """\
from dataclasses import dataclass, replace
from msgspec import Struct, structs

class Made(Struct, frozen=True):
    size: int

class Other(Struct, frozen=True):
    size: int

@dataclass(frozen=True)
class Plain:
    size: int

def changed(one: Made, either: Made | Other) -> None:
    structs.replace(one, size=2)
    replace(Plain(1), size=2)
    replace(one, size=2)
    replace(either, size=2)
    structs.replace(Plain(1), size=2)
    structs.replace(one, length=2)
"""


def test_a_struct_is_no_dataclass(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(CODE)
    config = tmp_path / "mypy.ini"
    config.write_text(f"[mypy]\nplugins = {ROOT / 'tools' / 'mypy_structs.py'}\ncache_dir = {tmp_path}\n")
    told, _, _ = api.run(["--config-file", str(config), str(tmp_path / "code.py")])
    found = [line.split(": error: ") for line in told.splitlines() if ": error: " in line]
    assert [(place.rsplit(":", 1)[1], what) for place, what in found] == [
        *((line, "This is a msgspec Struct: use msgspec.structs.replace  [misc]") for line in ("17", "18")),
        ("19", "This is no msgspec Struct: use dataclasses.replace  [misc]"),
        ("20", 'Unexpected keyword argument "length" for "replace" of "Made"  [call-arg]'),
    ]
