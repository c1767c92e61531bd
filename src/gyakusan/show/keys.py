"""Keys of people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from gyakusan.message import Message, say
from gyakusan.serving.access import KEY_VARIABLE
from gyakusan.serving.front.people import Person
from gyakusan.serving.running_servers import RunningServer
from gyakusan.show.tree import Address, Cell, Column, Next, Pause, Table, Text, Tree, Verdict, whole

HEAD_TEXTS = ("name", "made", "valid until", "requests/min", "tokens/min")


def listed(found: Sequence[Person], today: date) -> Tree:
    """Return the people who have a key."""
    if not found:
        verdict = Verdict((say("Nobody has a key of their own."),), tone="plain")
        return verdict, Pause(), Next((whole("gyakusan keys add NAME"),))
    sentence = say("1 person has a key.") if len(found) == 1 else say("{count} people have keys.", count=len(found))
    heads = [Message(h) for h in HEAD_TEXTS]
    columns = (
        Column(heads[0]),
        Column(heads[1], leaves=1),
        Column(heads[2]),
        *(Column(h, "number") for h in heads[3:]),
    )
    rows = tuple(_row(person, today) for person in found)
    return Verdict((sentence,), tone="plain"), Pause(), Table(columns, rows, indent=1)


def _row(person: Person, today: date) -> tuple[Cell, ...]:
    until: Cell = say("no end") if person.until is None else person.until.isoformat()
    if not person.valid(today):
        until = say("{day} (over)", day=str(person.until))
    return person.name, person.made.isoformat(), until, _limit(person.requests), _limit(person.tokens)


def _limit(number: int) -> Cell:
    return f"{number:,}" if number else say("as the server")


def made(name: str, key: str, running: Sequence[RunningServer] = ()) -> Tree:
    """Return a key that was made, which is shown this once. running: the servers that run on this computer."""
    verdict = Verdict((say("{name} has a key. It is shown only now:", name=name),), tone="plain")
    use = say("Servers that were started with --people-keys accept it within a second.")
    accepting = [server.name for server in running if server.people_keys]
    steps = [" ".join(["gyakusan connect", *accepting[:1], "--for curl"])]  # what the person is told is printed there
    told = say(
        "{name} types it once in a shell, as {line}; what programs are told then: {command}",
        name=name, line=whole(f"export {KEY_VARIABLE}=KEY"), command=whole("gyakusan connect"),
    )  # fmt: skip
    if running and not any(server.people_keys for server in running):
        names = ", ".join(server.name for server in running)
        use = say(
            "No running server accepts it ({names}): none was started with --people-keys. Stop it, and start it with: {command}",
            names=names,
            command=whole("gyakusan serve ... --people-keys"),
        )
        steps = []
    texts = Text(use), Text(told)
    then = (Next(tuple(whole(step) for step in steps)),) if steps else ()
    return verdict, Pause(), Address(whole(key)), Pause(), *texts, *then


def revoked(name: str) -> Tree:
    """Return that a key is gone."""
    return (
        Verdict(
            (say("The key of {name} is not valid any more: running servers refuse it within a second.", name=name),),
            tone="plain",
        ),
    )
