"""What `gyakusan inspect` offers next."""

from __future__ import annotations

from pathlib import Path

from tests.fakes import tiny

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.planning.predict.assessment import assess
from gyakusan.show.inspect import Inspected, screen
from gyakusan.show.tree import Next


def offered(model: str, quantization: str | None = None) -> tuple[str, ...]:
    asked = api.deployment(model, load=Load(2, 512), device="RTX 4090", memory=None, quantization=quantization)
    found = Inspected(asked, asked.ledger, asked.refusals, assess(asked, asked.ledger), None, here=True)
    (after,) = (part for part in screen(found) if isinstance(part, Next))
    return tuple(map(str, after.choices))


def test_a_file_is_served_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "my models" / "tiny.gguf"
    path.parent.mkdir()
    path.write_bytes(tiny.gguf())
    serve, why = offered(str(path))
    assert serve == f"gyakusan serve '{path}' --context 512 --users 2"
    assert why == "add --why"


def test_a_name_with_control_characters_can_be_pasted(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m.gguf"
    path.write_bytes(tiny.gguf())
    assert offered(str(path))[0] == rf"gyakusan serve $'{tmp_path}/a\x1b[31m.gguf' --context 512 --users 2"


def test_what_serve_would_refuse_is_not_offered(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(tiny.gguf())
    assert offered("qwen3-8b") == ("add --why",), "the files are not on this computer"
    assert offered(str(path), "Q8_0") == ("add --why",), "the file has another quantisation"
