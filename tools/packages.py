"""Make what a release of the program consists of, in one folder.

    python tools/packages.py FOLDER                                    wheel, sdist, gyakusan.pyz, sbom.cdx.json, SHA256SUMS
    python tools/packages.py FOLDER --python python3.11 --python python3.12     the .pyz runs under these
    python tools/packages.py FOLDER --tag v0.1.0                       and NOTES.md; refused unless that is the version

uv builds, pex makes the one file, cyclonedx-bom lists what is in it: all three come with `pip install '.[dev]'` (decision 34).
The catalogue has releases of its own: tools/release.py.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src")]
from gyakusan._version import __version__  # noqa: E402

ONE_FILE, PARTS, NOTES, SUMS = "gyakusan.pyz", "sbom.cdx.json", "NOTES.md", "SHA256SUMS"
PATIENCE = 600
"""Longest step: a package index may be slow. [s]"""
RESOLVER = "25.3"
"""The pip inside pex: its own older one asserts where an index page names a file twice (pex 2.105)."""


def run(*command: str | Path) -> None:
    """Run a program in the repository. Raises SystemExit with what it printed where it fails, and where it takes too long."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired as error:
        parts = (part or b"" for part in (error.stdout, error.stderr))  # bytes, whatever `text` says
        told = "".join(part if isinstance(part, str) else part.decode("utf-8", "replace") for part in parts)
        raise SystemExit(f"{' '.join(words)}\n{told}It took longer than {PATIENCE} s.") from None
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{done.stdout}{done.stderr}")


def tool(name: str) -> Path:
    """A program beside this Python."""
    return Path(sys.executable).with_name(name)


def check_empty(folder: Path) -> None:
    """Raise SystemExit for a folder that holds something: it would be summed up and published too."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SystemExit(f"{folder} is no empty folder: name a new one, or empty it first.")


def distributions(folder: Path) -> tuple[Path, Path]:
    """Build the sdist, and the wheel out of it, in an empty folder; their paths: wheel, sdist."""
    check_empty(folder)
    run(tool("uv"), "build", "--quiet", "--out-dir", folder, ROOT)
    (wheel,), (source,) = folder.glob("gyakusan-*.whl"), folder.glob("gyakusan-*.tar.gz")
    return wheel, source


def one_file(wheel: Path, pythons: Sequence[str]) -> Path:
    """Write the program with all it needs as one file beside the wheel; it runs under each of `pythons`, on this system."""
    file = wheel.with_name(ONE_FILE)
    under = [word for python in pythons for word in ("--python", python)]
    run(
        tool("pex"), wheel, "--console-script", "gyakusan", "--output-file", file, "--venv", "--sh-boot",
        "--pip-version", RESOLVER, *under,
    )  # fmt: skip
    return file


def parts(wheel: Path) -> Path:
    """Install the wheel in a fresh environment, and list beside the wheel what that brought (CycloneDX)."""
    file = wheel.with_name(PARTS)
    with tempfile.TemporaryDirectory(prefix="gyakusan-") as room:
        python = Path(room, "bin", "python")
        run(tool("uv"), "venv", "--quiet", "--python", sys.executable, "--clear", room)
        run(tool("uv"), "pip", "install", "--quiet", "--python", python, wheel)
        run(
            tool("cyclonedx-py"), "environment", python, "--pyproject", ROOT / "pyproject.toml", "--output-reproducible",
            "--validate", "--output-file", file,
        )  # fmt: skip
    listed = json.loads(file.read_text("utf-8"))
    listed["metadata"]["component"]["version"] = wheel.name.split("-")[1]  # pyproject.toml has it from a file
    file.write_text(json.dumps(listed, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return file


def notes(tag: str, changelog: str) -> str:
    """Return what the changelog says of the version of this tag. Raises SystemExit where it is not to be released yet."""
    if tag != f"v{__version__}":
        raise SystemExit(f"The tag is {tag}, the version {__version__}: write it into src/gyakusan/_version.py first.")
    for part in changelog.split("\n## ")[1:]:
        heading, _, text = part.partition("\n")
        if heading.split(" ")[0] == __version__:
            if "unreleased" in heading:
                raise SystemExit(f"CHANGELOG.md calls {__version__} unreleased: write the date there first.")
            return text.strip() + "\n"
    raise SystemExit(f"CHANGELOG.md says nothing of {__version__}.")


def checksums(folder: Path) -> Path:
    """Write the SHA-256 of every file in the folder, as `sha256sum --check` reads it."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name not in (SUMS, ".gitignore"))
    file = folder / SUMS
    file.write_text("".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files))
    return file


def main(arguments: list[str]) -> None:
    """Make all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", action="append", help="a Python for the one file; repeatable")
    parser.add_argument("--tag", help="the tag of the release, e.g. v0.1.0")
    asked = parser.parse_args(arguments)
    folder = asked.folder.absolute()
    told = notes(asked.tag, (ROOT / "CHANGELOG.md").read_text("utf-8")) if asked.tag else ""
    wheel, _source = distributions(folder)
    one_file(wheel, asked.python or [sys.executable])
    parts(wheel)
    if told:
        (folder / NOTES).write_text(told, "utf-8")
    print(checksums(folder).read_text(), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
