"""Fuzz the two binary readers with coverage (atheris: pip install atheris), and keep what reaches new code.

    python benchmarks/fuzz_readers.py gguf FOLDER -max_total_time=300
    python benchmarks/fuzz_readers.py safetensors FOLDER -max_total_time=300
    python benchmarks/fuzz_readers.py gguf FOLDER --keep tests/attack/corpus/gguf     those that reach all steps between lines

FOLDER holds the corpus; further arguments are libFuzzer's. An exception that is not GyakusanError ends the run. The corpus
that was found is in tests/attack/corpus, and tests/attack reads it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.models.building import Memory, header, small, tensor

from benchmarks.attack_cases.case import Sparse
from gyakusan.errors import GyakusanError

LONGEST = 4096
"""Longest input. [B]"""


def read(kind: str, data: bytes) -> None:
    """Read bytes as a file, and build the model of a GGUF file. Raises GyakusanError, and nothing else."""
    from gyakusan.models import assemble
    from gyakusan.models.formats import safetensors

    if kind == "safetensors":
        safetensors.read(Memory(data, "m.safetensors"))
    else:
        assemble.from_gguf("m.gguf", remote=False, opener=lambda _: Memory(data, "m.gguf"))


def seeds(kind: str) -> Iterator[bytes]:
    """Yield what a corpus begins with: small files of every recorded architecture."""
    from benchmarks.attack_cases import folders, gguf_files

    random = Random(1)
    if kind == "safetensors":
        for _ in range(40):
            content = folders.tensors(random)
            if isinstance(content, Sparse):
                yield content.head
        return
    yield small()
    for row in gguf_files.recorded().values():
        keys = {k: v for k, v in row["kv"].items() if len(str(v)) < 200}
        some = [t for t in row["tensors"] if t[0].startswith("blk.0.")][:12]
        yield header(
            [gguf_files.plain_pair(k, v) for k, v in keys.items()], [tensor(n, tuple(x), 0, 0) for n, x in some]
        )


def steps(kind: str, data: bytes) -> set[tuple[str, int, int]]:
    """Return every step from line to line that reading takes in our code: file, line, next line."""
    found: set[tuple[str, int, int]] = set()

    def local(frame: FrameType, event: str, _: object) -> Callable[..., Any]:
        found.add((frame.f_code.co_filename, last.get(frame, 0), frame.f_lineno))
        last[frame] = frame.f_lineno
        return local

    last: dict[FrameType, int] = {}
    sys.settrace(lambda frame, event, _: local if "gyakusan/models" in frame.f_code.co_filename else None)
    try:
        read(kind, data)
    except GyakusanError:
        pass
    finally:
        sys.settrace(None)
    return found


def keep(kind: str, folder: Path, target: Path) -> int:
    """Copy the smallest files that together take every step, and return their number."""
    known: set[tuple[str, int, int]] = set()
    target.mkdir(parents=True, exist_ok=True)
    count = 0
    for path in sorted(folder.iterdir(), key=lambda p: (p.stat().st_size, p.name)):
        new = steps(kind, path.read_bytes()) - known
        if new:
            known |= new
            count += 1
            (target / sha256(path.read_bytes()).hexdigest()[:16]).write_bytes(path.read_bytes())
    return count


def main(arguments: list[str]) -> None:
    kind = arguments[1]
    if arguments[3:4] == ["--keep"]:
        print(keep(kind, Path(arguments[2]), Path(arguments[4])))
        return
    import atheris

    folder = Path(arguments[2])
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        for data in seeds(kind):
            (folder / sha256(data).hexdigest()[:16]).write_bytes(data[:LONGEST])
    for name in [n for n in sys.modules if n.startswith("gyakusan.models")]:
        del sys.modules[name]
    with atheris.instrument_imports(include=["gyakusan.models"]):
        from gyakusan.models import assemble, families  # noqa: F401
        from gyakusan.models.formats import gguf, safetensors  # noqa: F401

    def one(data: bytes) -> None:
        try:
            read(kind, data)
        except GyakusanError:
            return

    atheris.Setup([arguments[0], *arguments[2:], f"-max_len={LONGEST}", "-rss_limit_mb=1500", "-timeout=10"], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
