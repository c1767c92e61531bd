"""Everything that nothing else beats, and what was left out: on the terminal and as CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gyakusan.core.quality import Score
from gyakusan.message import Message, say
from gyakusan.planning.select.exclusions import Excluded
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.result_rows import candidate_row, pareto_candidates
from gyakusan.show.plan_words import amounts
from gyakusan.show.tree import Column, Pause, Section, Table, Text, Title, Tree, Words, whole
from gyakusan.show.wording import brief, quality, short
from gyakusan.units import GIB

MANY = 3
"""From so many models on, a reason is written once, and the models are counted."""
NAMED = 12
"""Models that are named beside a reason."""


def listing(answer: Recommendation) -> Tree:
    """Return everything that nothing else beats in quality, speed and price, then what was left out, with reasons."""
    owned = answer.request.owned
    metric = answer.request.workload.quality_metric
    rows = tuple(_candidate(answer, candidate_row(answer.grid, i, metric)) for i in pareto_candidates(answer))
    heads = ("model", "files", "server", "tokens/s", "first", "quality", "GiB")
    columns: tuple[Column, ...] = tuple(Column(Message(h), "name" if n < 3 else "number") for n, h in enumerate(heads))
    if not owned:
        money = Column(Message(amounts(answer).head), "number")
        columns = (columns[0], columns[1], Column(say("machine")), columns[3], columns[5], money)
    return (
        Pause(),
        Title(say("Nothing beats these in quality, speed and price at once ({n}):", n=len(rows))),
        Table(columns, rows),
        Pause(),
        Title(say("Left out: {n} models", n=f"{len(answer.excluded):,}")),
        *_reasons(answer.excluded),
    )


def _candidate(answer: Recommendation, row: Mapping[str, Any]) -> tuple[Words, ...]:
    speed, first = ("?" if row[k] is None else short(row[k]) for k in ("tokens_per_second", "first_token"))
    points = quality(Score(row["quality"], row["quality_error"]))
    if answer.request.owned:
        return row["model"], row["quantization"], row["engine"], speed, first, points, f"{row['total'] / GIB:.1f}"
    price = amounts(answer).figure(row["price_jpy"])
    return row["model"], row["quantization"], whole(brief(row["machine"])), speed, points, price


def _reasons(excluded: Sequence[Excluded]) -> Iterator[Section | Table]:
    """Yield each reason: those that many models share once, with their names, the others in a table."""
    counts = Counter(str(e.reason) for e in excluded)
    shared = [text for text, n in counts.most_common() if n >= MANY]
    for text in shared:
        same = [e for e in excluded if str(e.reason) == text]
        names = ", ".join(e.name for e in same[:NAMED])
        more = say("{names} and {n} more", names=names, n=f"{len(same) - NAMED:,}") if len(same) > NAMED else names
        head = Text(say("{n} models: {reason}", n=f"{len(same):,}", reason=same[0].reason))
        yield Section(head, (Text(more, "note"),))
    rest = tuple((e.name, Text(e.reason, "note")) for e in excluded if str(e.reason) not in shared)
    if rest:
        yield Table((Column(), Column(kind="reason")), rest)


def comma_separated(answer: Recommendation) -> str:
    """Return everything that nothing beats, as CSV."""
    rows = [candidate_row(answer.grid, i, answer.request.workload.quality_metric) for i in pareto_candidates(answer)]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else ["model"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
