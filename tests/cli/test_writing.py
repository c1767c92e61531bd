"""What goes to stderr: lines of a terminal's width, whose words and commands are whole; one line for everything else."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len

from gyakusan.cli import main


class Screen(io.StringIO):
    """A terminal that keeps what is written."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


ARGUMENTS = ["plan", "--budget", "10JPY", "--device", "RTX 4090", "--lang", "ja"]


def test_a_terminal_gets_lines_of_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setenv("COLUMNS", "44")
    monkeypatch.setattr("sys.stderr", screen)
    assert main(ARGUMENTS) == 2
    lines = screen.getvalue().splitlines()
    assert len(lines) > 1
    assert max(map(cell_len, lines)) <= 44
    assert any("gyakusan upgrade" in line for line in lines)
    assert not any(line[:1] in "、。)」ー" for line in lines)


def test_a_pipe_gets_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "44")
    assert main(ARGUMENTS) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
