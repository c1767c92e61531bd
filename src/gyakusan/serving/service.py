"""A server that people use: behind a front, watched, and started again when it ends or stalls.

with Service.of(deployment) as service:
    print(service.url, service.report)
    service.watch()
"""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import nan
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from gyakusan import posix
from gyakusan.engines.base import EngineSettings
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.server import ServerReport
from gyakusan.errors import ServerError
from gyakusan.message import Message, say
from gyakusan.serving.access import Access, curl_line, grant_access, is_loopback, seen_from_outside
from gyakusan.serving.buffer_comparison import BufferComparison, compare_deployment
from gyakusan.serving.front.keys import Keys
from gyakusan.serving.front.limits import Limits, largest_body
from gyakusan.serving.front.people import PeopleKeys
from gyakusan.serving.front.people import read as read_people
from gyakusan.serving.front.running import Front
from gyakusan.serving.front.upstream import Target
from gyakusan.serving.live import Live, Rate
from gyakusan.serving.model_group import ModelGroup, growing_memory, planned_memory
from gyakusan.serving.preset_file import PresetFile, check_keyed
from gyakusan.serving.process_memory import resident_bytes
from gyakusan.serving.registration import Registration
from gyakusan.serving.running_servers import RunningServer
from gyakusan.serving.server import (
    LOOPBACK_OF,
    Handlers,
    Server,
    ServerOptions,
    authority,
    leave_on_signals,
    restore_signals,
)
from gyakusan.serving.tls import Tls
from gyakusan.serving.watchdog import Patience, Watchdog, one_token
from gyakusan.serving.workers import Workers

RESTARTS = 6
"""Starts in a row that may fail; the pause before them doubles."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Pauses before a start: the first is none. [s]"""
STEADY = 300.0
"""A server that lived so long starts again without a pause. [s]"""
_TICK = 0.2


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """How a service is reached, limited and watched.

    server: of the model server; host, port and key are those of the front
    limits: what the front lets through, None for what the deployment needs
    names: further names by which the front may be called
    patience: how long the server may be silent
    on_event: called with what happened to the server, e.g. that it is started again
    entry: what is written down of it for `ps` and others once the front listens, None = nothing
    any_name: True where another name than that of the entry will do
    people_keys: file with the keys of people who may ask too, None for the one key only
    tls: certificate and key with which the front encrypts, None for connections in clear
    workers: that lend devices of other computers, started already, None for none; they end with the service
    """

    server: ServerOptions = field(default_factory=ServerOptions)
    limits: Limits | None = None
    names: tuple[str, ...] = ()
    patience: Patience = field(default_factory=Patience)
    on_event: Callable[[Message], None] | None = None
    entry: RunningServer | None = None
    any_name: bool = False
    people_keys: Path | None = None
    tls: Tls | None = None
    workers: Workers | None = None


