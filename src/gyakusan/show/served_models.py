"""Several models behind one address: which fit into memory together, what each takes, how they are reached."""

from __future__ import annotations

from gyakusan.doors.shell import shell_word
from gyakusan.engines.base import Command
from gyakusan.message import Message, people, say
from gyakusan.serving.model_group import ModelGroup
from gyakusan.serving.service import Service
from gyakusan.show import wording
from gyakusan.show.served import build, comparison, unencrypted
from gyakusan.show.servers import steps
from gyakusan.show.tree import Address, Column, Next, Pause, Table, Text, Tree, Verdict, whole
from gyakusan.show.wording import gib

HEAD_TEXTS = ("name", "model", "people", "tokens each", "GiB", "loaded")


def together(group: ModelGroup) -> Message:
    """Return how many models are loaded at once, and what the worst of them take."""
    share = min(group.shares, key=lambda s: s.spare)
    told = {"device": whole(share.device), "bytes": gib(share.bytes)}
    room = "?" if share.usable is None else gib(share.usable)
    count = len(group.members)
    if share.spare < 0:
        return say("They may not fit: {bytes} of {usable} GiB of {device} are needed.", usable=room, **told)
    if group.models_max == count:
        return say(
            "All {count} are loaded together: they take up to {bytes} of {usable} GiB of {device}.",
            count=count, usable=room, **told,
        )  # fmt: skip
    if group.models_max == 1:
        return say(
            "One is loaded at a time: the largest, {worst}, takes up to {bytes} of {usable} GiB of {device}.",
            worst=whole(share.worst[0]), usable=room, **told,
        )  # fmt: skip
    return say(
        "{most} are loaded at a time: the largest, {worst}, take up to {bytes} of {usable} GiB of {device}.",
        most=group.models_max, worst=", ".join(map(whole, share.worst)), usable=room, **told,
    )  # fmt: skip


def _waits(group: ModelGroup) -> tuple[Text, ...]:
    if group.models_max == len(group.members):
        return ()
    return (
        Text(say("A request for another unloads the one that was not used for longest; its users wait meanwhile.")),
    )


def models(group: ModelGroup) -> Table:
    """Return the models with what each takes."""
    heads = [Message(h) for h in HEAD_TEXTS]
    columns = (
        Column(heads[0]), Column(heads[1]), Column(heads[2], "number"), Column(heads[3], "number"),
        Column(heads[4], "number"), Column(heads[5]),
    )  # fmt: skip
    rows = tuple(
        (
            member.name,
            f"{member.asked.name} {member.asked.quantization}".strip(),
            str(int(member.asked.load.users)),
            f"{int(member.asked.load.context):,}",
            gib(member.bytes),
            say("at the start") if member.name in group.first else say("when asked"),
        )
        for member in group.members
    )
    return Table(columns, rows, indent=1)


def ready(group: ModelGroup, running: Service, *, once: bool) -> Tree:
    """Return how the models are reached, and what their memory is beside the prediction."""
    entry = running.entry
    told = {"count": len(group.members), "people": people(group.users), "url": whole(running.url)}
    verdict = Verdict((say("{count} models answer {people} at {url}", **told), together(group)), tone="plain")
    first = group.members[0].asked
    rows = running.buffers
    return (
        verdict,
        *_waits(group),
        Pause(),
        models(group),
        Pause(),
        build(running.report.version, first.rules.VERSION),
        *((comparison(rows),) if rows else ()),
        *((Address(say("Other computers reach it at {url}", url=running.lan_url)),) if running.lan_url else ()),
        *((unencrypted(),) if running.lan_url and running.options.tls is None else ()),
        *((Address(say("The API key is in {path}", path=running.key_path)),) if running.key_path else ()),
        Address(running.curl()),
        *(() if once or entry is None else (Text(say("Ctrl-C stops it.")), Next(steps(entry)))),
    )


def dry_run(group: ModelGroup, command: Command, file: str, health: str) -> Tree:
    """Return the preset and the command, to be pasted as they stand.

    file: where the preset goes; health: address that answers 200
    """
    lines = (f"cat > {shell_word(file)} <<'EOF'", *group.text().splitlines(), "EOF")
    typed = wording.command(command).line
    ready = Address(say("Ready when this answers 200: {url}", url=health))
    fit = Text(together(group), "plain" if group.fitting else "bad")
    return fit, *_waits(group), Pause(), models(group), Pause(), *map(Address, (*lines, typed)), Pause(), ready
