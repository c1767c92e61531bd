"""What this computer has for serving, what is missing, and the one command that mends it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from msgspec import Struct

from gyakusan.catalog import kept_releases
from gyakusan.core.machine import Machine
from gyakusan.engines import registry
from gyakusan.engines.installed import UNKNOWN, installed
from gyakusan.errors import GyakusanError
from gyakusan.fetching.copies import hub_caches
from gyakusan.fetching.get import held
from gyakusan.fetching.stock import stock
from gyakusan.machines import this_computer_noted
from gyakusan.message import Message, say
from gyakusan.serving.running_servers import running
from gyakusan.units import GIB, format_bytes

State = Literal["here", "note", "missing"]
"""here: all right; note: worth knowing; missing: something cannot be done."""
OLD = 90
"""A catalogue that is older tells old prices. [days]"""
LITTLE = 20 * GIB
"""Less free disk than this holds no usual model. [B]"""

FOR_A_GPU = say(
    "Put a llama-server that is built for the GPU on PATH: conda install -c conda-forge llama-cpp; "
    "llama-server --list-devices then names the GPU."
)


class Check(Struct, frozen=True):
    """One thing that was looked at.

    about: what it is
    state: how it is
    told: what was found
    mend: command or sentence that mends it, "" where nothing has to be
    serves: True for a server program
    """

    about: Message | str
    state: State
    told: Message | str
    mend: Message | str = ""
    serves: bool = False


def checkup() -> tuple[Check, ...]:
    """Return everything that was looked at, in the order in which a server needs it."""
    machine, notes = this_computer_noted()
    return (*_computer(machine, notes), *_servers(machine), *_models(), *_running(), _catalogue())


def can_serve(checks: tuple[Check, ...]) -> bool:
    """Return True if any server program is here."""
    return any(c.serves and c.state == "here" for c in checks)


def _computer(machine: Machine, notes: Sequence[Message]) -> Iterator[Check]:
    for device in machine.devices:
        free = say(
            "{usable} of {memory} usable", usable=format_bytes(device.usable), memory=format_bytes(device.memory)
        )
        yield Check(device.name, "here", free)
        if device.bandwidth is None:
            unknown = say("its memory's bandwidth is not known, so its speed is not either")
            yield Check(device.name, "note", unknown, "gyakusan calibrate")
    if not machine.gpus:
        yield Check("GPU", "note", say("none was found; everything runs on the CPU"))
    yield from (Check(say("devices"), "note", note) for note in notes)


def _servers(machine: Machine) -> Iterator[Check]:
    for name in registry.NAMES:
        module = registry.engine(name).server()
        if module is None:
            continue
        try:
            program = module.find_program("auto")
        except GyakusanError as error:
            yield Check(name, "missing", error.message, error.mend or "", serves=True)
            continue
        path = program if os.path.isabs(program) else shutil.which(program)
        if path is not None or module.GIVEN != "name":  # one that keeps its own models is not looked for by its engine
            yield Check(name, "here", _told(name, path), serves=True)
            if (
                name == registry.DEFAULT and path is None and machine.gpus and sys.platform != "darwin"
            ):  # xllamacpp of PyPI, see docs/en/install.md
                yield Check(
                    "GPU", "note", say("not used by {engine}, whose build is for the CPU", engine=name), FOR_A_GPU
                )
        else:
            mend = say("Install it, or put {program} on PATH.", program=program)
            yield Check(name, "missing", say("{program} is not on PATH.", program=program), mend, serves=True)


def _told(name: str, path: str | None) -> Message | str:
    """Return where a server program is, and its build or version if it tells one."""
    found = installed(name, execute=True)
    if found is None or found.value == UNKNOWN:
        return path or say("the Python package of this installation")
    if path is None:
        return say("{version}, the Python package of this installation", version=found.value)
    return f"{path} ({found.value})"


def _models() -> Iterator[Check]:
    found = stock()
    count, size = len(found.models), held(found.bytes)
    told = say("{n} here, {size}", n=count, size=size)
    yield Check(say("models"), "here" if count else "note", told, "" if count else "gyakusan get gpt-oss-20b")
    folder = hub_caches()[0][1]
    place = next((p for p in (folder, *folder.parents) if p.exists()), Path("/"))
    free = shutil.disk_usage(place).free
    state: State = "here" if free >= LITTLE else "note"
    mend = "" if free >= LITTLE else say("Make room, or set HF_HOME to another disk.")
    yield Check(say("disk"), state, say("{size} free in {folder}", size=format_bytes(free), folder=str(place)), mend)


def _running() -> Iterator[Check]:
    for entry in running():
        yield Check(entry.name, "here", say("runs at {url}", url=entry.url), f"gyakusan status {entry.name}")


def _catalogue() -> Check:
    release = kept_releases.current()
    age = (datetime.now(UTC).date() - date.fromisoformat(release.replace(".", "-"))).days
    told = say("of {date}, {n} days old", date=release, n=max(age, 0))
    return Check(
        say("catalogue"), "note" if age > OLD else "here", told, "gyakusan catalog update" if age > OLD else ""
    )
