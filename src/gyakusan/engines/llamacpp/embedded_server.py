"""The llama.cpp server inside the xllamacpp wheel, as a program. Runs as a script; needs nothing else of gyakusan.

It reads JSON from standard input: {"fields": {...}, "key": "..." or null}, where fields are those of llama.cpp's
common_params (`gyakusan.engines.llamacpp.launch.fields`), so that neither settings nor the key show up in a process
list. It logs to standard error and ends by SIGTERM.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import signal
import sys
from typing import Any


def build_of(version: str) -> str:
    """Return "11549" for "2026.10.11549": the last number is llama.cpp's build, which the wheel itself calls 0."""
    last = version.rsplit(".", 1)[-1]
    return last if last.isdecimal() else "0"


def value_of(library: Any, value: Any) -> Any:
    """Return a field's value; "enum.NAME" becomes that member."""
    if isinstance(value, str) and value.startswith(("ggml_", "llama_")) and value.count(".") == 1:
        kind, name = value.split(".")
        return getattr(library, kind)[name].value
    return value


def fill(library: Any, params: Any, fields: dict[str, Any]) -> None:
    """Set each field. Raises ValueError for one that this version does not have or refuses."""
    for name, value in fields.items():
        *outer, last = name.split(".")
        target = params
        try:
            for step in outer:
                target = getattr(target, step)
            current = getattr(target, last)
            given = value_of(library, value)
            given = set(given) if isinstance(current, set) else given
            setattr(target, last, given)
            if getattr(target, last) != given:
                raise TypeError(f"it keeps {getattr(target, last)!r} for {given!r}")
        except (AttributeError, KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"xllamacpp {library.__version__} refuses {name}: {error}") from None


def flush(library: Any) -> None:
    """Print the lines that llama.cpp's log thread still holds: the reason of a failure is among the last.

    Source: llama.cpp b11434, common/log.cpp, common_log_flush. Does nothing if this build hides it.
    """
    with contextlib.suppress(AttributeError, OSError):
        native = ctypes.CDLL(library.xllamacpp.__file__)
        common_log_main, common_log_flush = native["_Z15common_log_mainv"], native["_Z16common_log_flushP10common_log"]
        common_log_main.restype, common_log_flush.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
        common_log_flush(common_log_main())


def main() -> int:
    """Run until a signal ends it. Returns 1 if the server does not start."""
    order = json.load(sys.stdin)
    import xllamacpp

    print(f"embedded: build_info: b{build_of(xllamacpp.__version__)}-xllamacpp", file=sys.stderr, flush=True)
    params = xllamacpp.CommonParams()
    try:
        fill(xllamacpp, params, order["fields"])
        if order.get("key"):
            params.api_keys = [order["key"]]
        server = xllamacpp.Server(params)
    except (ValueError, RuntimeError) as error:
        flush(xllamacpp)
        print(f"embedded: {error}", file=sys.stderr, flush=True)
        return 1
    while server is not None:
        signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
