"""The JSON of `gyakusan serve`, of the other small answers, and of errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct, field, structs

from gyakusan.documents.common import catalogue_date
from gyakusan.engines.base import Command
from gyakusan.engines.server import ServerReport
from gyakusan.message import Message
from gyakusan.serving.buffer_comparison import BufferComparison
from gyakusan.serving.dry_run import DryRun
from gyakusan.serving.model_group import ModelGroup
from gyakusan.serving.service import Service


class BufferJson(Struct, frozen=True):
    """One buffer, predicted and reported. null: one side says nothing.

    kind: of the buffer
    device: its family
    predicted: ours [B]
    reported: the server's [B]
    error_bytes: predicted less reported [B]
    error_share: that, over reported
    model: name of the model whose process it is, "" where there is only one
    """

    kind: str
    device: str
    predicted: float | None
    reported: float | None
    error_bytes: float | None
    error_share: float | None
    model: str = ""


class ServedModelJson(Struct, frozen=True):
    """One of several models behind one address.

    name: by which requests name it
    quantization: as the engine calls it
    users: people whom it serves at once
    context: of each of them [tokens]
    bytes: memory that is planned for it, on all devices [B]
    """

    name: str
    quantization: str
    users: int
    context: int
    bytes: float


class ServeJson(Struct, frozen=True, kw_only=True):
    """A running server: `gyakusan serve`.

    schema: name and version of this form
    catalogue: date of the catalogue
    url: base URL of the OpenAI API
    build: number of the server's build, null if it tells none
    version: of the server as people write it, null if it tells none
    rules: version of the engine whose rules the prediction follows
    buffers: predicted and reported
    planned_bytes: memory of the ledger, on all devices [B]
    resident_bytes: RAM that the server's processes hold now, null if the system does not tell [B]
    models: that requests choose among, empty where there is only one
    models_max: of them are loaded at the same time, at most
    """

    url: str
    build: int | None
    rules: str
    buffers: tuple[BufferJson, ...]
    version: str | None = None
    planned_bytes: float | None = None
    resident_bytes: int | None = None
    models: tuple[ServedModelJson, ...] = ()
    models_max: int = 1
    schema: Literal["gyakusan/serve/1"] = "gyakusan/serve/1"
    catalogue: str = field(default_factory=catalogue_date)


class ServeDryRunJson(Struct, frozen=True, kw_only=True):
    """What would be started: `gyakusan serve --dry-run`.

    schema: name and version of this form
    catalogue: date of the catalogue
    command: program and arguments
    environment: variables that are set in addition
    health: address that answers 200 when the server is ready
    url: base of the OpenAI API of what gyakusan puts before the server, https with a certificate
    fits: true if the server would start and every device holds its share
    refusals: why the server would not run this
    preset: text of the file that describes several models, null where there is only one
    models: that requests choose among, empty where there is only one
    models_max: of them are loaded at the same time, at most
    workers: commands that start workers on other computers before, each as program and arguments
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    health: str
    url: str
    fits: bool
    refusals: tuple[Message, ...]
    preset: str | None = None
    models: tuple[ServedModelJson, ...] = ()
    models_max: int = 1
    workers: tuple[tuple[str, ...], ...] = ()
    schema: Literal["gyakusan/serve-dry-run/1"] = "gyakusan/serve-dry-run/1"
    catalogue: str = field(default_factory=catalogue_date)


class ErrorJson(Struct, frozen=True, kw_only=True):
    """Why there is no answer, on standard output where --json was given; the line on standard error stays.

    schema: name and version of this form
    catalogue: date of the catalogue
    error: what is wrong
    mend: what to do, null if nothing can be done
    kind: class of the error
    exit_code: of the command: 2 wrong use, 3 failure
    """

    error: Message
    mend: Message | None
    kind: str
    exit_code: int
    schema: Literal["gyakusan/error/1"] = "gyakusan/error/1"
    catalogue: str = field(default_factory=catalogue_date)


def served(
    url: str, rows: Sequence[BufferComparison], report: ServerReport, rules: str, planned: float, resident: int | None
) -> ServeJson:
    """Return a running server.

    planned, resident: its memory: of the ledger, and in RAM now [B]
    """
    told = tuple(buffer(r) for r in rows)
    return ServeJson(
        url=url, build=report.build, rules=rules, buffers=told, version=report.version, planned_bytes=planned,
        resident_bytes=resident,
    )  # fmt: skip


def dry_run(found: DryRun, url: str, workers: Sequence[tuple[str, ...]] = ()) -> ServeDryRunJson:
    """Return what would be started. url: of the front; workers: commands that start workers on other computers before."""
    return ServeDryRunJson(
        command=found.command.argv,
        environment=found.command.environment,
        health=found.health,
        url=url,
        fits=found.fits,
        refusals=found.refusals,
        workers=tuple(workers),
    )


def served_group(group: ModelGroup, running: Service) -> ServeJson:
    """Return several models behind one address."""
    rules = group.members[0].asked.rules.VERSION
    one = served(running.url, running.buffers, running.report, rules, group.bytes, running.resident)
    return structs.replace(one, models=served_models(group), models_max=group.models_max)


def group_dry_run(group: ModelGroup, command: Command, health: str, url: str) -> ServeDryRunJson:
    """Return what would be started for several models."""
    return ServeDryRunJson(
        command=command.argv, environment=command.environment, health=health, url=url, fits=group.fitting > 0, refusals=(),
        preset=group.text(), models=served_models(group), models_max=group.models_max,
    )  # fmt: skip


def served_models(group: ModelGroup) -> tuple[ServedModelJson, ...]:
    """Return the models behind one address."""
    return tuple(
        ServedModelJson(m.name, m.asked.quantization, int(m.asked.load.users), int(m.asked.load.context), m.bytes)
        for m in group.members
    )


def buffer(row: BufferComparison) -> BufferJson:
    """Return one comparison."""
    return BufferJson(row.kind, row.device, row.predicted, row.reported, row.error_bytes, row.error_share, row.model)
