"""One plan in detail: what a client runs once the server listens."""

from __future__ import annotations

import pytest

from gyakusan.cli import main


def test_ollamas_client_fetches_the_published_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--device", "RTX 4090", "--engine", "ollama", "--details", "1"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    at = next(i for i, line in enumerate(lines) if line.startswith("Then"))
    assert lines[at].split()[1:3] == ["ollama", "pull"]
    assert lines[at + 1] == f"ollama run {lines[at].split()[3]}"


def test_other_servers_fetch_it_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--device", "RTX 4090", "--details", "1"]) == 0
    assert "Then" not in capsys.readouterr().out
