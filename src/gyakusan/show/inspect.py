"""The answer of `gyakusan inspect` for one engine: verdict, question, ledger, speed, quality, limits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from msgspec import Struct

from gyakusan.core.ledger import Account, Ledger
from gyakusan.core.load import Load
from gyakusan.doors.shell import shell_word
from gyakusan.engines.deployment import Deployment
from gyakusan.message import Message, people, say
from gyakusan.planning.predict.assessment import ANSWER, Assessment
from gyakusan.planning.predict.capacity import MOST_USERS, Capacity
from gyakusan.planning.predict.speed import TurnShape
from gyakusan.planning.predict.speed_inputs import host_bandwidth
from gyakusan.planning.predict.ways import Way
from gyakusan.show import assessment, ledger, ways
from gyakusan.show.tree import Fact, Facts, Next, Pause, Question, Text, Tree, Verdict, Words, whole
from gyakusan.show.wording import format_name, gib, machine_words, needed_gib, rate, spare_gib
from gyakusan.units import GIB

SAID_ELSEWHERE = ("The computer's RAM is unknown, so it is not checked.",)
"""Notes of engines that the screen says in another place."""
HALF = (40, 60)
"""A context that is so full in the middle of an answer, for which its speed is computed, is called half full. [%]"""


class Inspected(Struct, frozen=True):
    """What inspect found about one deployment.

    deployment: what was asked for
    value: its ledger
    refusals: why the engine would not run it
    judged: its speed and quality
    limits: how far its load can grow, None where it does not fit
    ways: changes with which it fits, where it does not surely fit
    defaults: what nobody typed: "context", "users"
    here: True if the machine is this computer
    most: what was asked as "max": "context", "users"
    """

    deployment: Deployment
    value: Ledger
    refusals: tuple[Message, ...]
    judged: Assessment
    limits: Capacity | None
    ways: tuple[Way, ...] = ()
    defaults: frozenset[str] = frozenset()
    here: bool = False
    most: frozenset[str] = frozenset()

    @property
    def runs(self) -> bool:
        """True if the engine runs it, it surely fits, and the model was trained for the context."""
        return not self.refusals and self.value.fit == "fits" and not self.value.beyond_training


def screen(found: Inspected, *, why: bool = False) -> Tree:
    """Return the whole answer. why: with each part's formula."""
    head: Tree = (_verdict(found), Pause(), _question(found), Pause())
    if found.refusals:
        return (*head[:-1], Pause(), Next((say("add {flag}", flag="--engine all"),)))
    if why:
        return (*head, *ledger.why(found.value), Facts(tuple(_facts(found))))
    if found.value.fit == "short":
        body = (*ways.to_fit(found.ways), Pause(), Text(ledger.takes(found.value)), *_speed_unknown(found))
        return (*head, *body, *ways.next_step(found.ways))
    if found.value.fit == "unsure":
        return (*head, *ways.to_be_sure(found.value, found.ways), *ways.next_step(found.ways))
    body = (*ledger.tables(found.value), Pause(), Facts(tuple(_facts(found))))
    step = ways.next_step(found.ways) if found.ways else (Pause(), _next(found))
    return (*head, *body, *step)


def _speed_unknown(found: Inspected) -> Tree:
    """Return why the ways have no speed, where none has."""
    known = any(w.judged.speed for w in found.ways) or found.judged.unknown is None
    return () if known else (Text(found.judged.unknown or ""),)


def _verdict(found: Inspected) -> Verdict:
    if found.refusals:
        return Verdict(found.refusals, tone="fails")
    told: dict[str, Words] = {
        "model": whole(found.value.model.name),
        "machine": machine_words(found.deployment.machine),
        "users": people(int(found.value.load.users)),
        "context": f"{found.value.load.context:,}",
    }
    tightest = found.value.tightest
    if tightest.spare is None:
        high = needed_gib(float(tightest.at_most))
        return Verdict(
            (say("{model} takes {high} GiB; the memory is unknown.", **told, high=high), _answers(found, told))
        )
    if found.value.beyond_training:
        trained = f"{found.value.model.trained_context:,}"
        beyond = say("{model} was *trained for {trained} tokens*; {context} are asked for.", **told, trained=trained)
        return Verdict((beyond, *_memory_alone(found, told)), tone="doubt")
    match found.value.fit:
        case "fits":
            return Verdict((_fits(found, told, float(tightest.spare)), _answers(found, told)), tone="fits")
        case "unsure":
            first = say("{model} *may not fit* on {machine} for {users} with {context} tokens.", **told)
            return Verdict((first, _straddles(found, tightest)), tone="doubt")
        case _:
            first = say("{model} *does not fit* on {machine} for {users} with {context} tokens.", **told)
            return Verdict((first, _missing(found, tightest)), tone="fails")


def _memory_alone(found: Inspected, told: dict[str, Words]) -> tuple[Message, ...]:
    """Return whether the memory would do, where the context is beyond what the model can use."""
    spare = float(found.value.tightest.spare or 0)
    if found.value.fit == "fits":
        return (say("The memory of {machine} would do, with {spare} GiB to spare.", **told, spare=spare_gib(spare)),)
    return (
        _straddles(found, found.value.tightest)
        if found.value.fit == "unsure"
        else _missing(found, found.value.tightest),
    )


