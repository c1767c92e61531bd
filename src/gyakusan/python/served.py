"""What was planned for a server that gyakusan started, made again from its entry, so that a bench compares by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.errors import GyakusanError
from gyakusan.message import Message, say
from gyakusan.serving.running_servers import NAME, RunningServer, find_running, running

if TYPE_CHECKING:
    from gyakusan.engines.deployment import Deployment
    from gyakusan.load_testing.result import BenchResult


def entry_at(endpoint: str | None) -> RunningServer | None:
    """Return the entry of the server that a bench asks, None for one that gyakusan did not start. Raises BadReference.

    endpoint: its name or address; None = the only one
    """
    if endpoint is None:
        return find_running(None)
    named = NAME.fullmatch(endpoint) is not None
    return next((e for e in running() if (named and e.name == endpoint) or e.url == endpoint), None)


def planned_again(entry: RunningServer | None) -> Deployment | None:
    """Return exactly what was planned for a server; None where its entry does not tell, or something else would come of it."""
    if entry is None or entry.planned is None or not entry.source or entry.models or entry.workers:
        return None
    try:
        return _made(entry, entry.planned)
    except (GyakusanError, msgspec.MsgspecError, KeyError, TypeError, ValueError):
        return None  # an entry of another version, a file that is gone


def _made(entry: RunningServer, told: dict[str, Any]) -> Deployment | None:
    """Return the deployment of an entry, None if one of its settings differs from what was served. Raises GyakusanError."""
    machine = msgspec.convert(told["machine"], Machine)
    plain = api.deployment(
        entry.source, quantization=told["quantization"] or None, load=Load(entry.users, entry.context),
        settings=told["changes"], server=entry.engine, offline=True,
    )  # fmt: skip
    found = msgspec.structs.replace(plain.on(machine), mode=told["mode"])
    same = (found.name, found.quantization, _read_again(found.settings)) == (
        entry.model, entry.quantization, told["settings"],
    )  # fmt: skip
    return found if same else None


def _read_again(settings: object) -> object:
    """Return settings as they are read from a file."""
    return msgspec.json.decode(msgspec.json.encode(settings))


def uncompared(entry: RunningServer | None, asked_for: Deployment | None) -> Iterator[Message]:
    """Yield how a bench of a server of ours is compared, where that was not possible by itself."""
    if asked_for is None and entry is not None and entry.source:
        yield say(
            "Not compared with a prediction. Add --model {model} and the options with which the server was started.",
            model=entry.source,
        )


def waiting(result: BenchResult, slots: int | None) -> Iterator[Message]:
    """Yield that some people waited, where more asked at a time than the server has slots."""
    most = max((s.step.users for s in result.steps), default=0)
    if slots is not None and 0 < slots < most:
        yield say(
            "Slots of the server: {slots}. Of {users} people at a time the others wait for one.",
            slots=slots,
            users=most,
        )


def words(asked: Deployment) -> str:
    """Return what was planned, in a few words."""
    named = asked.name.casefold().endswith(asked.quantization.casefold())  # that of a file has its format in it
    model = asked.name if named else f"{asked.name} {asked.quantization}"
    return f"{model}, {asked.engine}, {asked.machine.name}"
