"""A running endpoint: predicted beside reported, answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gyakusan.engines.base import Command
from gyakusan.message import Listed, Message, say
from gyakusan.serving.access import is_loopback
from gyakusan.serving.buffer_comparison import BufferComparison
from gyakusan.serving.chat import ChatAnswer
from gyakusan.serving.dry_run import DryRun
from gyakusan.show import wording
from gyakusan.show.tree import Address, Cell, Section, Table, Text, Title, Tree, columns
from gyakusan.units import MIB, format_bytes

Place = tuple[str, str]
"""A device and a part of its memory."""
LIMITED_BY = {"overhead.prompt_cache": "cache_ram", "overhead.checkpoints": "ctx_checkpoints"}
"""Part of llama-server's memory that grows with use -> setting that limits it."""
SHOWN_GROWTH = 128 * MIB
"""Memory that use adds is told from here on [B]."""
HEAD_TEXTS = ("buffer", "device", "predicted", "reported", "error")
COLUMNS = columns(HEAD_TEXTS, 2)
MODEL_COLUMNS = columns(("name", *HEAD_TEXTS), 3)


def build(version: str | None, rules: str) -> Text:
    """Return which version runs, and whose rules the prediction follows."""
    if version is None:
        return Text(say("The server does not say its build; the forecast follows {rules}.", rules=rules))
    return Text(say("The server is build {build}; the forecast follows {rules}.", build=version, rules=rules))


def memory(rows: Sequence[BufferComparison], planned: float, resident: int | None) -> Table | Text:
    """Return each buffer, predicted and reported; of a server that reports none the plan and what its processes hold."""
    if rows:
        return comparison(rows)
    if resident is None:
        return Text(say("This server reports no memory; {planned} are planned.", planned=format_bytes(planned)))
    told = {"planned": format_bytes(planned), "held": format_bytes(float(resident))}
    return Text(
        say("This server reports no memory: {planned} are planned, its processes hold {held} of RAM now.", **told)
    )


def growth(planned: Mapping[Place, float], growing: Mapping[Place, float]) -> Tree:
    """Return what use adds to the memory, nothing where that is little.

    planned: at the start, by device and part [B]; growing: limits of the parts that grow [B]
    """
    now, most = sum(planned.values()), sum({**planned, **growing}.values())
    if most - now < SHOWN_GROWTH:
        return ()
    told = {"most": format_bytes(most), "planned": format_bytes(now)}
    grown = {
        part for (device, part), size in growing.items() if size - planned.get((device, part), 0.0) >= SHOWN_GROWTH
    }
    options = tuple(Message(f"--set {name}=N") for part, name in LIMITED_BY.items() if part in grown)
    if not options:
        return (Text(say("With use it takes up to {most}; {planned} are planned at the start.", **told)),)
    told_more = {**told, "options": Listed(options)}
    return (
        Text(
            say("With use it takes up to {most}; {planned} are planned at the start. {options} limits it.", **told_more)
        ),
    )


def comparison(rows: Sequence[BufferComparison]) -> Table:
    """Return predicted, reported and error of each buffer, of several models with the name of each."""
    if any(r.model for r in rows):
        return Table(MODEL_COLUMNS, tuple((r.model, *_row(r)) for r in rows))
    return Table(COLUMNS, tuple(_row(r) for r in rows))


def _row(row: BufferComparison) -> tuple[Cell, ...]:
    device = say("host") if row.device == "host" else row.device
    return Message(row.kind), device, _mib(row.predicted), _mib(row.reported), _error(row)


def _mib(size: float | None) -> str:
    return "-" if size is None else f"{size / MIB:,.2f} MiB"


def _error(row: BufferComparison) -> Text:
    if row.error_bytes is None or row.error_share is None:
        return Text("?", "caution")
    if row.exact:
        return Text("0.00 MiB", "good")
    return Text(f"{row.error_bytes / MIB:+,.2f} MiB ({row.error_share:+.2%})", "caution")


def answers(prompts: Sequence[str], chat: Sequence[ChatAnswer]) -> Tree:
    """Return each question with its answer."""
    return tuple(_answer(prompt, answer) for prompt, answer in zip(prompts, chat, strict=True))


def _answer(prompt: str, answer: ChatAnswer) -> Section:
    told = say("{tokens} tokens in {seconds} s", tokens=answer.completion_tokens, seconds=f"{answer.seconds:.1f}")
    return Section(Title(f"> {prompt}"), (Text(" ".join(answer.text.split()), aside=told),))


def dry_run(run: DryRun) -> Tree:
    """Return the command, its environment and the health check of what would be started."""
    refusals = tuple(Text(r, "bad") for r in run.refusals)
    health = Address(say("Ready when this answers 200: {url}", url=run.health))
    return *refusals, wording.command(run.command), health


def started_first(workers: Sequence[Sequence[str]]) -> Tree:
    """Return the commands that start workers on other computers, nothing without any."""
    if not workers:
        return ()
    stays = say("Each command of ssh stays in the foreground: run it in a terminal of its own, before the server.")
    return (*(wording.command(Command(tuple(argv))) for argv in workers), Text(stays, "note"))


def behind_front(host: str, url: str, *, encrypted: bool) -> Tree:
    """Return how others reach what is started, nothing for this computer alone in clear.

    host: on which gyakusan listens; url: of what it puts before the server; encrypted: by a certificate
    """
    first = say("gyakusan encrypts and answers at {url}; the command alone does not.", url=url)
    texts = (Text(first, "note"),) if encrypted else ()
    if is_loopback(host):
        return texts
    told = say(
        "gyakusan listens on {host} before it and asks for an API key. The command alone answers this computer only.",
        host=host,
    )
    return (*texts, Text(told, "note"), *(() if encrypted else (unencrypted(),)))


def unencrypted() -> Text:
    """Return that a server without a certificate is open to the network."""
    told = say(
        "unencrypted: people's prompts and keys pass in the clear; give --tls-cert and --tls-key, or put Caddy in front."
    )
    return Text(told, "caution")