def _fits(found: Inspected, told: dict[str, Words], spare: float) -> Message:
    several = sum(a.device.kind != "host" for a in found.value.accounts) > 1
    told = {**told, "spare": spare_gib(spare)}
    if several:
        return say("{model} *fits* on {machine} with at least {spare} GiB to spare on each.", **told)
    return say("{model} *fits* on {machine} with at least {spare} GiB to spare.", **told)


def _answers(found: Inspected, told: dict[str, Words]) -> Message:
    """Return whom it answers, with how much context, how fast."""
    pace, users = found.judged.speed, int(found.value.load.users)
    told = {**told, "speed": rate(pace.decode_each.value) if pace else "?"}
    if not found.deployment.model.memory:
        return say("It turns texts of up to {context} tokens into vectors for {users}.", **told)
    if "users" in found.most:
        return _at_most_users(told, known=pace is not None)
    if "context" in found.most:
        if users == 1:
            return say("The longest context that fits is {context} tokens, at {speed} tokens/s.", **told)
        return say("The longest context that fits {users} is {context} tokens each, at {speed} tokens/s each.", **told)
    if pace is None:
        return say("It answers {users} with {context} tokens of context; the speed is unknown.", **told)
    if users == 1:
        return say("It answers {users} with {context} tokens of context at {speed} tokens/s.", **told)
    return say("It answers {users} with {context} tokens of context each at {speed} tokens/s each.", **told)


def _at_most_users(told: dict[str, Words], *, known: bool) -> Message:
    if not known:
        return say("At most {users} fit with {context} tokens each; the speed is unknown.", **told)
    return say("At most {users} fit with {context} tokens each, at {speed} tokens/s each.", **told)


def _straddles(found: Inspected, account: Account) -> Message:
    """Return what a memory takes at both ends of doubt."""
    usable = float(account.device.usable or 0)
    low, high = float(account.at_least), float(account.at_most)
    digits = 1 if f"{low / GIB:.1f}" != f"{high / GIB:.1f}" and low > GIB else 2
    told = {name: f"{size / GIB:,.{digits}f}" for name, size in (("low", low), ("high", high), ("usable", usable))}
    if account.device.kind == "host" and len(found.value.accounts) > 1:
        return say("It takes {low} to {high} GiB of RAM, and {usable} GiB are usable.", **told)
    return say("It takes {low} to {high} GiB, and {usable} GiB are usable.", **told)


def _missing(found: Inspected, account: Account) -> Message:
    """Return both sides on the device that lacks most: what is missing is what the high end needs beyond it, as pages say it."""
    usable, low, high = float(account.device.usable or 0), float(account.at_least), float(account.at_most)
    needed: Words = gib(high) if gib(low) == gib(high) else say("{low} to {high}", low=gib(low), high=gib(high))
    small = f"{math.ceil((high - usable) / GIB * 100) / 100:.2f}"
    told = {"needed": needed, "usable": gib(usable), "missing": small if high < GIB else needed_gib(high - usable)}
    gpus = [a for a in found.value.accounts if a.device.kind != "host"]
    if account.device.kind == "host" and gpus:
        return say("{needed} GiB of RAM are needed, {usable} GiB are usable, {missing} GiB are missing.", **told)
    if len(gpus) > 1:
        n = next(i for i, a in enumerate(gpus) if a is account)
        return say("GPU {n} needs {needed} GiB, {usable} GiB are usable, {missing} GiB are missing.", n=n, **told)
    return say("{needed} GiB are needed, {usable} GiB are usable, {missing} GiB are missing.", **told)


def _question(found: Inspected) -> Question:
    d, load = found.deployment, found.value.load
    engine = whole(f"{found.value.engine.name} {found.value.engine.version}")
    facts = {
        "users": people(int(load.users)), "context": _context(found), "prompt": f"{found.judged.turn.prompt:,.0f}",
        "answer": f"{found.judged.turn.answer:,.0f}",
        "quantization": format_name(d.quantization), "engine": engine, "cache": whole(d.cache_type),
    }  # fmt: skip
    if not d.model.memory:
        return Question((say("{users} x {context}, {quantization}, {engine}", **facts),))
    if found.value.fit != "fits" or found.refusals:
        return Question((say("{users} x {context}, {quantization}, {engine}, KV cache {cache}", **facts),))
    facts["context"] = _context(found, used=_used(found.judged.turn, found.value.load))
    if found.judged.turn.answer != ANSWER:  # an answer as in a chat goes without saying
        told = say("{users} x {context}, prompts of {prompt}, answers of {answer}, {engine}, KV cache {cache}", **facts)
        return Question((told,))
    return Question((say("{users} x {context}, prompts of {prompt}, {engine}, KV cache {cache}", **facts),))


def _used(turn: TurnShape, load: Load) -> int:
    """Return how much of a context is used in the mean of an answer: earlier turns, the prompt, half of the answer [%]."""
    return round(100 * float(turn.context) / int(load.context))


