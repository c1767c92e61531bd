"""Screens and documents as the command line prints them, made the same on every computer.

A screen is driven through `gyakusan.cli.main` only, so that it holds whatever moves behind that door. "This
computer" is a recorded one, the folder and the home are empty, colours are off, figures of JSON are rounded to ten
digits, its long lists cut. `pytest tests/screens --snapshot-update` takes them anew.
"""

from __future__ import annotations

import hashlib
import json
import math
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App
from rich.console import Console
from tests.documents.valid import valid
from tests.fakes import tiny
from tests.machines.boxes import box

from gyakusan.cli import main
from gyakusan.planning.candidates import prices

WIDTHS = (80, 100, 120)
LONG, SHOWN = 16, 6
Screen = Callable[..., str]
Computer = Callable[[str], None]


@pytest.fixture
def computer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Computer:
    """Make a recorded computer (tests/machines/boxes) this computer."""

    def recorded(name: str) -> None:
        system = box(name, tmp_path / "computer")
        monkeypatch.setattr("gyakusan.machines.detect.System", lambda: system)

    return recorded


@pytest.fixture(autouse=True)
def somewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, computer: Computer) -> Path:
    """An empty folder and home on a recorded computer, offline; tiny.gguf is there."""
    computer("rtx4090")
    monkeypatch.setattr("gyakusan.cli.saved.today", prices.today)  # the day of tests/conftest.py
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "HF_HOME", "OLLAMA_MODELS"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    for name in ("HF_TOKEN", "HF_ENDPOINT", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "tiny.gguf").write_bytes(tiny.gguf())
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], somewhere: Path) -> Screen:
    """What `gyakusan` followed by these words prints, with its exit code on top."""

    # A command is a process of its own: the console for its help is not the one of an earlier command.
    monkeypatch.setattr(App, "console", property(lambda self: Console()))

    def call(words: str, width: int = 80, language: str = "en") -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("GYAKUSAN_LANG", language)
        code = main(shlex.split(words))
        out, err = capfd.readouterr()
        text = f"exit {code}\n" + "\n".join(line.rstrip() for line in (out + err).splitlines())
        return text.replace(str(somewhere), "<here>").replace(str(somewhere.parent), "<home>")

    return call


@pytest.fixture
def screen(printed: Screen) -> Screen:
    """The screen of a command at every width; a wider one that looks the same is not repeated."""

    def draw(words: str, language: str) -> str:
        narrow, *wide = (printed(words, width, language) for width in WIDTHS)
        parts = [f"$ gyakusan {words}", narrow]
        for width, text in zip(WIDTHS[1:], wide, strict=True):
            parts.append(f"# {width} columns" + (": the same" if text == narrow else "\n" + text))
        return "\n".join(parts)

    return draw


@pytest.fixture
def document(printed: Screen) -> Screen:
    """The JSON of a command."""

    def read(words: str, language: str = "en") -> str:
        code, text = printed(f"{words} --json", language=language).split("\n", 1)
        valid(json.loads(text))
        return f"$ gyakusan {words} --json\n{code}\n" + json.dumps(
            rounded(json.loads(text)), ensure_ascii=False, indent=1
        )

    return read


def rounded(value: Any) -> Any:
    """The same document with ten digits of each figure, as the last ones differ between processors.

    Of a long list the first six are kept; the others are counted and summed up by a digest.
    """
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.10g}")
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if not isinstance(value, list):
        return value
    items = [rounded(v) for v in value]
    if len(items) <= LONG:
        return items
    rest = json.dumps(items[SHOWN:], sort_keys=True).encode()
    return [*items[:SHOWN], f"and {len(items) - SHOWN} more, sha256 {hashlib.sha256(rest).hexdigest()[:16]}"]
