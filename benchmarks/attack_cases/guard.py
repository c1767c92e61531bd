"""Run cases in processes of their own, with limits, and say which broke what.

A case fails on: an exception that reaches the user or its crash report, an exit code outside of 0 to 3, more than 5 s of
CPU, more than 440 MB besides the 60 MB of a bare command, a control, escape or bidi character on the terminal, NaN, an
infinite number or a negative size in the JSON, a flood of text. What is too slow is run a second time after all others, one
at a time: a busy machine makes CPU time dear. A case is made in one process and run in another, each forked from one that
has run nothing since it gave its free memory back: memory is what the case itself adds, and none of it was left over by the
making of a case or by the case before.
"""

from __future__ import annotations

import ctypes
import gc
import io
import json
import multiprocessing
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from math import isfinite
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

from benchmarks.attack_cases.case import Case, write
from benchmarks.attack_cases.web import serving

SECONDS, WALL, MEMORY, ADDRESSES = 5.0, 300.0, 440e6, 6 * 2**30
"""Most CPU time and time of waiting [s], resident memory and addresses that a case may add [B]."""
LONGEST = {"screen": 200_000, "error": 20_000}
"""Most characters of an answer that is not JSON, and of what is said on stderr."""
FORK = multiprocessing.get_context("fork")
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What moves the cursor, changes colours or turns the direction of writing; not the end of a line or a tab."""
SIZE = re.compile(r"(?:^|_)bytes$|^size$|^total$")


SCORES = "scores"
"""Instead of a command: read a file of scores."""


class TooSlow(BaseException):
    """The time of a case is over."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a case did.

    kind: its class; seed: what it was made of; problem: "" if it held
    seconds: of CPU; memory: added at the peak [B]; slow: True if time is what it broke
    peak: resident memory of its process at most, with all modules of the command and the catalogue [B]
    """

    kind: str
    seed: int
    problem: str
    seconds: float
    memory: float
    slow: bool = False
    peak: float = 0.0


@dataclass(frozen=True, slots=True)
class Task:
    """A case that is not made yet. kind: its class; seed: what it is made of."""

    kind: str
    seed: int


def judged(code: object, out: bytes, err: bytes, encoding: str, as_json: bool) -> str:
    """Why an answer is bad, "" if it is good."""
    screen, said = (t.decode(encoding, "replace") for t in (out, err))
    if type(code) is not int or not 0 <= code <= 3:
        return f"exit code {code!r}"
    if "Traceback (most recent call last)" in screen + said:
        return "traceback in the text"
    for name, text in (("stdout", screen), ("stderr", said)):
        if match := STEERS.search(text):
            return f"control character {match[0]!a} on {name}: {text[max(0, match.start() - 40) : match.end() + 20]!a}"
    if len(said) > LONGEST["error"] or (not as_json and len(screen) > LONGEST["screen"]):
        return f"a flood: {len(screen):,} and {len(said):,} characters"
    return bad_json(screen) if as_json and screen.strip() else ""


def crashed(folder: Path) -> str:
    """What the crash report in a folder says, "" if there is none: the command turns what it did not expect into one."""
    for report in folder.rglob("crash-report.txt"):
        lines = report.read_text().splitlines()
        at = next((x.strip() for x in reversed(lines) if x.lstrip().startswith("File ")), "")
        return f"crash report: {lines[-1][:120]!a} ({at})"
    return ""


def bad_json(text: str) -> str:
    """Why a JSON answer is bad, "" if it is good."""
    try:
        document = json.loads(text, parse_constant=lambda name: (_ for _ in ()).throw(ValueError(name)))
    except ValueError as error:
        return f"JSON: {error}"
    return next(
        (f"JSON: {k} is {v!r}" for k, v in numbers(document, "") if not isfinite(v) or (v < 0 and SIZE.search(k))), ""
    )


def numbers(value: Any, key: str) -> Iterator[tuple[str, float]]:
    """Key and value of every number of a document."""
    if isinstance(value, dict):
        for k, v in value.items():
            yield from numbers(v, k)
    elif isinstance(value, list):
        for v in value:
            yield from numbers(v, key)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield key, value if isinstance(value, float) else float(min(max(value, -(10**300)), 10**300))


def _slow(*_: object) -> None:
    raise TooSlow


@contextmanager
def surroundings(case: Case, folder: Path, web: str) -> Iterator[None]:
    """A bare environment in a folder of its own."""
    before, where = dict(os.environ), os.getcwd()
    bare = {
        k: v for k, v in before.items() if k in ("PATH", "LD_LIBRARY_PATH", "COVERAGE_PROCESS_START", "COVERAGE_RUN")
    }
    home = str(folder / "home")
    bare |= {
        "HOME": home,
        "HF_HOME": f"{home}/hf",
        "OLLAMA_MODELS": f"{home}/ollama",
        "LC_ALL": "C.UTF-8",
        "TMPDIR": str(folder),
    }
    bare |= {k: v.replace("{dir}", str(folder)).replace("{web}", web) for k, v in case.environment.items()}
    try:
        os.environ.clear()
        os.environ.update(bare)
        os.chdir(folder)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        os.chdir(where)


def read_scores(path: str) -> int:
    """Read a file of one's own scores, which no command takes yet; the exit code."""
    from gyakusan.catalog import quality_own
    from gyakusan.cli.writing import warn
    from gyakusan.errors import GyakusanError

    try:
        for score in quality_own.read(Path(path)):
            if not 0 <= score.score <= 1:
                raise ArithmeticError(score)
    except GyakusanError as error:
        warn(f"gyakusan: {error}")
        return error.exit_code
    return 0