class Service:
    """One server behind its front. It ends with the `with` block, or when this process does."""

    def __init__(
        self,
        deployment: Deployment | ModelGroup,
        options: ServiceOptions = ServiceOptions(),
        path: str | Path | None = None,
    ) -> None:
        """Prepare a service; nothing is started yet.

        deployment: one model, or several behind one address; path: of the model file, if it is not the model's source
        """
        self.options = options
        self._deployment = deployment
        self._group = deployment if isinstance(deployment, ModelGroup) else None
        self._preset: PresetFile | None = None
        source = "" if isinstance(deployment, ModelGroup) else deployment.model.source
        self._path = Path(path or source)
        self._access: Access | None = None
        self._front: Front | None = None
        self._watchdog: Watchdog | None = None
        self._previous: Handlers = {}
        self._told_of_log = False
        self._begun, self._pause, self._starts = 0.0, 0.0, 0
        self._rate = Rate()
        self._registration: Registration | None = None
        entry, other, keyed = options.entry, options.any_name, options.people_keys is not None
        if entry is not None:
            self._registration = Registration(entry, self.live, by_the_way=other, people_keys=keyed)
        self._server: Server[EngineSettings, ServerReport] = self._new("")

    def __enter__(self) -> Self:
        self._previous = leave_on_signals()
        try:
            return self.start()
        except BaseException:
            restore_signals(self._previous)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            restore_signals(self._previous)

    def start(self) -> Self:
        """Open the front, start the server behind it, and wait until it answers.

        Raises BadReference, BadSetting and ServerError as `Server.start` does. Whatever is raised, nothing is left running.
        """
        if self._front is not None:
            raise ServerError("This Service has been started already.", mend="Create a new Service.")
        posix.refuse_serving()
        asked = self.options.server
        self._check_files()
        try:
            file = self.options.people_keys
            if file is not None:
                read_people(file)  # a broken file is said now, not to the people
            self._access = grant_access(asked.host, asked.port, asked.key, keyed=file is not None)
            keys = Keys.of(self._access.key, None if file is None else PeopleKeys(file))
            limits = self.options.limits or default_limits(self._deployment)
            models = {} if self._group is None else self._group.slots
            tls = self.options.tls
            names = (*self.options.names, *(tls.names if tls is not None else ()))
            context = None if tls is None else tls.context
            self._front = Front(self._access.host, self._access.port, keys, limits, names, models, context)
            self._front.app.metrics.plan(planned_memory(self._deployment), growing_memory(self._deployment))
            self._front.app.metrics.watch_memory(lambda: self.resident or nan)
            self._front.app.changed = (lambda: None) if self._registration is None else self._registration.changed
            self._front.start()
            if self._registration is not None:
                certificate = "" if tls is None or not tls.self_signed else str(tls.certificate)
                self._registration.opened(self.url, self.lan_url, self.key_path, self.local_url, certificate)
            self._start_server()
            if self._registration is not None:
                self._registration.ready(self.buffers, self.report)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the front, the server and all that belongs to them. Safe at any time, any number of times."""
        try:
            if self._registration is not None:
                self._registration.end()
            if self._front is not None:
                self._front.point(None)
            self._server.stop()
        finally:
            if self.options.workers is not None:
                self.options.workers.stop()
            if self._front is not None:
                self._front.stop()
            if self._access is not None:
                self._access.remove_key_file()
            if self._preset is not None:
                self._preset.remove()

    def _check_files(self) -> None:
        """Raise for files that are not there or cannot be read; of several models write the file that describes them."""
        if self._group is None:
            self._server.check_file()
            return
        for member in self._group.members:
            one = Server.of(member.asked, self.options.server, member.path)
            one.check_file()
            one.check_model()
        self._preset = PresetFile(self._group.text())
        self._path = self._preset.path

    @property
    def buffers(self) -> tuple[BufferComparison, ...]:
        """The memory that the model server reported, beside what was predicted."""
        if isinstance(self._deployment, ModelGroup):
            return self._deployment.compare(self._server.log)
        return compare_deployment(self._deployment, self.report)

    @property
    def url(self) -> str:
        """Base of the OpenAI API, as this computer reaches it."""
        host = LOOPBACK_OF.get(self.options.server.host, self.options.server.host)
        return self._at(host, *(("localhost",) if is_loopback(host) else ()))

    @property
    def local_url(self) -> str:
        """The same in clear, for programs of gyakusan on this computer."""
        if self.options.tls is None or self._front is None:
            return self.url
        return f"http://127.0.0.1:{self._front.local_port}/v1"

    @property
    def lan_url(self) -> str:
        """The same as other computers reach it, "" if none does."""
        found = seen_from_outside(self.options.server.host)
        return "" if found is None else self._at(found, socket.gethostname())

    def _at(self, *hosts: str) -> str:
        """Return the address under the first host, or under the one that the certificate is for."""
        port = self._front.port if self._front is not None else self.options.server.port
        if self.options.tls is None:
            return f"http://{authority(hosts[0], port)}/v1"
        return f"https://{authority(self.options.tls.host_for(hosts), port)}/v1"

    @property
    def key(self) -> str | None:
        """What clients must show as bearer token."""
        return self._access.key if self._access else None

    @property
    def key_path(self) -> Path | None:
        """The file that holds the key if we made it; it is removed when the service ends."""
        return self._access.path if self._access else None

    @property
    def server(self) -> Server[EngineSettings, ServerReport]:
        """The model server that runs now."""
        return self._server

    @property
    def report(self) -> ServerReport:
        """What the model server logged about itself."""
        return self._server.report

    @property
    def resident(self) -> int | None:
        """RAM that the model server's processes hold now, None where the system or the engine does not tell [B]."""
        pid = self._server.pid if self._server.module.GIVEN != "name" else None  # another program holds the model
        return None if pid is None else resident_bytes(pid)

    @property
    def entry(self) -> RunningServer | None:
        """What is written down of it, None if nothing is."""
        return None if self._registration is None else self._registration.entry

    def live(self) -> Live:
        """Return what it does now."""
        if (front := self._front) is None:
            return Live(written=time.time())
        return Live(
            written=time.time(),
            answering=front.app.slots.held,
            waiting=front.app.slots.queued,
            requests=front.traffic.requests,
            refusals=front.traffic.refusals,
            tokens=front.traffic.tokens,
            tokens_per_second=self._rate.of(front.traffic.tokens),
            unstreamed=front.traffic.unstreamed,
            restarts=max(0, self._starts - 1),
            starting=front.app.upstream.target is None,
            resident=self.resident,
        )

    @property
    def front(self) -> Front | None:
        """The front, None before the start."""
        return self._front

    def curl(self, prompt: str = "Hello!") -> str:
        """Return a line to try the service with. The key is read from its file, else from a variable; never its value."""
        model = {} if self._group is None else {"model": self._group.names[0]}
        body = json.dumps({**model, "messages": [{"role": "user", "content": prompt}], "max_tokens": 64})
        tls = self.options.tls
        certificate = None if tls is None or not tls.self_signed else tls.certificate
        return curl_line(self.url, body, self.key_path, certificate, keyed=bool(self.key))

    def watch(self) -> None:
        """Block, and start the server again whenever it ends or stalls. Ctrl-C ends the wait.

        Raises ServerError if it does not start any more.
        """
        while True:
            time.sleep(_TICK)
            self.tend()

    def tend(self) -> None:
        """Look after the server once: start it again if it has ended or stalled. Raises ServerError as `watch` does."""
        assert self._front is not None
        assert self._watchdog is not None
        self._tell_of_log()
        try:
            if self.options.workers is not None:
                self.options.workers.check()
            self._server.check()
        except ServerError as error:
            self._again(error)
            return
        seen = max(self._front.traffic.seen, self._server.worked)
        if self._watchdog.look(seen, busy=self._front.busy > 0):
            self._again(ServerError("The server gives no answer any more."))

    def _again(self, reason: ServerError) -> None:
        """Start a server in the place of one that ended. Raises ServerError after several starts that failed."""
        assert self._front is not None
        self._front.point(None)
        self._server.stop()
        if time.monotonic() - self._begun > STEADY:
            self._pause = 0.0
        for attempt in range(RESTARTS):
            seconds = f"{self._pause:g}"
            self._tell(say("{reason} It starts again in {seconds} s.", reason=reason.message, seconds=seconds))
            time.sleep(self._pause)
            self._pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, 2.0 * self._pause))
            try:
                self._start_server()
            except ServerError as error:
                if attempt == RESTARTS - 1:
                    raise
                reason = error
            else:
                self._tell(say("The server is ready."))
                return

    def _start_server(self) -> None:
        assert self._front is not None
        if self.options.workers is not None:
            self.options.workers.make_ready()
        key = secrets.token_urlsafe(32)
        self._server = self._new(key)
        self._server.start()
        self._begun = time.monotonic()
        self._starts += 1
        target = Target(self._server.url.removesuffix("/v1"), key)
        if self._group is not None:
            check_keyed(self._group.module, self._server.log)
        self._watchdog = Watchdog(target, self._server.pid, self.options.patience, self._one_token)
        self._front.point(target)

    def _new(self, key: str) -> Server[EngineSettings, ServerReport]:
        """Return a model server that only this computer reaches, by a key that only the front knows."""
        again = self._begun > 0 or self.options.server.append_log
        inner = replace(self.options.server, host="127.0.0.1", port=0, key=key or None, append_log=again)
        if isinstance(self._deployment, ModelGroup):
            group = self._deployment
            several = replace(inner, models=group.first)
            return cast("Server[EngineSettings, ServerReport]", Server(self._path, group.routed, group.module, several))
        return Server.of(self._deployment, inner, self._path)

    def _one_token(self, target: Target) -> bool:
        """Ask for a token; of several models the one that people asked last, as each has a process of its own."""
        model = "" if self._front is None else self._front.traffic.model
        return one_token(target, model=model)

    def _tell(self, message: Message) -> None:
        if self.options.on_event is not None:
            self.options.on_event(message)

    def _tell_of_log(self) -> None:
        error = self._server.log_error
        if error is not None and not self._told_of_log:
            self._told_of_log = True
            why = error.strerror or "?"
            path = str(self.options.server.log_file)
            self._tell(say("The log file {path} takes nothing more: {error}.", path=path, error=why))


def default_limits(deployment: Deployment | ModelGroup, **changes: Any) -> Limits:
    """Return the limits that a deployment needs: its slots, and requests that fill its context. changes: fields."""
    if isinstance(deployment, ModelGroup):
        each = [default_limits(m.asked) for m in deployment.members]
        return replace(Limits(slots=max(1, deployment.users), body=max(one.body for one in each)), **changes)
    load = deployment.load
    images = bool(deployment.changes.get("projector"))
    return replace(
        Limits(slots=max(1, int(load.users)), body=largest_body(int(load.context), images=images)), **changes
    )
