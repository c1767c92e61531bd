"""What make says while it sets the environment up: each step, in the language of the shell."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("language", "said"),
    [("ja_JP.UTF-8", "2/3: 小さな"), ("C.UTF-8", "2/3: the small (98 MB) ..."), ("", "2/3: the small (98 MB) ...")],
)
def test_a_step_is_said_in_the_language_of_the_shell(language: str, said: str, tmp_path: Path) -> None:
    rules = tmp_path / "Makefile"
    rules.write_text(f"include {ROOT}/Makefile\nstep:\n\t@$(call say,2/3: the small (98 MB) ...,2/3: 小さな)\n")
    environment = {"PATH": os.environ["PATH"], "LANG": language}
    made = subprocess.run(
        ["make", "-s", "-f", str(rules), "step"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        encoding="utf-8",
    )
    assert made.stdout.strip() == said


def test_each_slow_step_is_announced() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [f"{n}/3: " in text for n in (1, 2, 3)] == [True] * 3
