"""inspect --exact: a table, a document, and one line for each mistake."""

from __future__ import annotations

import json

import pytest
from tests.show.drawing import text_of

from gyakusan.cli import main
from gyakusan.documents import ledger
from gyakusan.documents.writer import plain
from gyakusan.engines.llamacpp.dry_run.run import Compared, Dry
from gyakusan.show import dry_run
from gyakusan.units import MIB

ROWS = (
    Compared("weights", 100 * MIB, 100 * MIB),
    Compared("kv_cache+recurrent_state", 11 * MIB, 10 * MIB),
    Compared("output", MIB, MIB + 100, rounding=5243),
)
DRY = Dry(100 * MIB, 10 * MIB, 0, MIB, 11549)


def text(gpu: str | None) -> str:
    return text_of(*dry_run.screen(ROWS, DRY, gpu), width=100)


def test_the_table() -> None:
    lines = [line.split() for line in text(None).splitlines() if line.strip()]
    assert lines[2] == ["weights", "100.00", "MiB", "100.00", "MiB", "0", "B"]
    assert lines[3][-3:] == ["+1.00", "MiB", "(+10.00%)"]
    assert lines[4][-2:] == ["0", "B"]
    assert "b11549" in text(None)


def test_a_gpu_is_not_what_was_asked() -> None:
    assert "not for RTX 4090" in " ".join(text("RTX 4090").split())
    assert "RTX" not in text(None)


def test_the_document() -> None:
    found = plain(ledger.dry_run(ROWS, DRY), "en")
    assert (found["engine"], found["build"], found["backend"]) == ("llama.cpp", "b11549", "cpu")
    assert found["lines"][1] == {
        "kind": "kv_cache+recurrent_state",
        "predicted": 11 * MIB,
        "reported": 10 * MIB,
        "error_bytes": MIB,
        "error_share": 0.1,
    }


def test_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("xllamacpp")
    assert main(["inspect", "gpt-oss-20b", "--device", "RTX 4090", "--users", "2", "--exact", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["exact"]
    kinds = ("weights", "kv_cache", "scratch", "output")
    assert {line["kind"]: line["error_bytes"] for line in found["lines"]} == dict.fromkeys(kinds, 0)
    assert main(["inspect", "gpt-oss-20b", "--device", "RTX 4090", "--exact"]) == 0
    assert "The dry run covers the CPU only" in " ".join(capsys.readouterr().out.split())


def test_another_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "gpt-oss-20b", "--device", "RTX 4090", "--engine", "ollama", "--exact"]) == 2
    assert "--engine llama.cpp" in capsys.readouterr().err
