"""The guard sees what it is there for: each way to break is broken here on purpose."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks.attack_cases import guard, kinds
from benchmarks.attack_cases.case import Case
from benchmarks.attack_cases.guard import Task, bad_json, judged

import gyakusan.cli


@pytest.mark.parametrize(
    ("code", "out", "err", "problem"),
    [
        (0, "fits", "", ""),
        (3, "", "gyakusan: no", ""),
        (4, "", "", "exit code 4"),
        (None, "", "", "exit code None"),
        (True, "", "", "exit code True"),
        (0, "a\x1b[2Jb", "", "control character '\\x1b' on stdout"),
        (0, "", "\u202e", "on stderr"),
        (0, "\x9b1A", "", "control"),
        (0, "a\rb", "", "control"),
        (1, "", "Traceback (most recent call last)", "traceback"),
        (0, "x" * 300_000, "", "a flood"),
        (0, "", "x" * 30_000, "a flood"),
    ],
)
def test_what_is_no_answer(code: object, out: str, err: str, problem: str) -> None:
    said = judged(code, out.encode(), err.encode(), "utf-8", False)
    assert said.startswith(problem) or (problem and problem in said)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"bytes": 1, "delta": -1}', ""),
        ("[NaN]", "NaN"),
        ('{"a": Infinity}', "Infinity"),
        ('{"a": 1e999}', "inf"),
        ("{", "JSON"),
        ('{"rows": [{"used_bytes": -1}]}', "used_bytes is -1"),
        ('{"total": -0.5}', "total is -0.5"),
        ('{"ok": true}', ""),
    ],
)
def test_what_is_no_json(text: str, problem: str) -> None:
    assert (bad_json(text) == "") == (problem == "")
    assert problem in bad_json(text)
    assert judged(0, text.encode(), b"", "utf-8", True) == bad_json(text)


def raises(_: Any) -> int:
    raise KeyError("nobody caught it")


def waits(_: Any) -> int:
    end = time.process_time() + 60
    while time.process_time() < end:
        pass
    return 0


def dies(_: Any) -> int:
    os._exit(11)


def grows(_: Any) -> int:
    return len(b"x" * 100_000_000) - 100_000_000


def asks(_: Any) -> int:
    print(os.environ["HOME"], file=sys.stderr)
    return 0 if os.getcwd() != os.environ["HOME"] else 9


def reports(_: Any) -> int:
    """What `main` does with an exception that nobody expected: exit code 3, one line, a report."""
    state = Path(os.environ["HOME"]) / ".local" / "state" / "gyakusan"
    state.mkdir(parents=True)
    (state / "crash-report.txt").write_text('Traceback\n  File "x.py", line 3, in f\nValueError: of nobody')
    return 3


WRONG: dict[str, tuple[Callable[[Any], int], str]] = {
    "raises": (raises, "KeyError"),
    "reports": (reports, "crash report: 'ValueError: of nobody' (File \"x.py\", line 3, in f)"),
    "waits": (waits, "too slow"),
    "dies": (dies, "died (11)"),
    "grows": (grows, " MB more"),
    "asks": (asks, ""),
    "leaves": (lambda _: sys.exit(7), "exit code 7"),
}


@pytest.mark.parametrize("how", WRONG)
def test_a_command_that_breaks(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong, problem = WRONG[how]
    monkeypatch.setattr(gyakusan.cli, "main", wrong)
    monkeypatch.setattr(guard, "MEMORY", 50e6)
    if how == "waits":
        monkeypatch.setattr(guard, "SECONDS", 0.4)
    tasks = [Task("x", n) for n in range(2)]
    found = guard.run(tasks, lambda task: Case(("inspect",)), alone=lambda kind: False, workers=1)
    assert [f.seed for f in found] == [0, 1], "the others are run all the same"
    assert all((f.problem == "") == (problem == "") and problem in f.problem for f in found)


def test_what_was_slow_once_is_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def once(_: Any) -> int:
        first = not (tmp_path / "seen").exists()
        (tmp_path / "seen").touch()
        return waits(_) if first else 0

    monkeypatch.setattr(gyakusan.cli, "main", once)
    monkeypatch.setattr(guard, "SECONDS", 0.4)
    said: list[guard.Found] = []
    found = guard.run([Task("x", 1)], lambda task: Case(("inspect",)), alone=lambda kind: False, on_found=said.append)
    assert [f.problem for f in found] == [""]
    assert said == found


def test_what_the_process_held_before_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    held = b"x" * 100_000_000
    monkeypatch.setattr(gyakusan.cli, "main", lambda _: len(held) - 100_000_000)
    monkeypatch.setattr(guard, "MEMORY", 50e6)
    (found,) = guard.run([Task("x", 1)], lambda task: Case(("inspect",)), alone=lambda kind: False)
    assert found.problem == ""


@pytest.mark.parametrize("by", ["making", "the case before"])
def test_memory_that_was_freed_before_hides_nothing(monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    """What making a case, or the case before, took and gave back was taken again without being seen."""

    def small_blocks() -> int:
        return len([str(n) * 9 for n in range(1_200_000)])

    def made(task: Task) -> Case:
        if by == "making":
            small_blocks()
        return Case(("inspect",))

    monkeypatch.setattr(gyakusan.cli, "main", lambda _: small_blocks() - 1_200_000)
    monkeypatch.setattr(guard, "MEMORY", 60e6)
    found = guard.run([Task("x", n) for n in range(2)], made, alone=lambda kind: False, workers=1)
    assert [f.problem[-7:] for f in found] == ["MB more", "MB more"]
    assert all(f.peak > f.memory > 60e6 for f in found)


def test_the_same_seed_makes_the_same_cases() -> None:
    tasks = list(kinds.tasks(100, 5))
    for task in tasks[::7]:
        if "signed" not in task.kind:  # its key is new each time
            assert kinds.make(task) == kinds.make(task)
    assert set(kinds.KINDS) == {t.kind for t in tasks}
    assert not {(t.kind, t.seed) for t in tasks} & {(t.kind, t.seed) for t in kinds.tasks(100, 6)}
