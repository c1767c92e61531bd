"""llama.cpp's own answer: a dry run of the installed library, without weights and without their memory.

    rows = ask(model, [settings, ...])

A file that has everything but the numbers is written to a temporary folder, and the shared library inside the xllamacpp
wheel loads it with no_alloc: it builds the real graphs and runs its real allocator. This happens in a process of its
own (`worker`), so that neither a crash nor a hang of llama.cpp is ours.
Source: llama.cpp b11549, llama_model_params.no_alloc, llama_get_memory_breakdown. Only the CPU backend; only Linux.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import metadata, util
from pathlib import Path
from typing import NoReturn

from gyakusan.core.dtypes import dtype
from gyakusan.core.model import Model, Recurrent
from gyakusan.doors.text import line
from gyakusan.engines.llamacpp import log
from gyakusan.engines.llamacpp.buffers import kv_cache
from gyakusan.engines.llamacpp.buffers.server_memory import output
from gyakusan.engines.llamacpp.buffers.weights import weights
from gyakusan.engines.llamacpp.compute_buffer.one_device import compute_buffer
from gyakusan.engines.llamacpp.dry_run import stub_gguf
from gyakusan.engines.llamacpp.dry_run.protocol import Answer, Job, Order
from gyakusan.engines.llamacpp.settings import Settings, check
from gyakusan.errors import BadSetting, ServerError
from gyakusan.units import GIB, MIB, format_bytes

PATIENCE = 120.0
"""How long the worker may take for all its rows; one takes 10 to 500 ms. [s]"""
MAX_STATES = 4 * GIB
"""States of recurrent layers are really allocated, even in a dry run. [B]"""
_PRINTED = 0.005 * MIB + 1
"""llama.cpp prints two digits of MiB. [B]"""
_PLACEMENT = (
    "gpu_layers", "split_mode", "tensor_split", "main_gpu", "n_cpu_moe", "n_cpu_ffn", "overrides", "offload_kv",
)  # fmt: skip
_FLASH = {"auto": -1, "off": 0, "on": 1}
_MEND = "Leave out --exact."
_MISSED = re.compile(r"key not found in model: ([\w.-]{1,100})")


@dataclass(frozen=True, slots=True)
class Library:
    """The library in the installed wheel.

    path: of the shared object
    build: llama.cpp's number, 0 if the wheel does not tell
    """

    path: str
    build: int


@dataclass(frozen=True, slots=True)
class Dry:
    """One dry run.

    weights: to the byte [B]
    context: keys, values and states, to the byte [B]
    scratch: compute buffers, to the byte [B]
    output: logits, as printed to 0.01 MiB [B]
    build: llama.cpp's number
    """

    weights: int
    context: int
    scratch: int
    output: float
    build: int


@dataclass(frozen=True, slots=True)
class Compared:
    """Our figure and llama.cpp's own.

    kind: of the ledger, or several joined by "+"
    ours: by our rules [B]
    theirs: of the dry run [B]
    rounding: of `theirs` [B]
    """

    kind: str
    ours: int
    theirs: float
    rounding: float = 0.0

    @property
    def difference(self) -> float:
        """Return ours less theirs, 0 within the rounding [B]."""
        off = self.ours - self.theirs
        return 0.0 if abs(off) <= self.rounding else off

    @property
    def difference_share(self) -> float:
        """Return the difference over the dry run's figure [fraction]."""
        return self.difference / self.theirs if self.theirs else float(bool(self.difference))


def library() -> Library:
    """Return the library in the installed wheel, without importing it. Raises ServerError if there is none."""
    if not sys.platform.startswith("linux"):
        raise ServerError("The dry run of llama.cpp works on Linux only.", mend=_MEND)
    spec = util.find_spec("xllamacpp")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    paths = sorted(path for folder in folders for path in Path(folder).glob("xllamacpp*.so"))
    if not paths:
        raise ServerError("The embedded server is not installed.", mend="Run: pip install 'gyakusan[serve]'.")
    with contextlib.suppress(metadata.PackageNotFoundError):
        last = metadata.version("xllamacpp").rsplit(".", 1)[-1]
        return Library(str(paths[0]), int(last) if last.isdecimal() else 0)
    return Library(str(paths[0]), 0)


def ask(model: Model, settings: Sequence[Settings], *, patience: float = PATIENCE) -> tuple[Dry, ...]:
    """Return llama.cpp's own bytes for each of `settings` on the CPU backend, in order. Scalars only.

    Settings of a GPU count as those of the CPU: see `on_cpu`. patience: for all of them [s].
    Raises ServerError if the library is missing, unknown, refuses the model, crashes or hangs; BadSetting.
    """
    on_cpus = [on_cpu(check(s)) for s in settings]
    for s in on_cpus:
        _check_affordable(model, s)
    where = library()
    answers = _answers(model, [_job(s) for s in on_cpus], where, patience)
    return tuple(_row(a, s, where) for a, s in zip(answers, on_cpus, strict=True))


def _answers(model: Model, jobs: list[Job], where: Library, patience: float) -> list[Answer]:
    """Return the worker's answers. A key that llama.cpp misses is filled in if any number does, and it is asked again."""
    filled: tuple[str, ...] = ()
    while True:
        with stub_gguf.loadable_file(model, filled) as path:
            order: Order = {"library": where.path, "path": path, "seconds": patience, "jobs": jobs}
            answers = _run(order, where, patience)
        missed = _MISSED.search("\n".join(answers[0]["log"])) if answers and "error" in answers[0] else None
        if missed is None or missed[1] in filled or not stub_gguf.fillable(model, missed[1]):
            return _checked(answers, len(jobs), where)
        filled += (missed[1],)


