"""Nothing in src opens a file to read it, or parses what is not ours, but the doors."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "gyakusan"
ALLOWED = {
    ("catalog/places.py", "os.open"): "writes",
    ("catalog/places.py", "os.fdopen"): "writes",
    ("catalog/compile.py", "sqlite3.connect"): "the compiled catalogue, which SQLite opens",
    ("catalog/release_stamp.py", "sqlite3.connect"): "a compiled catalogue, which SQLite opens",
    ("load_testing/store.py", "sqlite3.connect"): "our own store of benches, which SQLite opens",
    ("learning/store.py", "sqlite3.connect"): "our own store of measurements, which SQLite opens",
    ("cli/__init__.py", "open"): "opens the null device to write",
    ("cli/writing.py", "os.open"): "opens the null device to write",
    ("models/formats/gguf_writer.py", "open"): "writes",
    ("serving/access.py", "os.fdopen"): "writes",
    ("posix.py", "os.open"): "writes logs and lock files",
    ("serving/running_servers.py", "os.open"): "reserves a name",
    ("serving/running_servers.py", "os.fdopen"): "writes an entry",
    ("engines/ollama/api_server.py", "json.load"): "standard input, written by launch.py",
    ("fetching/places.py", "os.open"): "locks a file",
    ("fetching/transfer.py", "os.open"): "writes a download",
    ("fetching/transfer.py", "os.fdopen"): "writes a download",
    ("serving/process.py", "os.fdopen"): "writes the log",
    ("engines/llamacpp/dry_run/worker.py", "json.load"): "standard input, written by run.py",
    ("engines/llamacpp/dry_run/worker.py", "os.fdopen"): "writes the answer",
    ("engines/mlx/keyed_server.py", "json.load"): "standard input, written by launch.py",
    ("engines/llamacpp/embedded_server.py", "json.load"): "standard input, written by launch.py",
}
"""(module, call) -> why it is no reading of a file from outside."""
FORBIDDEN = {
    "open", "io.open", "os.open", "os.fdopen", "codecs.open", "gzip.open", "bz2.open", "lzma.open", "zipfile.ZipFile",
    "tarfile.open", "mmap.mmap", "json.load", "tomllib.load", "tomllib.loads", "pickle.load", "sqlite3.connect",
    "FileIO", "io.FileIO", "np.load", "np.fromfile", "numpy.load", "numpy.fromfile", "shelve.open", "dbm.open",
    "fileinput.input", "linecache.getlines", "configparser.ConfigParser",
}  # fmt: skip
OURS = {"files", "http", "listing", "manifest", "self", "disk"}
"""Names whose `open` is a door or a source."""


def calls(source: str) -> Iterator[str]:
    """Dotted names of what reads files, as they are called; a method of a path as `.read_text`."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        if name in FORBIDDEN:
            yield name
        elif isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            if node.func.attr in ("read_text", "read_bytes") or (
                node.func.attr == "open" and owner not in OURS and f"{owner}.open" not in FORBIDDEN
            ):
                yield f".{node.func.attr}"


def readers() -> set[tuple[str, str]]:
    found = set()
    for path in SRC.rglob("*.py"):
        place = path.relative_to(SRC).as_posix()
        if not place.startswith("doors/"):
            found |= {(place, call) for call in calls(path.read_text("utf-8"))}
    return found


def test_only_the_doors_read_files() -> None:
    assert readers() - ALLOWED.keys() == set()


def test_no_exception_is_left_over() -> None:
    assert ALLOWED.keys() - readers() == set()


@pytest.mark.parametrize(
    "source",
    ["open(x)", "Path(x).read_text()", "path.read_bytes()", "Path(x).open('rb')", "json.load(f)", "os.open(x, 0)"],
)
def test_a_reader_is_seen(source: str) -> None:
    assert list(calls(source))
