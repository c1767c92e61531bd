"""Files that were fetched or found, and all models on this computer."""

from __future__ import annotations

from gyakusan.fetching.agreement import NEAR
from gyakusan.fetching.get import Ask, Got, gigabytes, held
from gyakusan.fetching.stock import Stock
from gyakusan.message import Message, duration, people, say
from gyakusan.show.tree import Cell, Column, Fact, Facts, Next, Pause, Table, Text, Tree, Verdict, whole
from gyakusan.show.wording import gib, home

HEAD_TEXTS = ("model", "kept by", "file")


def checking(ask: Ask) -> Message:
    """Return what is to be fetched, and what is free."""
    size = "?" if ask.missing is None else gigabytes(ask.missing, up=True)
    if ask.place is None:
        return say("{size} to fetch, by Ollama", size=size)
    free = "?" if ask.free is None else gigabytes(ask.free)
    return say("{size} to fetch, {free} free in {folder}", size=size, free=free, folder=home(ask.place.root))


def screen(got: Got, typed: str, memory: tuple[float, float, int, int] | None = None) -> Tree:
    """Return what is here now. typed: the plan or model that was asked for.

    memory: of the plan and by the file's header [B], users, context [tokens]; None where no plan was asked for
    """
    facts = [Fact(say("file"), (home(got.path),))] if got.path is not None else []
    if got.projector is not None:
        facts.append(Fact(say("image part"), (home(got.projector),)))
    facts += [Fact(say("left out"), (say("{file}: {why}", file=s.file, why=s.why),)) for s in got.skipped]
    step = f"gyakusan get {typed}" if got.state == "planned" else f"gyakusan serve {typed}"
    parts: Tree = (Verdict((_verdict(got), *(_agreement(*memory) if memory else ())), tone="plain"),)
    return (*parts, *((Pause(), Facts(tuple(facts))) if facts else ()), Pause(), Next((whole(step),)))


def _verdict(got: Got) -> Message:
    told = {
        "name": whole(_name(got)),
        "size": "?" if got.bytes is None else whole(gigabytes(got.bytes, up=True)),
        "program": got.program,
    }
    if got.state == "planned":
        missing = "?" if got.missing is None else whole(gigabytes(got.missing, up=True))
        if got.by_catalogue:
            return say("{name} would be fetched: {size} by the catalogue; the hub could not be asked.", **told)
        return say("{name} would be fetched: {missing} of {size}.", **told, missing=missing)
    if got.state == "here":
        return say("{name} is here already: {size}, kept by {program}.", **told)
    if got.checked:
        return say("{name} is here: {size}, checksum right, {time}.", **told, time=duration(got.seconds))
    template = "{name} is here: {size}, {time}. The hub lists no checksum."
    return say(template, **told, time=duration(got.seconds))


def _name(got: Got) -> str:
    """Return the model with its format, where the name does not say it."""
    name, form = got.wanted.name, got.wanted.quantization
    return f"{name} {form}" if form and form.casefold() not in name.casefold() else name


def _agreement(planned: float, found: float, users: int, context: int) -> tuple[Message, ...]:
    """Return whether the file is what the plan counted with."""
    told = {"users": people(users), "context": f"{context:,}", "found": whole(f"{gib(found)} GiB")}
    if abs(found - planned) <= NEAR * planned:
        return (say("The file's header agrees with the plan: {found} for {users} x {context} tokens.", **told),)
    template = "By the file's header it takes {found} for {users} x {context} tokens; {planned} are planned."
    return (say(template, **told, planned=whole(f"{gib(planned)} GiB")),)


def stock(found: Stock) -> Tree:
    """Return all models on this computer."""
    if not found.models:
        verdict = Verdict((say("No models are on this computer."),), tone="plain")
        return (
            verdict,
            *_unfinished(found),
            Pause(),
            Next((whole("gyakusan get gpt-oss-20b"), whole("gyakusan plan"))),
        )
    columns = (
        Column(Message(HEAD_TEXTS[0])), Column("GB", "number"), Column(Message(HEAD_TEXTS[1])),
        Column(Message(HEAD_TEXTS[2]), wide=True),
    )  # fmt: skip
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (m.name, f"{m.bytes / 1e9:.1f}" if m.bytes >= 1e8 else "<0.1", m.program, home(m.path)) for m in found.models
    )
    size = whole(held(found.bytes))
    count = len(found.models)
    sentence = say("1 model is on this computer: {size}.", size=size)
    if count > 1:
        sentence = say("{count} models are on this computer: {size}.", count=f"{count:,}", size=size)
    step = whole(f"gyakusan serve {found.models[0].name}")
    return (
        Verdict((sentence,), tone="plain"), Pause(), Table(columns, rows, indent=1), *_unfinished(found), Pause(), Next((step,)),
    )  # fmt: skip


def _unfinished(found: Stock) -> Tree:
    """Return the note about files that are not whole."""
    if not found.unfinished:
        return ()
    told = {"count": len(found.unfinished), "size": whole(gigabytes(found.unfinished_bytes, up=True))}
    template = "Unfinished files: {count}, {size}. The same gyakusan get goes on with them."
    return (Pause(), Text(say(template, **told), "note"))