def compare(model: Model, settings: Settings, dry: Dry) -> tuple[Compared, ...]:
    """Return our figures and a dry run's, by kind."""
    s = on_cpu(settings)
    context = int(kv_cache.kv_cache(model, s)), int(kv_cache.recurrent_state(model, s))
    recurrent = [isinstance(m, Recurrent) for m in model.memory]
    kinds = ("kv_cache" if not all(recurrent) else "", "recurrent_state" if any(recurrent) else "")
    return (
        Compared("weights", weights(model, s).host, dry.weights),
        Compared("+".join(k for k in kinds if k) or "kv_cache", sum(context), dry.context),
        Compared("scratch", int(compute_buffer(model, s).host), dry.scratch),
        Compared("output", int(output(model, s)), dry.output, _PRINTED),
    )


def on_cpu(settings: Settings) -> Settings:
    """Return the settings of the same server without a GPU."""
    if settings.backend == "cpu":
        return settings
    return replace(settings, backend="cpu", **{name: getattr(Settings, name) for name in _PLACEMENT})


def _check_affordable(model: Model, settings: Settings) -> None:
    state = int(kv_cache.recurrent_state(model, settings))
    if state > MAX_STATES:
        raise BadSetting(
            "The dry run would allocate {bytes} for the states of {users} users.",
            bytes=format_bytes(state),
            users=settings.slots,
            mend="Lower --users, or leave out --exact.",
        )


def _job(s: Settings) -> Job:
    """Return fields of llama_context_params. llama-server keeps the logits of one token for each slot, llama-bench of all."""
    return {
        "n_ctx": int(s.context),
        "n_seq_max": int(s.slots),
        "n_batch": int(s.batch),
        "n_ubatch": int(s.ubatch),
        "n_outputs_max": int(s.slots) if s.outputs == "server" else 0,
        "flash_attn_type": _FLASH[s.flash_attention],
        "type_k": dtype(s.key_type).code,
        "type_v": dtype(s.value_type).code,
        "kv_unified": s.unified,
        "swa_full": s.swa_full,
        "offload_kqv": True,
        "op_offload": False,
        "repack": s.repack,
    }


def _run(order: Order, where: Library, patience: float) -> list[Answer]:
    """Return what the worker answers; if it did not end well, the last answer tells how. Raises ServerError if it hangs."""
    root = str(Path(__file__).parents[4])
    paths = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
    argv = [sys.executable, "-P", "-m", "gyakusan.engines.llamacpp.dry_run.worker"]
    # No backtrace: llama.cpp would start a debugger on itself (ggml.c, ggml_print_backtrace).
    env = os.environ | {"PYTHONPATH": paths, "GGML_NO_BACKTRACE": "1"}
    try:
        done = subprocess.run(
            argv, input=json.dumps(order).encode(), capture_output=True, timeout=patience, env=env, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ServerError(
            "The dry run of llama.cpp b{build} took longer than {seconds} s.",
            build=where.build,
            seconds=f"{patience:.0f}",
            mend=_MEND,
        ) from error
    answers: list[Answer] = [json.loads(line) for line in done.stdout.splitlines() if line.endswith(b"}")]
    if done.returncode:
        answers.append(
            {"error": "crash", "log": [*done.stderr.decode("utf-8", "replace").splitlines(), str(done.returncode)]}
        )
    return answers


def _checked(answers: list[Answer], rows: int, where: Library) -> list[Answer]:
    """Return `answers` if there is one for each row. Raises ServerError."""
    for answer in answers:
        if "error" in answer:
            _refused(answer, where)
    if len(answers) != rows:
        _crashed(["0"], where)
    return answers


def _row(answer: Answer, s: Settings, where: Library) -> Dry:
    """Return the row. Raises ServerError unless the library echoes the settings and prints the same bytes."""
    reported = log.read(answer["log"])
    sizes = answer["sizes"]
    as_printed = abs(reported.of("scratch") - sizes[2]) <= 2 * _PRINTED
    echoed = (reported.slots, reported.batch is not None, reported.unified, as_printed)
    if echoed != (s.slots, True, s.unified, True):
        _unknown(f"{reported.slots} slots, {reported.of('scratch') / MIB:.2f} MiB scratch", where)
    return Dry(*sizes, reported.of("output"), where.build)


def _refused(answer: Answer, where: Library) -> NoReturn:
    """Raise ServerError for an answer that is an error."""
    lines = [line(x.strip(), 160) for x in answer["log"]] or ["-"]
    match answer["error"]:
        case "build":
            _unknown(lines[0], where)
        case "crash":
            _crashed(lines, where)
    reason = next((x for x in lines if "error" in x.casefold()), None)
    reason = reason or next((x for x in lines if "fail" in x or "must" in x or "require" in x), "-")
    raise ServerError(
        "llama.cpp b{build} refuses these settings: {what}.", build=where.build, what=reason.rstrip("."), mend=_MEND
    )


def _unknown(what: str, where: Library) -> NoReturn:
    raise ServerError(
        "This build of llama.cpp is not supported: b{build} ({what}).", build=where.build, what=what, mend=_MEND
    )


def _crashed(lines: Sequence[str], where: Library) -> NoReturn:
    """Raise ServerError. lines: what the worker wrote to standard error, and its exit status."""
    reason = next((x for x in lines if any(word in x for word in ("GGML_", "terminate called", "Error"))), None)
    reason = reason or next((x for x in lines if ": fatal error" in x), f"exit status {lines[-1]}")
    raise ServerError(
        "The dry run of llama.cpp b{build} crashed: {what}.", build=where.build, what=reason.rstrip("."), mend=_MEND
    )
