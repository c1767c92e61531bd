"""Benches are kept in one SQLite file of the user, bench.sqlite in the folder of what is kept between calls.

Version 1 (PRAGMA user_version):
  bench    number (the key), started, finished (NULL while it runs), endpoint, model, document (JSON of BenchResult)
  step     bench, place, users, rate, document (JSON of StepResult)
  request  bench, step, user, scheduled, sent, first, last, finished, pieces, prompt_tokens, completion_tokens,
           cached_tokens, status, failure (NULL for a whole answer); times in seconds from the begin of the bench
Each step is one transaction (write-ahead log), so that a kill loses the step that runs and nothing older. Neither
prompts, answers nor keys are ever written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gyakusan.catalog.places import state
from gyakusan.errors import BadSetting, SourceError
from gyakusan.load_testing.ramp import most_held
from gyakusan.load_testing.records import RequestRecord
from gyakusan.load_testing.result import BenchResult, StepResult

VERSION = 1
BUSY = 10.0
"""How long another writer is waited for. [s]"""
_SCHEMA = """
CREATE TABLE bench (number INTEGER PRIMARY KEY AUTOINCREMENT, started TEXT NOT NULL, finished TEXT, endpoint TEXT NOT NULL,
    model TEXT NOT NULL, document BLOB NOT NULL);
CREATE TABLE step (bench INTEGER NOT NULL REFERENCES bench, place INTEGER NOT NULL, users INTEGER NOT NULL,
    rate REAL NOT NULL, document BLOB NOT NULL, PRIMARY KEY (bench, place));
CREATE TABLE request (bench INTEGER NOT NULL, step INTEGER NOT NULL, user INTEGER NOT NULL, scheduled REAL NOT NULL,
    sent REAL NOT NULL, first REAL, last REAL, finished REAL NOT NULL, pieces INTEGER NOT NULL, prompt_tokens INTEGER,
    completion_tokens INTEGER, cached_tokens INTEGER, status INTEGER, failure TEXT,
    FOREIGN KEY (bench, step) REFERENCES step);
