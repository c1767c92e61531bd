"""tools/packages.py: what a release consists of, each part used as people would, in an empty directory.

The wheel is built out of the sdist; that pip installs the source is seen in test_container.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from gyakusan._version import __version__
from tools import packages

PROJECT = tomllib.loads((packages.ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NO_INDEX = re.compile(
    r"dns error|error sending request|failed to fetch|could not connect|connection refused", re.IGNORECASE
)
QUESTIONS = (
    (["--version"], __version__),
    (["inspect", "gpt-oss-20b", "--device", "RTX 4090"], "gpt-oss-20b fits on an RTX 4090"),
    (["plan", "--device", "RTX 4090", "--users", "2"], "RTX 4090"),
    (["--complete", "inspect", "gpt-oss-20b", "--device", "RTX 50"], "RTX 5090"),
)
"""What is asked of every form of the program -> what its answer has."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("uv", "pex", "cyclonedx-py"):
        if not packages.tool(name).exists():
            pytest.skip(f"no {name} here: pip install '.[dev]'")
    try:
        return packages.distributions(tmp_path_factory.mktemp("release"))[0]
    except SystemExit as error:
        if NO_INDEX.search(str(error)):
            pytest.skip("no package index can be reached")
        raise


def clean(home: Path, **more: str) -> dict[str, str]:
    """An environment that knows nothing of this checkout, but where packages come from."""
    kept = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "UV_", "SSL_", "HTTP", "NO_PROXY"))}
    return {**kept, "HOME": str(home), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **more}


def done(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    found = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=packages.PATIENCE, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def answers(program: list[str], folder: Path) -> None:
    """Ask all questions in an empty directory with an empty home."""
    empty, home = folder / "empty", folder / "home"
    empty.mkdir()
    home.mkdir()
    for question, known in QUESTIONS:
        assert known in done([*program, *question], empty, clean(home))
    assert not list(empty.iterdir())


def test_the_wheel_has_what_the_program_reads(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "gyakusan/catalog/data/catalogue.sqlite" in names
    assert "gyakusan/locale/ja.json" in names
    shared = f"gyakusan-{__version__}.data/data/share/man"
    assert {f"{shared}/man1/gyakusan.1", f"{shared}/ja/man1/gyakusan.1"} <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "tools/"))]
    (source,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Makefile", "pyproject.toml", "src/gyakusan/cli/app.py", "tests/conftest.py"} <= held


def test_uv_installs_it_as_a_tool(wheel: Path, tmp_path: Path) -> None:
    place = clean(tmp_path, UV_TOOL_DIR=str(tmp_path / "tools"), UV_TOOL_BIN_DIR=str(tmp_path / "bin"))
    command = [str(packages.tool("uv")), "tool", "install", "--quiet", "--python", sys.executable, str(wheel)]
    done(
        command, tmp_path, {**place, "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", os.path.expanduser("~/.cache/uv"))}
    )
    answers([str(tmp_path / "bin" / "gyakusan")], tmp_path)


def test_the_one_file_runs_by_itself(wheel: Path, tmp_path: Path) -> None:
    file = packages.one_file(wheel, [sys.executable])
    alone = tmp_path / packages.ONE_FILE
    alone.write_bytes(file.read_bytes())
    answers([sys.executable, str(alone)], tmp_path)


def test_the_list_of_parts_names_every_dependency(wheel: Path) -> None:
    listed = json.loads(packages.parts(wheel).read_text("utf-8"))
    assert listed["bomFormat"] == "CycloneDX"
    assert listed["metadata"]["component"]["version"] == __version__
    names = {part["name"].casefold().replace("_", "-") for part in listed["components"]}
    wanted = {re.split(r"[<>=\[; ]", line)[0].casefold() for line in PROJECT["dependencies"]}
    assert wanted <= names
    assert all(part.get("version") for part in listed["components"])


