"""Python's `detect` and `serve`: this computer, and a running endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gyakusan.core.machine import Machine
from gyakusan.engines.registry import DEFAULT
from gyakusan.errors import BadSetting
from gyakusan.message import Message
from gyakusan.python.answer import Answer, extended
from gyakusan.python.options import Amount, deployed
from gyakusan.units import format_bytes

if TYPE_CHECKING:
    from gyakusan.documents.machine import DetectJson
    from gyakusan.engines.deployment import Deployment
    from gyakusan.serving.server import ServerOptions
    from gyakusan.serving.service import Service


class Computer(Answer, Machine, frozen=True, kw_only=True):
    """What `gyakusan detect` answers: the machine that this computer is.

    notes: what could not be read
    """

    notes: tuple[Message, ...] = ()

    def document(self) -> DetectJson:
        """Return the document of `gyakusan detect --json`."""
        from gyakusan.documents.machine import machine

        return machine(self, self.notes)

    def summary(self) -> Iterator[str]:
        """Yield the devices and the notes."""
        yield self.name
        for device in self.devices:
            memory = "memory unknown" if device.memory is None else format_bytes(device.memory)
            yield f"  {device.name} ({device.kind}): {memory}"
        yield from (f"  {note}" for note in self.notes)


def detect() -> Computer:
    """Return the machine that this computer is. Raises DetectError."""
    from gyakusan.machines import this_computer_noted

    machine, notes = this_computer_noted()
    return extended(Computer, machine, notes=notes)


def serve(
    model: str = "smollm2",
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    threads: int | None = None,
    key_file: str | Path | None = None,
    log_file: str | Path | None = None,
    anyway: bool = True,
    context: Amount | None = None,
    users: Amount = 1,
    engine: str = DEFAULT,
    options: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
    names: Sequence[str] = (),
    people_keys: bool = False,
    rpc_unprotected: bool = False,
    **settings: Any,
) -> Service:
    """Return a server behind its front for a model on this computer, for a `with` block. Raises GyakusanError.

    port: 0 takes a free one
    key_file: its first line is the key that clients must show
    anyway: False refuses what does not fit
    options: further fields of serving.server.ServerOptions, e.g. key
    limits: fields of serving.front.limits.Limits, e.g. key_requests
    names: further names by which the server may be called
    people_keys: True lets in everybody who has a key of their own, as `gyakusan keys add` makes them
    rpc_unprotected: True lets a setting rpc name workers beyond loopback; RPC has no password and no encryption
    settings: device, memory, reserve, bandwidth, and fields of the engine's Settings, as for `inspect`
    """
    from gyakusan.serving.access import check_address
    from gyakusan.serving.service import Service, ServiceOptions, default_limits

    check_address(host, port, threads)
    asked = deployed(model, settings, context=context, users=users, engine=engine)
    _check_sense(asked, anyway=anyway, unprotected=rpc_unprotected)
    given = {"host": host, "port": port, "threads": threads, **_files(key_file, log_file), **(options or {})}
    inner, allowed = _server_options(given), default_limits(asked, **(limits or {}))
    return Service(asked, ServiceOptions(inner, allowed, tuple(names), people_keys=_keys_file(people_keys)))


def _keys_file(wanted: bool) -> Path | None:
    from gyakusan.serving.front.people import place

    return place() if wanted else None


def _check_sense(asked: Deployment, *, anyway: bool, unprotected: bool) -> None:
    """Raise BadSetting for workers beyond loopback, and for what does not fit."""
    from gyakusan.serving.workers import check_workers

    check_workers(asked, unprotected=unprotected)
    if not anyway and not asked.ledger.fits:
        raise BadSetting("{name} does not fit.", name=asked.name, mend="Choose a smaller one, or write anyway=True.")


def _server_options(given: Mapping[str, Any]) -> ServerOptions:
    from gyakusan.serving.server import ServerOptions

    return ServerOptions(**given)


def _files(key: str | Path | None, log: str | Path | None) -> dict[str, Any]:
    """Return the options that files give. Raises BadReference, BadSetting."""
    from gyakusan.python.files import key_of
    from gyakusan.serving.key_files import check_private

    given: dict[str, Any] = {"log_file": None if log is None else Path(log)}
    if key is not None:
        check_private(key)
        given["key"] = key_of(key)
    return given
