"""Everything that nothing else beats, and what was left out: on the terminal and as CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence

from gyakusan.core.quality import Score
from gyakusan.message import Message, duration, say
from gyakusan.planning.select.exclusions import Excluded
from gyakusan.planning.select.listed_plans import listed_rows
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.result_rows import CandidateRow, candidate_row, pareto_candidates
from gyakusan.show.plan_words import amounts
from gyakusan.show.tree import Column, Next, Part, Pause, Section, Table, Text, Title, Tree, Words, whole
from gyakusan.show.wording import brief, quality, short
from gyakusan.units import GIB

MANY = 3
"""From so many models on, a reason is written once, and the models are counted."""
NAMED = 12
"""Models that are named beside a reason."""


def listing(answer: Recommendation) -> Tree:
    """Return everything that nothing else beats in quality, speed and price, then what was left out, with reasons."""
    rows = listed_rows(answer)
    parts: tuple[Part, ...] = (
        Pause(),
        Title(say("Nothing beats these in quality, speed and price at once ({n}):", n=len(rows))),
        Table(
            _columns(answer),
            tuple(_candidate(answer, row) for row in rows),
            numbered=True,
            first=len(answer.plans) + 1,
            grouped=True,
        ),
    )
    if rows and answer.plans:
        parts += (Next((whole(f"gyakusan plan --details {len(answer.plans) + 1}"),)),)
    left = Title(say("Left out: {n} models", n=f"{len(answer.excluded):,}"))
    return (*parts, Pause(), left, *_reasons(answer.excluded))


def _columns(answer: Recommendation) -> tuple[Column, ...]:
    """Return the columns of what nothing beats; the model stands above its rows."""
    if answer.request.owned:
        heads: tuple[Words, ...] = (say("tokens/s"), say("first"), say("quality"), "GiB")
        names = (say("model"), say("files"), say("server"))
    else:
        heads = (say("tokens/s"), say("quality"), Message(amounts(answer).head))
        names = (say("model"), say("machine"), say("files"))
    return (*map(Column, names), *(Column(head, "number") for head in heads))


def _candidate(answer: Recommendation, row: CandidateRow) -> tuple[Words, ...]:
    speed = "?" if row["tokens_per_second"] is None else short(row["tokens_per_second"])
    first: Words = "?" if row["first_token"] is None else duration(row["first_token"])
    points = quality(Score(row["quality"], row["quality_error"]))
    if answer.request.owned:
        return row["model"], row["quantization"], row["engine"], speed, first, points, f"{row['total'] / GIB:.1f}"
    price = amounts(answer).figure(row["price_jpy"])
    return row["model"], whole(brief(row["machine"])), row["quantization"], speed, points, price


def _reasons(excluded: Sequence[Excluded]) -> Iterator[Section | Table]:
    """Yield each reason: those that many models share once, with their names, the others in tables."""
    counts = Counter(str(e.reason) for e in excluded)
    shared = [text for text, n in counts.most_common() if n >= MANY]
    for text in shared:
        same = [e for e in excluded if str(e.reason) == text]
        names = ", ".join(e.name for e in same[:NAMED])
        more = say("{names} and {n} more", names=names, n=f"{len(same) - NAMED:,}") if len(same) > NAMED else names
        head = Text(say("{n} models: {reason}", n=f"{len(same):,}", reason=same[0].reason))
        yield Section(head, (Text(more, "note"),))
    alone = [e for e in excluded if str(e.reason) not in shared]
    replaced = [e for e in alone if e.reason.facts.keys() >= {"other", "its", "mine"}]
    if replaced:
        yield _replaced(replaced)
    rest = tuple((e.name, Text(e.reason, "note")) for e in alone if e not in replaced)
    if rest:
        yield Table((Column(), Column(kind="reason")), rest)


def _replaced(excluded: Sequence[Excluded]) -> Section:
    """Return the models for which another one stands, in a line each: both names, both qualities."""
    rows = tuple((e.name, e.reason.facts["other"], "{mine} < {its}".format(**e.reason.facts)) for e in excluded)
    columns = (Column(say("model")), Column(say("newer model")), Column(say("quality"), "number"))
    head = say("{n} models: a newer one is better; --model plans it", n=f"{len(rows):,}")
    return Section(Text(head), (Table(columns, rows),))


def comma_separated(answer: Recommendation) -> str:
    """Return everything that nothing beats, as CSV."""
    rows = [candidate_row(answer.grid, i, answer.request.workload.quality_metric) for i in pareto_candidates(answer)]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else ["model"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
