"""What comes next on a terminal is a command that can be typed as it stands."""

from __future__ import annotations

import io

import pytest

from gyakusan.message import say
from gyakusan.show.terminal import Terminal
from gyakusan.show.tree import Next, whole
from gyakusan.show.typed_line import typed_out
from gyakusan.typed_words import remember


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    remember(())


def test_what_is_added_stands_behind_the_command_that_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    remember(["inspect", "gpt-oss-20b", "--device", "RTX 4090"])
    screen = Screen()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    Terminal("ja").show(Next((say("add {flag}", flag="--why"),)))
    assert screen.getvalue().replace("\u2060", "").endswith("gyakusan inspect gpt-oss-20b --device 'RTX 4090' --why\n")


def test_without_a_command_it_is_added_to_what_the_reader_has() -> None:
    added = say("add {options}", options="--details 1")
    assert typed_out((added, "gyakusan plan")) == (added, "gyakusan plan")
    remember(["plan"])
    assert typed_out((added, "gyakusan plan")) == (whole("gyakusan plan --details 1"), "gyakusan plan")
