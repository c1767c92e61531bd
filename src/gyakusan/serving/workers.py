"""The workers of one server: those that listen already, and those that gyakusan starts through ssh and looks after.

with Workers.of("127.0.0.1:50052,ssh:me@box", module) as workers:
    devices = workers.start()
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from msgspec import structs

from gyakusan.core.machine import Device
from gyakusan.engines.deployment import Deployment, deploy
from gyakusan.engines.server import WorkerModule
from gyakusan.errors import BadSetting
from gyakusan.message import Message
from gyakusan.serving.ssh_worker import ANSWER, SshWorker, Told
from gyakusan.serving.worker_places import WorkerPlace, check_reach, parse


def _quiet(_message: Message) -> None:
    """Tell nobody."""


class Workers:
    """Workers in the order of the server's devices. They end with the `with` block, or when this process does."""

    def __init__(self, places: Sequence[WorkerPlace], module: WorkerModule) -> None:
        """Prepare; nothing is started yet."""
        self.places = tuple(places)
        self.module = module
        self._all = tuple(SshWorker(p, module) if p.ssh else p for p in places)

    @staticmethod
    def of(text: str, module: WorkerModule | None, engine: str) -> Workers:
        """Return the workers of a list with commas. Raises BadSetting. module, engine: of the server that computes on them."""
        if module is None:
            raise BadSetting("{engine} has no RPC workers.", engine=engine, mend="Leave out --rpc, or take llama.cpp.")
        return Workers(parse(text, module.PORT, module.MOST), module)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def names(self) -> tuple[str, ...]:
        """The workers as they were written."""
        return tuple(str(place) for place in self.places)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where this computer reaches each, as host:port."""
        return tuple(w.address if isinstance(w, SshWorker) else str(w) for w in self._all)

    @property
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """The commands that start those behind ssh."""
        return tuple(w.argv for w in self._all if isinstance(w, SshWorker))

    def start(self, told: Told = _quiet) -> tuple[Device, ...]:
        """Start those behind ssh, ask all for their devices, and return them. Raises ServerError; then none is left."""
        found: list[Device] = []
        try:
            for worker in self._all:
                started = worker.start(told) if isinstance(worker, SshWorker) else self._asked(worker)
                found += _named(started, worker)
        except BaseException:
            self.stop()
            raise
        return tuple(found)

    def look(self) -> tuple[Device, ...]:
        """Return the devices without starting anything: of a worker behind ssh one of unknown size. Raises ServerError."""
        found: list[Device] = []
        for worker in self._all:
            unknown = (Device("", "gpu", None, "cuda"),)
            found += _named(unknown if isinstance(worker, SshWorker) else self._asked(worker), worker)
        return tuple(found)

    def make_ready(self, told: Told = _quiet) -> None:
        """Start those again that ended, and ask the others whether they answer. Raises ServerError."""
        for worker in self._all:
            if not isinstance(worker, SshWorker):
                self._asked(worker)
            elif not worker.alive:
                worker.start_again(told)

    def check(self) -> None:
        """Raise ServerError with the reason where one behind ssh has ended."""
        for worker in self._all:
            if isinstance(worker, SshWorker):
                worker.check()

    def stop(self) -> None:
        """End those behind ssh. Safe at any time, any number of times."""
        for worker in self._all:
            if isinstance(worker, SshWorker):
                worker.stop()

    def _asked(self, place: WorkerPlace) -> tuple[Device, ...]:
        return self.module.devices(place.host, place.port, ANSWER)


def _named(devices: Sequence[Device], worker: SshWorker | WorkerPlace) -> list[Device]:
    """Return devices under the name of their worker, with a number where it lends several."""
    place = worker.place if isinstance(worker, SshWorker) else worker
    several = len(devices) > 1
    return [structs.replace(d, name=f"{place} #{i}" if several else str(place)) for i, d in enumerate(devices)]


def check_workers(asked: Deployment, *, unprotected: bool) -> None:
    """Raise BadSetting where the settings name a worker beyond loopback, unless that is meant."""
    server = asked.rules.server()
    module = None if server is None else server.workers()
    if module is not None:
        check_reach(getattr(asked.settings, module.SETTING), unprotected=unprotected)


def lent(asked: Deployment, workers: Workers, devices: Sequence[Device]) -> Deployment:
    """Return a deployment whose machine has the workers' devices before its own GPUs. Raises BadSetting.

    devices: () where the machine was named, and its first GPUs stand for them
    """
    if asked.changes.get("backend") == "cpu":
        raise BadSetting("Workers compute like GPUs.", mend="Leave out --cpu.")
    machine = asked.machine
    if devices:
        name = " + ".join((machine.name, *workers.names))
        machine = structs.replace(machine, name=name, gpus=(*devices, *machine.gpus))
    changes = {**asked.changes, workers.module.SETTING: workers.addresses}
    return deploy(asked.model, asked.engine, machine, asked.load, changes, asked.quantization)
