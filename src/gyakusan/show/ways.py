"""Ways to make a model fit, or to be sure that it does: numbered, each with what to add to the command."""

from __future__ import annotations

from collections.abc import Sequence

from gyakusan.core.ledger import Account, Ledger
from gyakusan.message import Listed, Message, say
from gyakusan.planning.predict.ways import Way
from gyakusan.show.assessment import between
from gyakusan.show.ledger import label
from gyakusan.show.tree import Column, Next, Pause, Table, Text, Tree, whole
from gyakusan.show.wording import gib, rate, spare_gib

WIDE = 2.0
"""A speed is shown with its interval where its high end is this many times its centre."""


def to_fit(ways: Sequence[Way]) -> Tree:
    """Return what can be changed so that it fits."""
    if not ways:
        return (Text(say("No change of one thing makes it fit here.")),)
    rows = tuple((_changes(w), _speed(w), whole(w.options)) for w in ways)
    columns = (Column(say("change")), Column(say("tokens/s")), Column(say("add to the command")))
    return (Text(say("Ways to make it fit, best first")), Table(columns, rows, numbered=True))


def to_be_sure(value: Ledger, ways: Sequence[Way]) -> Tree:
    """Return the part that decides, and what can be changed so that it surely fits."""
    rows = tuple((_changes(w), whole(f"{spare_gib(w.surely_left)} GiB"), whole(w.options)) for w in ways)
    columns = (Column(say("way")), Column(say("to spare"), "number"), Column(say("add to the command")))
    more = (Text(say("To be sure, take one of these")), Table(columns, rows, numbered=True)) if rows else ()
    return (Text(deciding(value.tightest)), *more)


def deciding(account: Account) -> Message:
    """Return the part whose doubt is largest, with its range."""
    line = max(account.lines, key=lambda x: 0.0 if x.grows else float(x.greatest - x.least))
    told = {"part": label(line, account), "low": gib(float(line.least)), "high": gib(float(line.greatest))}
    if line.basis == "measured":
        return say("What decides: {part}, {low} to {high} GiB on the computers that were seen.", **told)
    return say("What decides: {part}, {low} to {high} GiB.", **told)


def next_step(ways: Sequence[Way]) -> Tree:
    """Return the first way, to be added to the command."""
    return (Pause(), Next((say("add {flag}", flag=ways[0].options),))) if ways else ()


def _changes(way: Way) -> Message:
    told = list(way.changes)
    if round(way.points_lost) >= 1:
        points = round(way.points_lost)
        told[0] = (
            say("{change} (-1 point)", change=told[0])
            if points == 1
            else say("{change} (-{points} points)", change=told[0], points=points)
        )
    return say("{changes}", changes=Listed(tuple(told)))


def _speed(way: Way) -> str:
    pace = way.judged.speed
    if pace is None:
        return "?"
    each = pace.decode_each
    return between(each) if each.high > WIDE * each.value else rate(each.value)
