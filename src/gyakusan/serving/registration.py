"""A running server written down for `ps`, `status`, `stop` and others, from the moment its address is known to its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from gyakusan.core.model import CATALOGUE
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.server import ReportedBuffer, ServerReport
from gyakusan.errors import BadSetting, ServerError
from gyakusan.serving import running_servers
from gyakusan.serving.buffer_comparison import BufferComparison
from gyakusan.serving.live import Live, Teller
from gyakusan.serving.model_group import ModelGroup, most_memory
from gyakusan.serving.running_servers import ComparedBuffer, RunningServer, ServedModel

_ATTEMPTS = 10
"""Names that are tried where others start at the same moment."""


def entry_of(name: str, asked: Deployment, key_file: str | Path | None, log_file: Path | None) -> RunningServer:
    """Return what is written down of a server; its address is not known yet."""
    accounts = asked.ledger.accounts
    most = max(accounts, key=lambda a: float(a.total), default=None)
    return RunningServer(
        name=name,
        url="",
        key_file=None if key_file is None else str(Path(key_file).expanduser().absolute()),
        ready=False,
        model=asked.name,
        quantization=asked.quantization,
        engine=asked.rules.NAME,
        device="" if most is None else most.device.name,
        users=int(asked.load.users),
        context=int(asked.load.context),
        bytes=sum(float(a.total) for a in accounts),
        most_bytes=most_memory(asked),
        log_file=None if log_file is None else str(log_file.absolute()),
        source=asked.model.source.removeprefix(CATALOGUE),
        planned=_planned(asked),
    )


def _planned(asked: Deployment) -> dict[str, Any]:
    """Return what makes the same deployment again, with its load and the source of its model."""
    told = {
        "quantization": asked.quantization if asked.model.catalogue_name else "",
        "mode": asked.mode,
        "machine": asked.machine,
        "changes": dict(asked.changes),
        "settings": asked.settings,
    }
    return msgspec.json.decode(msgspec.json.encode(told), type=dict[str, Any])  # as it is read again: lists, not tuples


def entry_of_group(name: str, group: ModelGroup, key_file: str | Path | None, log_file: Path | None) -> RunningServer:
    """Return what is written down of several models behind one address; its address is not known yet."""
    models = tuple(
        ServedModel(m.name, m.asked.quantization, int(m.asked.load.users), int(m.asked.load.context), m.bytes)
        for m in group.members
    )
    longest = max(group.members, key=lambda m: int(m.asked.load.context))
    one = entry_of(name, longest.asked, key_file, log_file)
    return structs.replace(
        one,
        model=", ".join(group.names),
        quantization="",
        source="",
        planned=None,
        users=group.users,
        bytes=group.bytes,
        most_bytes=most_memory(group),
        models=models,
        models_max=group.models_max,
    )


class Registration:
    """The entry of this process's server."""

    def __init__(
        self, entry: RunningServer, look: Callable[[], Live], *, by_the_way: bool = False, people_keys: bool = False
    ) -> None:
        """Prepare; nothing is written yet.

        look: returns what the server does now
        by_the_way: True where nobody asked for this name: another one will do, and a folder that cannot be written is no error
        people_keys: True where people with a key of their own are let in
        """
        self.entry = structs.replace(running_servers.here(entry), people_keys=people_keys)
        self._look = look
        self._by_the_way = by_the_way
        self._teller: Teller | None = None
        self._written = False

    def opened(self, url: str, lan_url: str, key_path: Path | None, local_url: str = "", certificate: str = "") -> None:
        """Write the entry down. Raises BadSetting if another server has its name meanwhile, ServerError.

        local_url: in clear, of an encrypted server; certificate: file by which clients know a self-signed one
        """
        key_file = self.entry.key_file if key_path is None else str(key_path)
        self.entry = structs.replace(
            self.entry, url=url, lan_url=lan_url, key_file=key_file, certificate=certificate,
            local_url="" if local_url == url else local_url,
        )  # fmt: skip
        for attempt in range(_ATTEMPTS):
            try:
                running_servers.claim(self.entry)
            except BadSetting:
                if not self._by_the_way or attempt == _ATTEMPTS - 1:
                    raise
                self.entry = structs.replace(self.entry, name=running_servers.free_name(self.entry.name))
            except ServerError:
                if not self._by_the_way:
                    raise
                return
            else:
                self._written = True
                return

    def ready(self, rows: Sequence[BufferComparison], report: ServerReport) -> None:
        """Write down that the model is loaded, and what the server reported."""
        if not self._written:
            return
        told = tuple(_compared(row) for row in rows)
        self.entry = structs.replace(self.entry, ready=True, buffers=told, version=report.version or "")
        running_servers.update(self.entry)
        if self._teller is None:
            self._teller = Teller(running_servers.live_path(self.entry.name), self._look)

    def changed(self) -> None:
        """Write down soon what the server does: a request began or ended."""
        if self._teller is not None:
            self._teller.changed()

    def end(self) -> None:
        """Remove the entry."""
        if self._teller is not None:
            self._teller.end()
        if self._written:
            running_servers.remove(self.entry)


def rows_of(entry: RunningServer) -> tuple[BufferComparison, ...]:
    """Return what was predicted and reported for a server when it became ready."""
    return tuple(_row(buffer) for buffer in entry.buffers)


def _compared(row: BufferComparison) -> ComparedBuffer:
    rounding = sum(part.rounding for part in row.parts)
    return ComparedBuffer(row.kind, row.device, row.predicted, row.reported, rounding, row.model)


def _row(b: ComparedBuffer) -> BufferComparison:
    if b.predicted is None or b.reported is None:
        return BufferComparison(b.kind, b.device, b.predicted, b.reported, None, None, model=b.model)
    part = ReportedBuffer(b.device, b.kind, b.reported, "", b.rounding)
    error = b.predicted - b.reported
    share = error / b.reported if b.reported else None
    return BufferComparison(b.kind, b.device, b.predicted, b.reported, error, share, (part,), b.model)
