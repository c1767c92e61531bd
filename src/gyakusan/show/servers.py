"""Servers that run on this computer."""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from gyakusan.errors import GyakusanError
from gyakusan.message import Message, duration, people, say
from gyakusan.serving.live import Live
from gyakusan.serving.registration import rows_of
from gyakusan.serving.running_servers import RunningServer
from gyakusan.show.served import comparison
from gyakusan.show.tree import Cell, Column, Fact, Facts, Next, Pause, Table, Tree, Verdict, Words, whole
from gyakusan.show.wording import counted_later, gib, home

LONGEST = 10 * 365 * 86_400.0
"""No server runs for ten years: an entry that says so does not know. [s]"""
HEAD_TEXTS = ("name", "model", "people", "GiB", "address", "up")


Seen = tuple[RunningServer, Live | None]
"""A server, and what it does now, None where nobody wrote it down."""


def screen(found: Sequence[Seen], now: datetime) -> Tree:
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
        Column(heads[0]), Column(heads[1]), Column(heads[2], "number"), Column(heads[3], "number"),
        Column(heads[4]), Column(heads[5], "number"),
    )  # fmt: skip
    rows = tuple(_row(entry, live, now) for entry, live in found)
    last = found[0][0].name
    steps = tuple(whole(f"gyakusan {c} {last}") for c in ("status", "logs", "stop"))
    return Verdict((sentence,), tone="plain"), Pause(), Table(columns, rows, indent=1), Pause(), Next(steps)


def _row(entry: RunningServer, live: Live | None, now: datetime) -> tuple[Cell, ...]:
    return (
        entry.name,
        say("{count} models", count=len(entry.models)) if entry.models else entry.model or "?",
        _people(entry, live),
        gib(entry.bytes) if entry.bytes else "?",
        urllib.parse.urlsplit(entry.url).netloc,
        _up(entry, live, now),
    )


def _people(entry: RunningServer, live: Live | None) -> Words:
    if not entry.users:
        return "?"
    return str(entry.users) if live is None else say("{now} of {most}", now=live.answering, most=entry.users)


def status(entry: RunningServer, live: Live | None, now: datetime) -> Tree:
    """Return what one server is, does and holds."""
    facts = [*described(entry), *_doing(live), Fact(say("memory"), (_held(entry, live),))]
    verdict = Verdict((state(entry, live, now),), tone="plain")
    told = (verdict, Pause(), Facts(tuple(facts)))
    rows = rows_of(entry)
    return (*told, Pause(), comparison(rows)) if rows else told


def described(entry: RunningServer) -> tuple[Fact, ...]:
    """Return what one server is: its models, program, address and key file."""
    return (
        *(_models(entry) if entry.models else [Fact(say("model"), (_described(entry),))]),
        Fact(say("server"), (f"{entry.engine} {entry.version}".strip() or "?",)),
        Fact(say("address"), (whole(entry.url),)),
        *([Fact(say("workers"), (", ".join(entry.workers),))] if entry.workers else []),
        *([Fact(say("key"), (home(Path(entry.key_file)),))] if entry.key_file else []),
    )


def _models(entry: RunningServer) -> list[Fact]:
    """Return what each of several models is planned for, and how many are loaded at once."""
    most = say("{most} of {count} at a time", most=entry.models_max, count=len(entry.models))
    told = [(m, {"users": people(m.users), "context": f"{m.context:,}", "bytes": gib(m.bytes)}) for m in entry.models]
    each = [Fact(whole(m.name), (say("{users} x {context} tokens, {bytes} GiB", **facts),)) for m, facts in told]
    return [Fact(say("loaded"), (most,)), *each]


def state(entry: RunningServer, live: Live | None, now: datetime) -> Message:
    """Return how long one server has run, or that it is loading, or starts again."""
    if not entry.ready:
        return say("{name} is loading its model.", name=entry.name)
    seconds = age(entry, now)
    time = "?" if seconds is None else duration(seconds)
    if live is not None and live.starting:
        return say("{name} runs for {time}; its server has ended and starts again.", name=entry.name, time=time)
    if live is not None and live.restarts == 1:
        return say("{name} runs for {time}, and was started again once.", name=entry.name, time=time)
    if live is not None and live.restarts:
        return say(
            "{name} runs for {time}, and was started again {n} times.", name=entry.name, time=time, n=live.restarts
        )
    return say("{name} runs for {time}.", name=entry.name, time=time)


