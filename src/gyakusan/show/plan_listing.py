"""Everything that nothing else beats, and what was left out: on the terminal and as CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from math import isfinite

from gyakusan.core.quality import Score
from gyakusan.message import Message, duration, say
from gyakusan.planning.select.exclusions import Excluded
from gyakusan.planning.select.listed_plans import listed_candidates, plan_list
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.result_rows import candidate_row, files_are_made
from gyakusan.show.plan_words import amounts
from gyakusan.show.tree import Column, Next, Part, Pause, Section, Table, Text, Title, Tree, Words, whole
from gyakusan.show.wording import brief, quality, short
from gyakusan.units import GIB

MANY = 3
"""From so many models on, a reason is written once, and the models are counted."""
MADE_SIGN = "+"
"""Stands behind the files of a row that nobody publishes: who wants them makes them."""
CACHE_SIGN = "*"
"""Stands behind the files of a row whose KV cache has 8 bits."""
NAMED = 12
"""Models that are named beside a reason."""


def listing(answer: Recommendation) -> Tree:
    """Return everything that nothing beats in `compared_figures`, then what was left out, with reasons."""
    rows = listed_candidates(answer)
    doubt = () if plan_list(answer).surely or not rows else (Text(say("They may not fit at the high end of doubt.")),)
    parts: tuple[Part, ...] = (
        Pause(),
        Title(say("Nothing beats these in price and the low ends of quality and answer speed ({n}):", n=len(rows))),
        Table(
            _columns(answer),
            tuple(_candidate(answer, row) for row in rows),
            numbered=True,
            first=len(answer.plans) + 1,
            grouped=True,
        ),
        *_cache_note(answer, rows),
        *doubt,
    )
    if rows and answer.plans:
        parts += (Next((whole(f"gyakusan plan --details {len(answer.plans) + 1}"),)),)
    left = Title(say("Left out: {n} models", n=f"{len(answer.excluded):,}"))
    return (*parts, Pause(), left, *_reasons(answer.excluded))


def _cache_note(answer: Recommendation, rows: Sequence[int]) -> Iterator[Text]:
    """Yield what the signs behind files say, where a row has them."""
    if any(candidate_row(answer, row)["kv_type"] == "q8_0" for row in rows):
        yield Text(
            say("{sign} with a KV cache in 8 bits (--kv-type q8_0), which counts a little less", sign=CACHE_SIGN)
        )
    if any(files_are_made(candidate_row(answer, row)) for row in rows):
        yield Text(say("{sign} files that are made first: --details N has the commands", sign=MADE_SIGN))


def _columns(answer: Recommendation) -> tuple[Column, ...]:
    """Return the columns of what nothing beats; the model stands above its rows."""
    if answer.request.owned:
        heads: tuple[Words, ...] = (say("first"), say("quality"), "GiB")
        names = (say("model"), say("files"), say("server"))
    else:
        heads = (say("quality"), Message(amounts(answer).head))
        names = (say("model"), say("machine"), say("files"))
    speeds = (Column(say("tokens/s"), "number"), Column(say("answer"), "number"))
    return (*map(Column, names), *speeds, *(Column(head, "number") for head in heads))


def _candidate(answer: Recommendation, index: int) -> tuple[Words, ...]:
    """Return one row: what runs, its tokens/s, those of the answer beside thinking, and what they cost."""
    row = candidate_row(answer, index)
    signs = (CACHE_SIGN if row["kv_type"] == "q8_0" else "") + (MADE_SIGN if files_are_made(row) else "")
    files = row["quantization"] + signs
    visible = float(answer.grid.cells.expected_visible_tokens_per_s[index])
    speeds = tuple("?" if x is None or not isfinite(x) else short(x) for x in (row["tokens_per_second"], visible))
    first: Words = "?" if row["first_token"] is None else duration(row["first_token"])
    cells = answer.grid.cells  # the row is rounded already: what is rounded twice shows another figure than the plan
    points = quality(Score(float(cells.quality[index]), float(cells.error[index])))
    if answer.request.owned:
        return row["model"], files, row["engine"], *speeds, first, points, f"{row['total'] / GIB:.1f}"
    price = amounts(answer).figure(row["price_jpy"])
    return row["model"], whole(brief(row["machine"])), files, *speeds, points, price


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
    rows = [candidate_row(answer, i) for i in plan_list(answer).rows]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else ["model"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
