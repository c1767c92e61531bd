"""Servers that run on this computer."""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from gyakusan.message import Message, people, say
from gyakusan.serving.running_servers import RunningServer
from gyakusan.show.tree import Cell, Column, Fact, Facts, Next, Pause, Table, Tree, Verdict, Words, whole
from gyakusan.show.wording import duration, gib, home

LONGEST = 10 * 365 * 86_400.0
"""No server runs for ten years: an entry that says so does not know. [s]"""
HEAD_TEXTS = ("name", "model", "people", "context", "GiB", "on", "address", "up")


def screen(found: Sequence[RunningServer], now: datetime) -> Tree:
    """Return the servers that run. now: with its time zone."""
    if not found:
        verdict = Verdict((say("No server that gyakusan started runs on this computer."),), tone="plain")
        return verdict, Pause(), Next((whole("gyakusan serve smollm2 --detach"), whole("gyakusan get --list")))
    count = len(found)
    sentence = say("1 server runs on this computer.")
    if count > 1:
        sentence = say("{count} servers run on this computer.", count=count)
    heads = [Message(h) for h in HEAD_TEXTS]
    columns = (
        Column(heads[0]), Column(heads[1]), Column(heads[2], "number"), Column(heads[3], "number", leaves=3),
        Column(heads[4], "number", leaves=1), Column(heads[5], leaves=2), Column(heads[6]), Column(heads[7], "number"),
    )  # fmt: skip
    rows = tuple(_row(entry, now) for entry in found)
    last = found[0].name
    steps = (whole(f"gyakusan logs {last}"), whole(f"gyakusan connect {last}"), whole(f"gyakusan stop {last}"))
    return Verdict((sentence,), tone="plain"), Pause(), Table(columns, rows, indent=1), Pause(), Next(steps)


def _row(entry: RunningServer, now: datetime) -> tuple[Cell, ...]:
    return (
        entry.name,
        entry.model or "?",
        str(entry.users) if entry.users else "?",
        f"{entry.context:,}" if entry.context else "?",
        gib(entry.bytes) if entry.bytes else "?",
        entry.device or "?",
        urllib.parse.urlsplit(entry.url).netloc,
        _up(entry, now),
    )


def _up(entry: RunningServer, now: datetime) -> Words:
    if not entry.ready:
        return say("loading")
    seconds = age(entry, now)
    return "?" if seconds is None else duration(seconds)


def age(entry: RunningServer, now: datetime) -> float | None:
    """Return how long a server has run, None where nobody wrote down its start [s]."""
    try:
        begun = datetime.fromisoformat(entry.started).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    seconds = (now - begun).total_seconds()
    return max(0.0, seconds) if seconds < LONGEST else None


def steps(entry: RunningServer) -> tuple[str, ...]:
    """Return what can be typed to use a server."""
    return tuple(whole(f"gyakusan {c} {entry.name}") for c in ("chat", "connect", "stop"))


def detached(entry: RunningServer) -> Tree:
    """Return how a server that runs in the background is reached and stopped."""
    told = {"model": whole(entry.model), "people": people(entry.users), "url": whole(entry.url)}
    facts = [
        *([Fact(say("key"), (home(Path(entry.key_file)),))] if entry.key_file else []),
        *([Fact(say("log"), (home(Path(entry.log_file)),))] if entry.log_file else []),
        Fact(say("stop"), (whole(f"gyakusan stop {entry.name}"),)),
    ]
    verdict = Verdict((say("{model} answers {people} at {url}", **told),), tone="plain")
    return verdict, Pause(), Facts(tuple(facts)), Pause(), Next(steps(entry)[:2])


def stopped(entry: RunningServer, now: datetime) -> Tree:
    """Return that a server was stopped."""
    seconds = age(entry, now)
    if seconds is None:
        return (Verdict((say("Stopped {name}.", name=entry.name),), tone="plain"),)
    sentence = say("Stopped {name} after {time}.", name=entry.name, time=duration(seconds))
    return (Verdict((sentence,), tone="plain"),)
