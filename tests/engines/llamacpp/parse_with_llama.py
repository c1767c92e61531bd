"""llama.cpp's own argument parser as the judge of ours. A program: it ends the process when it refuses a flag.

Reads [{"arguments": [...], "fields": {...}}, ...] and prints, for each, the fields of common_params that differ:
{name: [as llama-server parses the arguments, as the embedded server is filled]}. The parser is a C++ symbol of the
xllamacpp wheel; its argument is the struct behind the Python object CommonParams. Exit status 77 if either is not
where it is in the wheel that this was written for.
"""

import ctypes
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import xllamacpp

NAME = "_Z19common_params_parseiPPcR13common_params13llama_examplePFviS0_E"
SERVER = 12
"""LLAMA_EXAMPLE_SERVER, common/common.h."""
HEADER = 16
"""Bytes of a Python object before what it holds."""
ELSEWHERE = 77


def load(path: Path) -> Any:
    """A module from a file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_layout() -> None:
    params = xllamacpp.CommonParams()
    params.n_ctx, params.n_batch = 771, 1234
    held = (ctypes.c_int32 * 4).from_address(id(params) + HEADER)
    if list(held) != [-1, 771, 1234, 512]:
        sys.exit(ELSEWHERE)


def parsed(words: list[str]) -> Any:
    """CommonParams as llama-server would run with after these arguments."""
    library = ctypes.CDLL(str(Path(xllamacpp.__file__).with_name("xllamacpp.abi3.so")))
    parse = getattr(library, NAME, None) or getattr(library, NAME.replace("PFviS0_E", "PFviPS0_E"), None)
    if parse is None:
        sys.exit(ELSEWHERE)
    parse.restype = ctypes.c_bool
    parse.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
    argv = (ctypes.c_char_p * (len(words) + 2))(b"llama-server", *[word.encode() for word in words], None)
    params = xllamacpp.CommonParams()
    if not parse(len(words) + 1, ctypes.addressof(argv), id(params) + HEADER, SERVER, None):
        sys.exit(1)
    return params


def dump(params: Any, prefix: str = "") -> dict[str, str]:
    """Every field, nested ones too, as text."""
    found: dict[str, str] = {}
    for name in dir(params):
        value = getattr(params, name)
        if name.startswith("_") or callable(value):
            continue
        nested = type(value).__module__.startswith("xllamacpp") and not isinstance(value, int)
        found |= dump(value, f"{prefix}{name}.") if nested else {prefix + name: repr(value)}
    return found


def main() -> None:
    check_layout()
    embedded = load(Path(sys.argv[1]))
    answers = []
    for case in json.load(sys.stdin):
        params = xllamacpp.CommonParams()
        embedded.fill(xllamacpp, params, case["fields"])
        ours, theirs = dump(params), dump(parsed(case["arguments"]))
        answers.append({name: [theirs[name], ours[name]] for name in theirs if theirs[name] != ours[name]})
        assert len(theirs) > 200
    print("ANSWER " + json.dumps(answers))


if __name__ == "__main__":
    main()