def called(case: Case, folder: Path) -> tuple[object, bytes, bytes]:
    """Exit code, stdout and stderr of the command; raises what reaches the user."""
    from gyakusan.cli import main

    streams = [io.TextIOWrapper(io.BytesIO(), encoding=case.encoding, errors="strict") for _ in range(2)]
    before = sys.stdout, sys.stderr
    with serving(case.pages) as web, surroundings(case, folder, web):
        arguments = [a.replace("{dir}", str(folder)).replace("{web}", web) for a in case.arguments]
        sys.stdout, sys.stderr = streams
        try:
            code: object = read_scores(arguments[1]) if arguments[0] == SCORES else main(arguments)
        except SystemExit as error:
            code = error.code or 0
        finally:
            sys.stdout, sys.stderr = before
    for stream in streams:
        stream.flush()
    return code, streams[0].buffer.getvalue(), streams[1].buffer.getvalue()  # type: ignore[attr-defined]


def tried(task: Task, make: Callable[[Task], Case]) -> Found:
    """Run one case in a process of its own."""
    folder = Path(tempfile.mkdtemp(prefix="attack-"))
    (folder / "home").mkdir()
    to_runner, from_runner = FORK.Pipe(duplex=False), FORK.Pipe(duplex=False)
    maker = FORK.Process(target=_make, args=(task, make, folder, to_runner[1]))
    runner = FORK.Process(target=_run, args=(task, folder, to_runner, from_runner[1]))
    maker.start()
    runner.start()
    for end in (*to_runner, from_runner[1]):
        end.close()
    try:
        if not from_runner[0].poll(1.5 * WALL):  # in a library that lets no signal through
            runner.kill()
        found: Found = from_runner[0].recv()
    except EOFError:
        runner.join()
        found = Found(task.kind, task.seed, f"died ({runner.exitcode})", 0.0, 0.0)
    finally:
        maker.join()
        runner.join()
        from_runner[0].close()
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _make(task: Task, make: Callable[[Task], Case], folder: Path, line: Connection) -> None:
    """Make a case, write its files and send the rest of it."""
    case = make(task)
    write(case, folder)
    line.send(replace(case, files={}))


