"""Recorded computers: each file of boxes/ says where it comes from, and is laid out as a System under a folder."""

from __future__ import annotations

import tomllib
from pathlib import Path

from gyakusan.machines.detect.system import System

HERE = Path(__file__).parent / "boxes"
NAMES = sorted(p.stem for p in HERE.glob("*.toml"))


def box(name: str, folder: Path) -> System:
    """The System of a recorded computer, its files written under `folder`."""
    said = tomllib.loads((HERE / f"{name}.toml").read_text("utf-8"))
    return laid_out(folder, said.get("files", {}), said.get("answers", {}), said["platform"], said["cpus"])


def laid_out(
    folder: Path, files: dict[str, str], answers: dict[str, str], platform: str = "linux", cpus: int = 4
) -> System:
    """A System of the given files and answers."""
    for path, text in files.items():
        place = folder / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text.lstrip("\n"), "utf-8")
    return System(root=folder, platform=platform, cpus=cpus, answers=answers)
