"""The JSON of `gyakusan ps` and of `gyakusan serve --detach`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct, field, structs

from gyakusan.documents.common import catalogue_date
from gyakusan.serving.running_servers import RunningServer


class RunningServerJson(Struct, frozen=True, kw_only=True):
    """A server that gyakusan started.

    name: by which chat, connect, logs and stop find it
    url: base URL of the OpenAI API, as this computer reaches it
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
    log_file: file with its log
    started: when it was started, UTC, ISO 8601
    """

    name: str
    url: str
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


class ServersJson(Struct, frozen=True, kw_only=True):
    """Servers that run on this computer: `gyakusan ps`.

    schema: name and version of this form
    catalogue: date of the catalogue
    servers: that gyakusan started, by name
    """

    servers: tuple[RunningServerJson, ...]
    schema: Literal["gyakusan/ps/1"] = "gyakusan/ps/1"
    catalogue: str = field(default_factory=catalogue_date)


def servers(found: Sequence[RunningServer]) -> ServersJson:
    """Return servers that run."""
    fields = {f.name for f in structs.fields(RunningServerJson)}
    told = ({k: v for k, v in structs.asdict(entry).items() if k in fields} for entry in found)
    return ServersJson(servers=tuple(RunningServerJson(**one) for one in told))
