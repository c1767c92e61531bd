"""Scores that the user measured: a CSV file of hf_id, item, score (and mode) moves the quality of those models.

    hf_id,item,score,mode
    Qwen/Qwen3-8B,swallow2/ja_post/JamC-QA,0.52,on
    Qwen/Qwen3-8B,MMLU-Pro,61.5%,on

item: one of `items()`, or its last part where only one has it; score: from 0 to 1, or with a % sign; mode: reasoning on or
off, as the model does by default where it is empty.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

from gyakusan.catalog import quality, quality_index
from gyakusan.catalog.quality import Quality
from gyakusan.catalog.quality_names import Mode, default_mode
from gyakusan.core.quality import Benchmark, posterior
from gyakusan.doors import files
from gyakusan.errors import BadRecord, did_you_mean
from gyakusan.message import Message, quoted, say

NEEDED = ("hf_id", "item", "score")
ALLOWED = (*NEEDED, "mode")
MOST = 1024 * 1024
"""Longest file of scores that is read. [B]"""
_MEASURED = 8
"""Independent scores of a measured model. Source: tools/quality_index.py, MEASURED."""


@dataclass(frozen=True, slots=True)
class OwnScore:
    """One score that the user measured.

    model: as written in the file
    item: a benchmark, one of `items()`
    score: 0 to 1 [fraction]
    mode: reasoning on, off, or at an effort
    line: of the file
    """

    model: str
    item: str
    score: float
    mode: Mode
    line: int


def read(path: Path) -> tuple[OwnScore, ...]:
    """Return the scores of a CSV file. Raises BadRecord with file and line, BadReference, SourceError."""
    text = files.text(path, MOST, pipe=True)
    return tuple(_rows(path, csv.reader(StringIO(text, newline=""), strict=True)))


def updated(qualities: Iterable[Quality], own: Sequence[OwnScore]) -> tuple[Quality, ...]:
    """Return qualities moved by the scores of their model and mode; those without any as they were."""
    return tuple(_updated(q, [o for o in own if o.mode == q.mode and _same(o.model, q.model)]) for q in qualities)


def find(name: str, own: Sequence[OwnScore], **known: Any) -> tuple[Quality, ...]:
    """Return what `quality.find` returns, moved by own scores. A mode that only the user tested is added.

    known: parameters, active, released, as for `quality.find`
    """
    qualities = quality.find(name, **known)
    tested = {o.mode for o in own if any(_same(o.model, q.model) for q in qualities)}
    more = [quality.assumed(qualities[0].model, m, **known) for m in sorted(tested - {q.mode for q in qualities})]
    return updated((*qualities, *more), own)


@cache
def items() -> Mapping[str, Benchmark]:
    """Return the benchmarks that own scores may come from, by name."""
    return {name: _benchmark(item) for name, item in quality_index.index()["items"].items()}


def item(text: str) -> str | None:
    """Return the benchmark that `text` means: its whole name, or its last part in any case where only one has it."""
    names = items()
    if text in names:
        return text
    ends = [n for n in names if n.casefold() == text.casefold() or n.rsplit("/", 1)[-1].casefold() == text.casefold()]
    independent = [n for n in ends if not n.startswith("vendor/")] or ends
    return independent[0] if len(independent) == 1 else None


def _benchmark(item: quality_index.Item) -> Benchmark:
    return Benchmark(item["level"], tuple(item["loading"]), item["house"], item["variance"])


def _updated(q: Quality, scores: Sequence[OwnScore]) -> Quality:
    if not scores:
        return q
    ability, covariance = posterior(q.ability, q.covariance, [(items()[o.item], o.score) for o in scores])
    independent = q.independent + len(scores)
    japanese = sum(items()[o.item].loading[1] > 0 for o in scores)
    tested = "measured" if q.japanese_basis == "measured" or japanese >= 3 else "inferred"
    return quality.with_ability(
        q,
        ability,
        covariance,
        basis="measured" if independent >= _MEASURED else "few",
        japanese_basis=tested,
        scores=q.scores + len(scores),
        independent=independent,
        sources=(*q.sources, f"own ({len(scores)})"),
    )


def _same(written: str, model: str) -> bool:
    if written.casefold() == model.casefold() or quality_index.key(written) == quality_index.key(model):
        return True
    return model in quality.repositories(written)


def _rows(path: Path, rows: Any) -> Iterator[OwnScore]:
    """rows: a csv.reader, which knows the line that it is at."""
    columns: list[str] | None = None
    seen: dict[tuple[str, str, str], int] = {}
    for row in _cells(path, rows):
        line = rows.line_num
        if columns is None:
            columns = _header(path, line, row)
            continue
        one = _row(path, line, columns, row)
        before = seen.setdefault((one.model.casefold(), one.item, one.mode), line)
        if before != line:
            raise _bad(path, line, say("line {before} has the same model, item and mode", before=before))
        yield one
    if columns is None:
        raise _bad(path, 1, say("the header is missing: {columns}", columns=",".join(NEEDED)))


def _cells(path: Path, rows: Any) -> Iterator[list[str]]:
    """Rows that are not empty."""
    try:
        for row in rows:
            if any(cell.strip() for cell in row):
                yield row
    except csv.Error as error:
        raise _bad(path, rows.line_num, say("not a CSV file ({problem})", problem=str(error))) from error


def _header(path: Path, line: int, row: Sequence[str]) -> list[str]:
    columns = [c.strip().casefold() for c in row]
    strange = [c for c in columns if c not in ALLOWED]
    missing = [c for c in NEEDED if c not in columns]
    if strange:
        raise _bad(
            path,
            line,
            say(
                "unknown column {column}; known columns: {columns}",
                column=quoted(strange[0]),
                columns=", ".join(ALLOWED),
            ),
        )
    if missing:
        raise _bad(path, line, say("the column {column} is missing", column=missing[0]))
    if len(set(columns)) < len(columns):
        raise _bad(path, line, say("a column occurs twice"))
    return columns


def _row(path: Path, line: int, columns: Sequence[str], row: Sequence[str]) -> OwnScore:
    if len(row) != len(columns):
        raise _bad(path, line, say("{n} cells, and the header has {columns}", n=len(row), columns=len(columns)))
    cells = dict(zip(columns, (c.strip() for c in row), strict=True))
    model = cells["hf_id"]
    if not model:
        raise _bad(path, line, say("hf_id is missing"))
    name = item(cells["item"])
    if name is None:
        ends = {n.rsplit("/", 1)[-1]: n for n in reversed(list(items()))}
        near = [ends.get(n, n) for n in did_you_mean(cells["item"], (*items(), *ends))]
        raise _bad(
            path,
            line,
            say(
                "unknown item {item}; similar: {near}",
                item=quoted(cells["item"]),
                near=", ".join(dict.fromkeys(near)) or "-",
            ),
        )
    mode = cells.get("mode", "").casefold()
    if mode not in ("", "on", "off"):
        raise _bad(path, line, say("mode is {mode}, and on or off is expected", mode=quoted(mode)))
    return OwnScore(
        model,
        name,
        _score(path, line, cells["score"]),
        "on" if mode == "on" else "off" if mode else default_mode(model),
        line,
    )


def _score(path: Path, line: int, text: str) -> float:
    percent = text.endswith("%")
    try:
        value = float(text.removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        raise _bad(path, line, say("the score {score} is not a number", score=quoted(text))) from None
    if not 0 <= value <= 1:
        raise _bad(path, line, say("the score {score} is outside 0 to 1; write 61.5 % as 61.5%", score=text))
    return value


def _bad(path: Path, line: int, problem: Message) -> BadRecord:
    return BadRecord(
        "{file}, line {line}: {problem}.",
        file=path.name,
        line=line,
        problem=problem,
        mend="Correct the file of your own scores.",
    )