def _context(found: Inspected, *, used: int | None = None) -> Message:
    """Return the context in words. used: how much of it, where a speed is shown, which depends on it [%]."""
    told, given = {"context": f"{found.value.load.context:,}"}, "context" not in found.defaults
    if used is not None and not HALF[0] <= used <= HALF[1]:
        told["used"] = str(used)
        return (
            say("{context} tokens, {used} % full", **told)
            if given
            else say("{context} tokens (default), {used} % full", **told)
        )
    if used is not None:
        return (
            say("{context} tokens, half full", **told)
            if given
            else say("{context} tokens (default), half full", **told)
        )
    return say("{context} tokens", **told) if given else say("{context} tokens (default)", **told)


def _facts(found: Inspected) -> Iterator[Fact]:
    value = found.value
    if value.fit == "fits":
        yield from assessment.facts(found.judged, int(value.load.users), answers=bool(value.model.memory))
        if found.limits is not None:
            yield Fact(say("At most"), (_at_most(found.limits, value, found.most),))
    assumed, ram = _assumed(value), tuple(_assumed_ram(found))
    if assumed and ram:  # one line where both fit
        assumed, ram = (*assumed[:-1], say("{first}; {second}", first=assumed[-1], second=ram[0])), ()
    assumed += ram
    if assumed:
        yield Fact(say("Assumed"), assumed)
    unknown = tuple(_unknown(found))
    if unknown:
        yield Fact(say("Unknown"), unknown)
    notes = _told_notes(value)
    if notes:
        yield Fact(say("Note"), notes)


def _at_most(limits: Capacity, value: Ledger, most: frozenset[str]) -> Message:
    users, context = int(value.load.users), int(value.load.context)
    told = {
        "context": f"{limits.context:,}", "users": people(users), "asked": f"{context:,}",
        "most": people(limits.users) if limits.users < MOST_USERS else say("{n} people or more", n=f"{MOST_USERS:,}"),
    }  # fmt: skip
    trained = value.model.trained_context
    if limits.trained and context > trained:
        return say("{context} tokens: all that the model was trained for", **told)
    if users == 1 and limits.users <= 1:
        if limits.trained:
            return say("{context} tokens: all that the model was trained for", **told)
        return say("{context} tokens for 1 person", **told)
    if limits.trained:
        if limits.context == context:
            return say("{context} tokens, all that the model was trained for, for {most}", **told)
        return say("{context} tokens, all that the model was trained for; {most} with {asked}", **told)
    if users == 1:
        return say("{context} tokens for 1 person, or {most} with {asked} each", **told)
    return say("{context} tokens each for {users}, or {most} with {asked} each", **told)


def _assumed(value: Ledger) -> tuple[Message, ...]:
    """Return what each device keeps for itself, once."""
    found: dict[str, Message] = {}
    for account in value.accounts:
        d = account.device
        if not d.reserved or d.memory is None:
            continue
        told = {"kept": gib(d.reserved), "memory": gib(d.memory), "reason": d.reserved_reason or ""}
        if d.kind == "gpu" and d.reserved_basis == "assumed":
            line = say("{kept} of {memory} GiB for the driver; a display needs more (--reserve)", **told)
        elif d.reserved_basis == "read" and d.reserved_reason is not None:
            line = d.reserved_reason
        elif d.reserved_basis == "derived":
            line = say("{kept} of {memory} GiB: {reason}", **told)
        else:
            line = say("{kept} of {memory} GiB for the system (--reserve)", **told)
        found.setdefault(str(line), line)
    return tuple(found.values())


def _assumed_ram(found: Inspected) -> Iterator[Message]:
    """Yield the bandwidth of the RAM where a speed rests on it and nobody knows it."""
    d = found.deployment
    host = d.machine.host
    if found.judged.speed is None or not found.judged.turn.host.held or not d.machine.gpus:
        return
    if host is None or not host.bandwidth:
        yield say("{n} GB/s for the RAM (--bandwidth)", n=f"{host_bandwidth(d.machine) / 1e9:.0f}")


def _unknown(found: Inspected) -> Iterator[Message]:
    if found.judged.speed is None and found.judged.unknown is not None and found.deployment.model.memory:
        yield found.judged.unknown


def _told_notes(value: Ledger) -> tuple[Message, ...]:
    return tuple(n for n in value.notes if n.template not in SAID_ELSEWHERE)


def _next(found: Inspected) -> Next:
    d = found.deployment
    more: Sequence[Words] = (say("add {flag}", flag="--why"),)
    if found.here and d.rules.server() is not None and _can_be_served(d):
        load = f"--context {d.load.context} --users {d.load.users}"
        more = (f"gyakusan serve {shell_word(d.model.source)} {load}", *more)
    return Next(tuple(more))


def _can_be_served(d: Deployment) -> bool:
    """Return True for a GGUF file of this computer as it is: `gyakusan serve` fetches and converts nothing."""
    return d.model.source.endswith(".gguf") and "://" not in d.model.source and d.model.stored is not None
