"""`gyakusan serve --dry-run`: what it prints is as safe as what is started."""

from __future__ import annotations

import pytest

from gyakusan.cli import main


def test_a_dry_run_opens_no_server_to_the_network(capsys: pytest.CaptureFixture[str]) -> None:
    """`serve` puts a front that asks for a key before the server; the printed command has neither."""
    main(["serve", "smollm2", "--cpu", "--context", "1k", "--host", "0.0.0.0", "--dry-run"])
    shown = capsys.readouterr().out
    assert "--host 127.0.0.1" in " ".join(shown.replace("\\\n", " ").split())
    assert "http://127.0.0.1:" in shown
    assert "asks for an API key" in " ".join(shown.split())
