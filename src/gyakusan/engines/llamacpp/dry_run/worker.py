"""Ask llama.cpp's shared library for a dry run, in a process of its own: `python -m` this module.

It reads an Order from standard input and writes an Answer to standard output for each job (`protocol`). What the library
itself writes goes to standard error.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
from typing import IO

from gyakusan.engines.llamacpp.dry_run.abi import Library
from gyakusan.engines.llamacpp.dry_run.protocol import Answer, Job, Order
from gyakusan.errors import UnknownBuild

ADDRESS_SPACE = 16 * 2**30
"""Address space of this process: a damaged file must not take the computer's memory. [B]"""
_MAX_LINES = 400
"""Lines of the log in one answer."""
_NONE = 0
"""LLAMA_LOAD_MODE_NONE."""
_DEBUG, _CONTINUED = 1, 5
"""GGML_LOG_LEVEL_DEBUG: thousands of lines; GGML_LOG_LEVEL_CONT: goes on with the line before."""


class Log:
    """What the library logs, as lines."""

    def __init__(self, library: Library) -> None:
        self._texts: list[bytes] = []
        self._level = _DEBUG
        self._callback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(self._add)
        library.log_set(ctypes.cast(self._callback, ctypes.c_void_p), None)

    def _add(self, level: int, text: bytes | None, _: object) -> None:
        self._level = self._level if level == _CONTINUED else level
        if self._level != _DEBUG:
            self._texts.append(text or b"")

    def take(self) -> list[str]:
        """Return the last lines since the last call."""
        text = b"".join(self._texts).decode("utf-8", "replace")
        self._texts.clear()
        return text.splitlines()[-_MAX_LINES:]


class ModelWithoutWeights:
    """One file, loaded without its weights. It is loaded again where a job changes `repack`."""

    def __init__(self, library: Library, path: str) -> None:
        self._library, self._path = library, path
        self._log = Log(library)
        self._no_devices = (ctypes.c_void_p * 1)(None)
        self._models: dict[bool, int | None] = {}

    def answer(self, job: Job) -> Answer:
        """Return what goes to standard output for one job."""
        repack = bool(job.pop("repack"))
        if repack not in self._models:
            self._models[repack] = self._load(repack)
            if self._models[repack] is None:
                return {"error": "model", "log": self._log.take()}
        self._log.take()
        return self._context(self._models[repack], job)

    def _load(self, repack: bool) -> int | None:
        params = type(self._library.model_params).from_buffer_copy(self._library.model_params)
        params.devices = ctypes.cast(self._no_devices, ctypes.c_void_p)
        params.n_gpu_layers, params.load_mode = 0, _NONE
        params.no_alloc, params.use_extra_bufts = True, repack
        handle: int | None = self._library.load(os.fsencode(self._path), params)
        return handle

    def _context(self, model: int | None, job: Job) -> Answer:
        params = type(self._library.context_params).from_buffer_copy(self._library.context_params)
        for name, value in job.items():
            setattr(params, name, value)
        context = self._library.init(model, params)
        if not context:
            return {"error": "context", "log": self._log.take()}
        try:
            sizes = self._library.breakdown(context)
        finally:
            self._library.free(context)
        return {"sizes": sizes, "log": self._log.take()}


def main() -> int:
    """Answer every job of standard input, be it by an error; return the exit status."""
    order: Order = json.load(sys.stdin)
    out = _own_output()
    _limit(int(order["seconds"]))
    try:
        model = ModelWithoutWeights(Library(order["library"]), order["path"])
        for job in order["jobs"]:
            print(json.dumps(model.answer(job)), file=out, flush=True)
    except (UnknownBuild, OSError) as error:
        print(json.dumps({"error": "build", "log": [str(error)]}), file=out, flush=True)
    out.flush()
    os._exit(0)  # the library's own clean-up at exit is not what was asked for


def _own_output() -> IO[str]:
    """Return standard output for us alone: what the library prints there goes to standard error."""
    ours = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return ours


def _limit(seconds: int) -> None:
    """Allow no core file, no more memory than ADDRESS_SPACE, and an end even if nobody waits any more [s]."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, wanted in ((resource.RLIMIT_AS, ADDRESS_SPACE), (resource.RLIMIT_CPU, seconds + 1)):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


if __name__ == "__main__":
    sys.exit(main())