def _run(task: Task, folder: Path, made: tuple[Connection, Connection], line: Connection) -> None:
    """Run the case that somebody else makes, and send what it did."""
    made[1].close()
    case: Case = made[0].recv()
    problem, slow = "", False
    _forget_peak()
    before, began = _status("VmRSS"), time.process_time()
    try:
        signal.setitimer(signal.ITIMER_PROF, 2 * SECONDS)
        signal.setitimer(signal.ITIMER_REAL, WALL)
        problem = judged(*called(case, folder), case.encoding, "--json" in case.arguments) or crashed(folder)
    except TooSlow:
        slow = True
    except BaseException as error:  # noqa: BLE001 - whatever reaches the user is what is looked for
        at = traceback.extract_tb(error.__traceback__)[-1]
        problem = f"{type(error).__name__}: {str(error)[:120]!a} ({Path(at.filename).name}:{at.lineno})"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    seconds, peak = time.process_time() - began, _status("VmHWM")
    memory = max(peak - before, 0.0)
    slow = slow or seconds > SECONDS
    beyond = [f"too slow: {seconds:.1f} s"] * slow + [f"{memory / 1e6:.0f} MB more"] * (memory > MEMORY)
    whole = "; ".join([problem] * bool(problem) + beyond)
    line.send(Found(task.kind, task.seed, whole, seconds, memory, slow, peak))


def _forget_peak() -> None:
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def _give_back() -> None:
    """Give free memory back to the system, where the C library can: what a case takes is seen then."""
    gc.collect()
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _status(name: str) -> float:
    """A size of this process, as the kernel counts it [B]."""
    status = Path("/proc/self/status").read_text()
    return float(re.search(rf"{name}:\s+(\d+)", status)[1]) * 1024  # type: ignore[index]


def _worker(tasks: Sequence[Task], make: Callable[[Task], Case], line: Connection) -> None:
    """Run tasks one after the other and say of each what it did."""
    _give_back()
    addresses = int(_status("VmSize")) + ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (addresses, addresses))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, _slow)
    signal.signal(signal.SIGALRM, _slow)
    for task in tasks:
        line.send(tried(task, make))
    line.close()


def run(
    tasks: Iterable[Task],
    make: Callable[[Task], Case],
    *,
    alone: Callable[[str], bool],
    workers: int = 0,
    batch: int = 40,
    on_found: Callable[[Found], None] = lambda found: None,
) -> list[Found]:
    """Run all tasks in forked processes.

    make: makes a case; alone: True for a class whose cases each need a process; workers: 0 = one for each core
    """
    found, again = [], []
    for one in _all(_batches(list(tasks), alone, batch), make, workers or os.cpu_count() or 2):
        if one.slow:
            again.append([Task(one.kind, one.seed)])
        else:
            found.append(one)
            on_found(one)
    for one in _all(again[::-1], make, 1):
        found.append(one)
        on_found(one)
    return found


@dataclass(slots=True)
class _Running:
    """A process at work. tasks: left to it; since: when it last said something [s]."""

    process: ForkProcess
    tasks: list[Task]
    since: float


def _all(waiting: list[list[Task]], make: Callable[[Task], Case], workers: int) -> Iterator[Found]:
    """Run batches of tasks, the last first, so many at a time; a batch whose process dies goes on in another."""
    running: dict[Connection, _Running] = {}
    while waiting or running:
        while waiting and len(running) < workers:
            line, process = _started(waiting.pop(), make)
            running[line] = process
        for line in [x for x in wait(list(running), timeout=1) if isinstance(x, Connection)]:
            one = running[line]
            try:
                yield line.recv()
                one.tasks, one.since = one.tasks[1:], time.monotonic()
            except EOFError:
                del running[line]
                one.process.join()
                if one.tasks:
                    yield Found(one.tasks[0].kind, one.tasks[0].seed, f"died ({one.process.exitcode})", 0.0, 0.0)
                waiting += [one.tasks[1:]] if one.tasks[1:] else []
        for one in running.values():
            if time.monotonic() - one.since > 2 * WALL:  # in a library that lets no signal through
                one.process.kill()


def _started(tasks: list[Task], make: Callable[[Task], Case]) -> tuple[Connection, _Running]:
    ours, theirs = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_worker, args=(tasks, make, theirs))
    process.start()
    theirs.close()
    return ours, _Running(process, tasks, time.monotonic())


def _batches(tasks: list[Task], alone: Callable[[str], bool], batch: int) -> list[list[Task]]:
    kinds = list(dict.fromkeys(t.kind for t in tasks))
    out = []
    for kind in kinds:
        some = [t for t in tasks if t.kind == kind]
        size = 1 if alone(kind) else batch
        out += [some[i : i + size] for i in range(0, len(some), size)]
    return out
