"""Benches that are kept: whole again when read, nothing older lost by a kill, refusals with a reason."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gyakusan.errors import BadSetting, SourceError
from gyakusan.load_testing.records import RequestFailure, RequestRecord
from gyakusan.load_testing.result import BenchResult, Comparison, Figure, StepResult
from gyakusan.load_testing.store import Store
from gyakusan.load_testing.workload import Objective, Shape, Step

STEP = StepResult(Step(Shape(100, 8), users=2), 30.0, 5, each=Figure(10.0, 9.0, 11.0))
RESULT = BenchResult(
    "http://127.0.0.1:1/v1", "m", "2026-11-29T00:00:00Z", (STEP,), objectives=(Objective("ttft", 2.0),)
)


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "deep" / "bench.sqlite")
    compared = replace(RESULT, comparisons=(Comparison("decode", "", 2, "tokens/s", 9.0, 8.0, 10.0, 10.0),))
    number = store.keep(compared)
    assert store.read(number) == replace(compared, number=number)
    assert [(k.number, k.steps, k.finished) for k in store.every()] == [(1, 1, True)]
    assert store.file.stat().st_mode & 0o777 == 0o600


def test_requests_are_rows(tmp_path: Path) -> None:
    store = Store(tmp_path / "b.sqlite")
    number = store.begin(RESULT)
    good = RequestRecord(0, 1.0, 1.0, 3.0, prompt_tokens=100, completion_tokens=8)
    good.arrivals.extend([1.5, 2.0])
    store.add_step(
        number, 0, STEP, [good, RequestRecord(1, 1.0, 1.0, 2.0, failure=RequestFailure("rate_limited", 429, "no"))]
    )
    with sqlite3.connect(store.file) as db:
        rows = db.execute(
            "SELECT user, first, last, pieces, completion_tokens, status, failure FROM request"
        ).fetchall()
    db.close()
    assert rows == [(0, 1.5, 2.0, 2, 8, None, None), (1, None, None, 0, None, 429, "rate_limited")]
    assert [k.finished for k in store.every()] == [False]


def test_a_store_that_is_just_being_made(tmp_path: Path) -> None:
    """Whoever reads between the making of the file and of its tables sees no bench, and no other version."""
    store = Store(tmp_path / "b.sqlite")
    store.file.touch()
    assert store.every() == ()
    with pytest.raises(BadSetting, match="No bench is kept yet"):
        store.read(1)


def test_no_store_yet(tmp_path: Path) -> None:
    store = Store(tmp_path / "none.sqlite")
    assert store.every() == ()
    with pytest.raises(BadSetting, match="No bench is kept yet"):
        store.read(1)
    store.keep(RESULT)
    with pytest.raises(BadSetting, match="There is no bench 7"):
        store.read(7)


def test_files_that_are_no_store(tmp_path: Path) -> None:
    file = tmp_path / "b.sqlite"
    file.write_bytes(b"not a database" * 100)
    with pytest.raises(SourceError, match="cannot be read or written"):
        Store(file).begin(RESULT)
    with pytest.raises(SourceError):
        Store(tmp_path).begin(RESULT)


def test_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "b.sqlite"
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(SourceError, match="is of version 9"):
        Store(file).keep(RESULT)


def test_a_document_that_somebody_changed(tmp_path: Path) -> None:
    store = Store(tmp_path / "b.sqlite")
    number = store.keep(RESULT)
    with sqlite3.connect(store.file) as db:
        db.execute("UPDATE step SET document = '{}'")
    db.close()
    with pytest.raises(SourceError):
        store.read(number)


WRITER = """
import sys
from tests.load_testing.test_store import RESULT, STEP, Store, Path
store = Store(Path(sys.argv[1]))
while True:
    print(store.keep(RESULT), flush=True)
"""


def test_a_kill_loses_nothing_older(tmp_path: Path) -> None:
    file = tmp_path / "b.sqlite"
    told = 0
    for _ in range(3):
        command = [sys.executable, "-c", WRITER, str(file)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
        assert writer.stdout is not None
        for _ in range(4):
            told = int(writer.stdout.readline())
        time.sleep(0.01)
        os.kill(writer.pid, signal.SIGKILL)
        told = max([told, *(int(line) for line in writer.stdout.read().split())])
        writer.wait()
        writer.stdout.close()
        store = Store(file)
        whole = {k.number for k in store.every() if k.finished}
        assert whole >= set(range(told, 0, -1)) - {n.number for n in store.every() if not n.finished}
        assert told in whole
        assert store.read(told).steps == (STEP,)