def test_sums_are_read_by_sha256sum(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"wheel")
    (tmp_path / "b.pyz").write_bytes(b"file")
    sums = packages.checksums(tmp_path)
    assert packages.checksums(tmp_path).read_text() == sums.read_text()
    assert sums.read_text().splitlines()[0] == f"{hashlib.sha256(b'wheel').hexdigest()}  a.whl"
    check = ["sha256sum", "--check", "--quiet", sums.name]
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / "a.whl").write_bytes(b"whee1")
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode == 1


def test_a_step_that_fails_says_what_it_printed() -> None:
    with pytest.raises(SystemExit, match="no such thing"):
        packages.run(sys.executable, "-c", "raise SystemExit('no such thing')")


def test_a_step_that_takes_too_long_says_what_it_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "PATIENCE", 2)
    with pytest.raises(SystemExit, match=r"half(?s:.)*longer than 2 s"):
        packages.run(sys.executable, "-c", "import time; print('half', flush=True); time.sleep(60)")


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    packages.check_empty(tmp_path)
    packages.check_empty(tmp_path / "new")
    old = tmp_path / "gyakusan-0.0.1-py3-none-any.whl"
    old.write_bytes(b"old")
    with pytest.raises(SystemExit, match="empty"):
        packages.main([str(tmp_path)])
    with pytest.raises(SystemExit, match="empty"):
        packages.check_empty(old)
    assert list(tmp_path.iterdir()) == [old]


def test_notes_are_those_of_the_version() -> None:
    log = f"# Changelog\n\n## {__version__} (2026-12-01)\n\n- Fast.\n\n## 0.0.1\n\n- Old.\n"
    assert packages.notes(f"v{__version__}", log) == "- Fast.\n"
    with pytest.raises(SystemExit, match="The tag is v9"):
        packages.notes("v9", log)
    with pytest.raises(SystemExit, match="unreleased"):
        packages.notes(f"v{__version__}", log.replace("(2026-12-01)", "(unreleased)"))
    with pytest.raises(SystemExit, match="says nothing"):
        packages.notes(f"v{__version__}", "# Changelog\n\n## 0.0.1\n")


WORKFLOW = packages.ROOT / ".github" / "workflows" / "release.yml"
FORM = {
    "runs-on: ubuntu-24.04": "runs_on: ubuntu-24.04",
    "timeout-minutes: 60": "timeout-minutes: an hour",
    "id-token: write": "id-token: maybe",
}
SAFETY = {
    "    permissions:\n      contents: read": "    permissions: write-all",
    "08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0": "main",
    '"$GITHUB_REF_NAME" \\': '"${{ github.event.head_commit.message }}" \\',
}


JUDGES = {
    "check-jsonschema": ("--builtin-schema", "vendor.github-workflows"),
    "zizmor": ("--offline", "--quiet", "--no-config"),
}


def refused(judge: str, text: str, folder: Path) -> bool:
    """What check-jsonschema says of the form of a workflow, or zizmor of its safety."""
    program = packages.tool(judge)
    if not program.exists():
        pytest.skip(f"no {judge} here: pip install '.[dev]'")
    file = folder / "release.yml"
    file.write_text(text, "utf-8")
    return bool(
        subprocess.run([program, *JUDGES[judge], file], capture_output=True, timeout=60, check=False).returncode
    )


@pytest.mark.parametrize("judge", JUDGES)
def test_the_workflow_is_well_formed_and_safe(judge: str, tmp_path: Path) -> None:
    assert not refused(judge, WORKFLOW.read_text("utf-8"), tmp_path)


@pytest.mark.parametrize("right", [*FORM, *SAFETY])
def test_a_fault_in_the_workflow_is_found(right: str, tmp_path: Path) -> None:
    text = WORKFLOW.read_text("utf-8")
    assert right in text
    judge = "check-jsonschema" if right in FORM else "zizmor"
    assert refused(judge, text.replace(right, {**FORM, **SAFETY}[right], 1), tmp_path)


def test_the_workflow_calls_what_is_here() -> None:
    text = WORKFLOW.read_text("utf-8")
    assert "secrets." not in text
    for file in re.findall(r"\.ci/run|tools/\w+\.py", text):
        assert (packages.ROOT / file).is_file()
