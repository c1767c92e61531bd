"""Commands as the command line itself lists them, and one run of a command with a terminal of any kind."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from cyclopts import App

from gyakusan.cli import app, main

CHEAP: Mapping[str, tuple[str, ...]] = {
    "accuracy memory": (),
    "accuracy speed": (),
    "bench list": (),
    "catalog add": ("own.toml",),
    "catalog check": ("own.toml",),
    "catalog list": ("devices", "--search", "50"),
    "catalog show": ("RTX 5090",),
    "catalog sources": (),
    "compare": ("RTX 5090", "RTX 4090", "--model", "gpt-oss-20b"),
    "connect": ("http://127.0.0.1:9/v1",),
    "detect": (),
    "fleet": ("--device", "RTX 4090", "--model", "gpt-oss-20b", "--users", "20"),
    "get": ("--list",),
    "inspect": ("gpt-oss-20b", "--device", "RTX 4090"),
    "plan": ("--device", "RTX 4090", "--model", "gpt-oss-20b"),
    "ps": (),
    "schema": ("plan",),
    "serve": ("tiny.gguf", "--dry-run"),
    "upgrade": ("--device", "RTX 4090", "--model", "gpt-oss-20b"),
}
"""Words behind a command that make it answer soon, without the network. A command that is not here is tried with --help,
and with an option that it has not.
"""


def commands(language: str = "en") -> list[str]:
    """Every command, also those of a group, as the parser knows them."""

    def inside(group: object, before: str) -> Iterator[str]:
        names = [n for n in group if not n.startswith("-")]  # type: ignore[attr-defined]
        for name in names:
            whole = f"{before} {name}".strip()
            inner = list(inside(group[name], whole))  # type: ignore[index]
            yield whole
            yield from inner

    return ["", *inside(app.build(language), "")]  # type: ignore[arg-type]


@dataclass(frozen=True)
class Answer:
    """What a run said. code: its exit code; out, err: bytes on stdout and stderr"""

    code: int
    out: bytes
    err: bytes


def run(words: tuple[str, ...], encoding: str, out: io.TextIOBase | None = None) -> Answer:
    """Run the command here, with streams of an encoding. out: instead of its stdout"""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2)]
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out or streams[0], streams[1]  # type: ignore[assignment]
    try:
        code = main(list(words))
    except SystemExit as error:
        code = int(error.code or 0)
    finally:
        sys.stdout, sys.stderr = before
        _let_speak()
    for stream in streams:
        stream.flush()
    written = [stream.buffer.getvalue() for stream in streams]  # type: ignore[attr-defined]
    return Answer(code, *written)


def _let_speak() -> None:
    """Drop the consoles of the commands: one whose reader went never writes again, and each keeps its width."""
    for module in [m for name, m in sys.modules.items() if name.startswith("gyakusan.cli.")]:
        if isinstance(command := getattr(module, "app", None), App):
            command._fallback_console = None


def home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the commands a home of their own, with what CHEAP names."""
    from tests.fakes import tiny

    for name in [n for n in os.environ if n.startswith(("XDG_", "GYAKUSAN_", "HF_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("HF_HOME", str(folder / "hf"))
    monkeypatch.setenv("OLLAMA_MODELS", str(folder / "ollama"))
    monkeypatch.chdir(folder)
    (folder / "tiny.gguf").write_bytes(tiny.gguf())
    (folder / "own.toml").write_text("")