CREATE INDEX request_of ON request (bench, step);
"""


@dataclass(frozen=True, slots=True)
class KeptBench:
    """One line of the list of benches.

    number: of the bench
    started: day and time, in UTC
    endpoint: address of the server
    model: as the server calls it
    steps: that were measured
    finished: False if it was killed, or runs now
    """

    number: int
    started: str
    endpoint: str
    model: str
    steps: int
    finished: bool


def path() -> Path:
    """Return where benches are kept."""
    return state() / "bench.sqlite"


class Store:
    """The benches of the user."""

    def __init__(self, file: Path | None = None) -> None:
        """Name it; nothing is opened yet. file: None = the usual place."""
        self.file = file or path()

    def begin(self, result: BenchResult) -> int:
        """Keep that a bench has begun; its number. Raises SourceError."""
        with self._open(write=True) as db:
            row = (result.started, result.endpoint, result.model, _bytes(replace(result, steps=())))
            done = db.execute("INSERT INTO bench (started, endpoint, model, document) VALUES (?, ?, ?, ?)", row)
            return int(done.lastrowid or 0)

    def add_step(self, number: int, place: int, result: StepResult, records: Sequence[RequestRecord]) -> None:
        """Keep a step and its requests, whole or not at all. Raises SourceError."""
        with self._open(write=True) as db:
            row = (number, place, result.step.users, result.step.rate, _bytes(result))
            db.execute("INSERT INTO step VALUES (?, ?, ?, ?, ?)", row)
            db.executemany(
                "INSERT INTO request VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(number, place, *_row(r)) for r in records],
            )

    def finish(self, number: int, result: BenchResult) -> None:
        """Keep the end of a bench. Raises SourceError."""
        with self._open(write=True) as db:
            document = _bytes(replace(result, steps=(), number=None))
            row = (datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), result.model, document, number)
            db.execute("UPDATE bench SET finished = ?, model = ?, document = ? WHERE number = ?", row)

    def keep(self, result: BenchResult) -> int:
        """Keep a bench of another tool. Raises SourceError."""
        number = self.begin(result)
        for place, step in enumerate(result.steps):
            self.add_step(number, place, step, ())
        self.finish(number, result)
        return number

    def read(self, number: int) -> BenchResult:
        """Return a bench. Raises BadSetting where there is none, SourceError."""
        with self._open(write=False) as db:
            row = db.execute("SELECT document, finished IS NOT NULL FROM bench WHERE number = ?", (number,)).fetchone()
            steps = db.execute("SELECT document FROM step WHERE bench = ? ORDER BY place", (number,)).fetchall()
        if row is None:
            raise BadSetting("There is no bench {number}.", number=number, mend="gyakusan bench list shows all.")
        try:
            found = msgspec.json.decode(row[0], type=BenchResult)
            kept = tuple(msgspec.json.decode(s[0], type=StepResult) for s in steps)
        except (msgspec.DecodeError, ValueError) as error:
            raise self._broken(str(error)) from error
        if not row[1]:
            found = replace(found, held=most_held(kept, found.objectives) if found.objectives else None, finished=False)
        return replace(found, steps=kept, number=number)

    def every(self) -> tuple[KeptBench, ...]:
        """Return all benches, the newest first. Raises SourceError."""
        if not self.file.exists():
            return ()
        with self._open(write=False, fresh=True) as db:
            if _version(db) == 0:  # the first bench is just being begun
                return ()
            rows = db.execute(
                "SELECT number, started, endpoint, model, (SELECT count(*) FROM step WHERE bench = number),"
                " finished IS NOT NULL FROM bench ORDER BY number DESC"
            ).fetchall()
        return tuple(KeptBench(n, str(s), str(e), str(m), c, bool(f)) for n, s, e, m, c, f in rows)

    @contextmanager
    def _open(self, *, write: bool, fresh: bool = False) -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction. Raises SourceError for a file that cannot be used.

        fresh: True where a file without tables is read, too
        """
        try:
            if write:
                self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self.file.touch(mode=0o600)
            elif not self.file.exists():
                raise _nothing()
            with closing(sqlite3.connect(self.file, timeout=BUSY)) as db:
                self._prepare(db, write=write, fresh=fresh)
                with db:
                    yield db
        except (OSError, sqlite3.Error) as error:
            raise self._broken(getattr(error, "strerror", None) or str(error)) from error

    def _prepare(self, db: sqlite3.Connection, *, write: bool, fresh: bool) -> None:
        """Make the tables of a new file. Raises SourceError for one of another version, BadSetting for an empty one."""
        db.execute("PRAGMA foreign_keys = ON")
        version = _version(db)
        if version == 0 and not write:
            if not fresh:
                raise _nothing()
        elif version == 0:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("BEGIN IMMEDIATE")
            if _version(db) == 0:
                for statement in _SCHEMA.split(";\n"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {VERSION}")
            db.commit()
        elif version != VERSION:
            raise SourceError(
                "{file} is of version {version}, and this gyakusan reads version {known}.",
                file=str(self.file),
                version=version,
                known=VERSION,
                mend="Install the newest gyakusan, or move the file away.",
            )

    def _broken(self, problem: str) -> SourceError:
        return SourceError(
            "The benches in {file} cannot be read or written: {problem}.",
            file=str(self.file),
            problem=problem.rstrip("."),
            mend="Check the disk and the file's permissions, or move the file away.",
        )


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _nothing() -> BadSetting:
    return BadSetting("No bench is kept yet.", mend="Measure first: gyakusan bench http://127.0.0.1:8080")


def _bytes(value: object) -> bytes:
    return msgspec.json.encode(value)


def _row(r: RequestRecord) -> tuple[float | int | str | None, ...]:
    first, last = (r.arrivals[0], r.arrivals[-1]) if len(r.arrivals) else (None, None)
    status, kind = (r.failure.status, r.failure.kind) if r.failure else (None, None)
    counts = r.prompt_tokens, r.completion_tokens, r.cached_tokens
    return r.user, r.scheduled, r.sent, first, last, r.end, len(r.arrivals), *counts, status, kind