def _described(entry: RunningServer) -> Message:
    told = {"model": entry.model or "?", "users": people(entry.users), "context": f"{entry.context:,}"}
    if entry.model.casefold().endswith(entry.quantization.casefold()):  # a file's name says it, or nobody knows it
        return say("{model} for {users} x {context} tokens", **told)
    return say("{model} {quantization} for {users} x {context} tokens", quantization=entry.quantization, **told)


def _doing(live: Live | None) -> list[Fact]:
    if live is None:
        return [Fact(say("now"), (say("not known: nothing was written down in the last 20 s"),))]
    now = say("{answering} answered, {waiting} waiting", answering=live.answering, waiting=live.waiting)
    refusals = f"{live.refusals:,}"
    done = say("{requests}, {refusals} refused, {tokens}", refusals=refusals, **_done(live))
    rate = "?" if live.unstreamed and not live.tokens_per_second else f"{live.tokens_per_second:,.1f}"
    speed = say("{speed} tokens/s, prompts and answers together", speed=rate)
    facts = [Fact(say("now"), (now,)), Fact(say("speed"), (speed,)), Fact(say("so far"), (done,))]
    if live.unstreamed:
        facts.append(Fact(say("counted later"), (counted_later(live.unstreamed),)))
    return facts


def _done(live: Live) -> dict[str, Message]:
    """Return how many requests and tokens a server has had, in words."""
    requests, tokens = live.requests, live.tokens
    return {
        "requests": say("1 request") if requests == 1 else say("{n} requests", n=f"{requests:,}"),
        "tokens": say("1 token") if tokens == 1 else say("{n} tokens", n=f"{tokens:,}"),
    }


def _held(entry: RunningServer, live: Live | None) -> Message:
    told = {"planned": gib(entry.bytes), "device": entry.device or "?"}
    planned = say("{planned} GiB planned on {device}", **told)
    most = entry.most_bytes or 0.0
    if most > entry.bytes and gib(most) != gib(entry.bytes):
        planned = say(
            "{planned} GiB planned on {device}, up to {most} as its cache of prompts fills", most=gib(most), **told
        )
    if live is None or live.resident is None:
        return planned
    return say("{planned}, {held} GiB of RAM held now", planned=planned, held=gib(float(live.resident)))


def unit_written(file: Path) -> Tree:
    """Return how a unit of systemd is switched on."""
    facts = (
        Fact(say("start"), (whole(f"systemctl --user enable --now {file.name}"),)),
        Fact(say("at boot"), (whole("loginctl enable-linger"),)),
        Fact(say("remove"), (whole(f"systemctl --user disable --now {file.name}"),)),
    )
    verdict = Verdict((say("The unit is written: {file}", file=home(file)),), tone="plain")
    return verdict, Pause(), Facts(facts)


def _up(entry: RunningServer, live: Live | None, now: datetime) -> Words:
    if not entry.ready:
        return say("loading")
    if live is not None and live.starting:
        return say("starts again")
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
        *([Fact(say("other computers"), (whole(entry.lan_url),))] if entry.lan_url else []),
        *([Fact(say("key"), (home(Path(entry.key_file)),))] if entry.key_file else []),
        *([Fact(say("log"), (home(Path(entry.log_file)),))] if entry.log_file else []),
        Fact(say("stop"), (whole(f"gyakusan stop {entry.name}"),)),
    ]
    sentence = say("{model} answers {people} at {url}", **told)
    if entry.models:
        several = {k: v for k, v in told.items() if k != "model"}
        sentence = say("{count} models answer {people} at {url}", count=len(entry.models), **several)
    verdict = Verdict((sentence,), tone="plain")
    rows = rows_of(entry)
    compared = (Pause(), comparison(rows)) if rows else ()
    return verdict, *compared, Pause(), Facts(tuple(facts)), Pause(), Next(steps(entry)[:2])


def stopped(entry: RunningServer, live: Live | None, now: datetime) -> Tree:
    """Return that a server was stopped, and what it did."""
    seconds = age(entry, now)
    if seconds is None:
        return (Verdict((say("Stopped {name}.", name=entry.name),), tone="plain"),)
    told = {"name": entry.name, "time": duration(seconds)}
    sentence = say("Stopped {name} after {time}.", **told)
    if live is not None and live.requests:
        sentence = say("Stopped {name} after {time}: {requests}, {tokens}.", **told, **_done(live))
    return (Verdict((sentence,), tone="plain"),)


def not_stopped(error: GyakusanError) -> Tree:
    """Return why a server was not stopped, and what mends it."""
    sentences = (error.message,) if error.mend is None else (error.message, error.mend)
    return (Verdict(sentences, tone="fails"),)
