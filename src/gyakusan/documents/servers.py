"""The JSON of `gyakusan ps`, of `gyakusan status` and of `gyakusan serve --detach`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct, field, structs

from gyakusan.documents.common import catalogue_date
from gyakusan.documents.served import BufferJson, ServedModelJson, buffer
from gyakusan.serving.live import Live
from gyakusan.serving.registration import rows_of
from gyakusan.serving.running_servers import RunningServer


class LiveJson(Struct, frozen=True, kw_only=True):
    """What a server does now.

    answering: requests that are answered now
    waiting: requests that wait for a slot
    requests: that were passed on since the start
    refusals: that were not
    tokens: of prompts and answers since the start, of a stream while it comes, of others at their end
    unstreamed: requests that are answered now and come as a whole: their tokens count at their end
    tokens_per_second: of these, in the last seconds [tokens/s]
    restarts: starts in the place of a server that ended or stalled
    starting: true while a server is started in the place of one that ended or stalled
    resident_bytes: RAM that its processes hold, null if the system does not tell [B]
    """

    answering: int
    waiting: int
    requests: int
    refusals: int
    tokens: int
    tokens_per_second: float
    restarts: int
    starting: bool
    resident_bytes: int | None
    unstreamed: int = 0


class RunningServerJson(Struct, frozen=True, kw_only=True):
    """A server that gyakusan started.

    name: by which chat, connect, logs and stop find it
    url: base URL of the OpenAI API, as this computer reaches it
    lan_url: the same as other computers reach it, "" if none does or nobody knows
    key_file: file with the API key, null if it asks for none
    pid: of the process that looks after it, 0 if nobody wrote it down
    ready: true once the model is loaded
    model: its name
    quantization: as the engine calls it
    engine: name of the engine
    device: what holds most of it
    users: people who are served at once
    context: of each of them [tokens]
    bytes: memory that is planned for it, on all devices [B]
    most_bytes: the most that was planned, with what grows with use, null if nobody wrote it down [B]
    log_file: file with its log
    started: when it was started, UTC, ISO 8601
    version: of the server program, null if it tells none
    buffers: its memory when it became ready, predicted and reported
    live: what it does now, null if it was not written down
    models: that requests choose among, empty where there is only one
    models_max: of them are loaded at the same time, at most
    workers: that lend it devices of other computers, as they were written
    """

    name: str
    url: str
    lan_url: str
    key_file: str | None
    pid: int
    ready: bool
    model: str
    quantization: str
    engine: str
    device: str
    users: int
    context: int
    bytes: float
    log_file: str | None
    started: str
    version: str | None
    buffers: tuple[BufferJson, ...]
    live: LiveJson | None
    models: tuple[ServedModelJson, ...] = ()
    models_max: int = 1
    workers: tuple[str, ...] = ()
    most_bytes: float | None = None


class ServersJson(Struct, frozen=True, kw_only=True):
    """Servers that run on this computer: `gyakusan ps`.

    schema: name and version of this form
    catalogue: date of the catalogue
    servers: that gyakusan started, by name
    """

    servers: tuple[RunningServerJson, ...]
    schema: Literal["gyakusan/ps/1"] = "gyakusan/ps/1"
    catalogue: str = field(default_factory=catalogue_date)


def servers(found: Sequence[tuple[RunningServer, Live | None]]) -> ServersJson:
    """Return servers that run, each with what it does now."""
    return ServersJson(servers=tuple(_server(entry, live) for entry, live in found))


def _server(entry: RunningServer, live: Live | None) -> RunningServerJson:
    fields = {f.name for f in structs.fields(RunningServerJson)} - {"live", "buffers", "version", "models"}
    told = {k: v for k, v in structs.asdict(entry).items() if k in fields}
    buffers = tuple(buffer(row) for row in rows_of(entry))
    models = tuple(ServedModelJson(m.name, m.quantization, m.users, m.context, m.bytes) for m in entry.models)
    return RunningServerJson(
        **told,
        version=entry.version or None,
        buffers=buffers,
        live=None if live is None else _live(live),
        models=models,
    )


def _live(live: Live) -> LiveJson:
    told = structs.asdict(live)
    resident = told.pop("resident")
    del told["written"]
    return LiveJson(**told, resident_bytes=resident)
