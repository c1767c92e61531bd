"""Record what llama.cpp's quantiser chooses, in tests/truth/recipes.json.gz: `python -m tests.oracle.record_recipes`.

{"engine", "types": [name], "models": {model: {quantisation: "one letter for each tensor"}}}; the letter is the index in
"types" from "A" on; "Q4_0+matrix" only where the matrix changes it; "" where the quantiser refuses.
"""

from __future__ import annotations

import gzip
import importlib.metadata
import json
import tempfile
from pathlib import Path

from tests.oracle import quantize
from tests.oracle.subjects import NUMBERS, TRUTH, Subject, questions, subjects

from gyakusan.core.dtypes import BY_CODE

TYPES = tuple(d.name for d in BY_CODE.values())


def rows(who: Subject, path: Path) -> dict[str, str]:
    """Quantisation -> letters."""
    quantize.write(path, who.pairs, who.tensors)
    out: dict[str, str] = {}
    for name, matrix in questions():
        try:
            found = quantize.chosen(path, NUMBERS[name], matrix=matrix)
        except AssertionError:
            found = {}
        letters = "".join(chr(65 + TYPES.index(found[t.name])) for t in who.tensors if found)
        if not matrix or letters != out[name]:
            out[f"{name}+matrix" if matrix else name] = letters
    return out


def main() -> None:
    """Ask and write. Nothing is written where there is no quantiser to ask."""
    if quantize.library() is None:
        raise SystemExit("no llama.cpp library with a quantiser can be loaded here")
    with tempfile.TemporaryDirectory() as folder:
        models = {who.name: rows(who, Path(folder) / "hole.gguf") for who in subjects()}
    try:
        version = importlib.metadata.version("llama-cpp-py-sync")
    except importlib.metadata.PackageNotFoundError:
        version = "unknown"
    data = {"engine": f"llama-cpp-py-sync {version}", "types": TYPES, "models": models}
    with gzip.GzipFile(TRUTH / "recipes.json.gz", "wb", mtime=0) as file:
        file.write(json.dumps(data).encode())


if __name__ == "__main__":
    main()
