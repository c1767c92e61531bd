"""Scores of two models that stand in one table: same reporter, same harness, same benchmarks.

The index weighs everything that is known of a model; where one person ran both on the same items, that says more of the two.
The scores are read when they are first wanted: nothing else of the catalogue needs them.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from gyakusan.catalog.quality import find
from gyakusan.catalog.quality_index import repositories
from gyakusan.catalog.quality_names import QUALITY, Mode, mode_of
from gyakusan.doors.files import packaged

REPORTERS = {
    "swallow": "Swallow LLM Leaderboard",
    "evalplus": "EvalPlus",
    "aider": "Aider",
    "shisa-ai": "shisa.ai",
    "yamagishi0824": "JMedQA",
}
"""Reporters as people call them; a maker is called by its organisation on the Hub."""

Table = Mapping[str, float]
"""Item -> score [fraction]."""


@dataclass(frozen=True, slots=True)
class SharedItems:
    """How often one model is better than another in the table that has most items of both.

    better: items in which the first is better
    worse: items in which the second is better
    of: items that the table has of both
    reporter: who published the table
    own: True if the reporter made one of the two
    modes: mode of reasoning of each in the table
    """

    better: int
    worse: int
    of: int
    reporter: str
    own: bool
    modes: tuple[str, str]


def shared_items(
    first: str, second: str, *, first_mode: str | None = None, second_mode: str | None = None
) -> SharedItems | None:
    """Return how often the first of two models is better where both stand in one table, None if no table has both.

    first, second: names of the catalogue, tags or repositories; modes: None = the one with most scores
    """
    ours = _tables(first, first_mode)
    theirs = _tables(second, second_mode)
    found = [
        _compared(reporter, ours[reporter, harness], theirs[reporter, harness])
        for reporter, harness in ours
        if (reporter, harness) in theirs
    ]
    known = [(better, worse, of, reporter) for better, worse, of, reporter in found if of]
    if not known:
        return None
    better, worse, of, reporter = max(known, key=lambda k: k[2])
    makers = {r.split("/")[0] for name in (first, second) for r in repositories(name)}
    modes = (first_mode or _best_mode(first), second_mode or _best_mode(second))
    return SharedItems(better, worse, of, REPORTERS.get(reporter, reporter), reporter in makers, modes)


def _compared(reporter: str, ours: Table, theirs: Table) -> tuple[int, int, int, str]:
    items = ours.keys() & theirs.keys()
    better = sum(ours[i] > theirs[i] for i in items)
    worse = sum(ours[i] < theirs[i] for i in items)
    return better, worse, len(items), reporter


def _best_mode(name: str) -> Mode:
    return max(find(name), key=lambda q: (q.scores, q.independent)).mode


def _tables(name: str, mode: str | None) -> Mapping[tuple[str, str], Table]:
    """Return reporter and harness -> items, of a model in one mode."""
    wanted = mode or (_best_mode(name) if repositories(name) else None)
    tables: dict[tuple[str, str], dict[str, float]] = {}
    for repository in repositories(name):
        for (reporter, harness, known), items in _scores().get(repository, {}).items():
            if known == wanted:
                tables.setdefault((reporter, harness), {}).update(items)
    return tables


@cache
def _scores() -> Mapping[str, Mapping[tuple[str, str, Mode], Table]]:
    """Return repository -> reporter, harness and mode -> items, from scores.csv.gz."""
    text = gzip.decompress(packaged(QUALITY / "scores.csv.gz")).decode("utf-8")
    out: dict[str, dict[tuple[str, str, Mode], dict[str, float]]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        mode = mode_of(row["hf_id"], row["mode"], row["effort"])
        if mode is not None:
            table = out.setdefault(row["hf_id"], {}).setdefault((row["reporter"], row["harness"], mode), {})
            table[row["item"]] = float(row["value"])
    return out
