"""A real endpoint from planned settings: start, wait until ready, watch, stop.

    with Server(path, Settings(context=8192, slots=4, backend="cpu")) as server:
        print(server.url, server.reported.total)

llama.cpp's `llama-server` on PATH is used if there is one, else the server inside the xllamacpp wheel.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Literal, Self, cast

from gyakusan.engines.base import EngineSettings
from gyakusan.engines.llamacpp import launch
from gyakusan.engines.llamacpp import log as engine_log
from gyakusan.engines.llamacpp.log import Reported
from gyakusan.engines.llamacpp.log_errors import start_failure
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.errors import BadReference, GyakusanError, ServerError
from gyakusan.message import Message, say
from gyakusan.serving.access import VARIABLE, Access, admit, free_port, is_loopback
from gyakusan.serving.process import Child, Order

Engine = Literal["auto", "llama-server", "embedded"]
Progress = Callable[[Message, float], None]

DEADLINE = 900.0
"""How long a start may take: a large model from a slow disk. [s]"""

DRAIN = 30.0
"""How long the last lines of a server that has ended may take to arrive on a busy computer. [s]"""

_TRIES = 3
"""Attempts with a free port: between finding it and using it, somebody else may take it."""

_EMBEDDED = Path(__file__).with_name("embedded.py")
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True, slots=True)
class Options:
    """How a server is reached and watched.

    host: loopback unless another is asked for, which needs a key (made if absent); port: 0 for a free one;
    alias: the model's name in the API; threads: CPU threads, None for llama.cpp's choice; deadline: for the start [s];
    log_file: gets the server's whole log, mode 0600; on_progress: called with what happens and the time since the
    start [s], at least once a second.
    """

    engine: Engine = "auto"
    host: str = "127.0.0.1"
    port: int = 0
    key: str | None = field(default=None, repr=False)
    alias: str | None = None
    threads: int | None = None
    deadline: float = DEADLINE
    log_file: Path | None = None
    on_progress: Progress | None = None


class Server:
    """One llama.cpp server in a child process. Ends with the `with` block, or when this process does."""

    def __init__(self, path: str | Path, settings: EngineSettings, **options: Any) -> None:
        """options: fields of `Options`. Nothing is started yet."""
        self.path = Path(path)
        self.settings = cast(Settings, settings)
        self.options = Options(**options)
        self.reported = Reported()
        self.ready_after: float | None = None
        self._access: Access | None = None
        self._child: Child | None = None
        self._address = ("", 0)
        self._program = ""

    def __enter__(self) -> Self:
        self._previous = _leave_on_sigterm()
        try:
            return self.start()
        except BaseException:
            _restore_sigterm(self._previous)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            _restore_sigterm(self._previous)

    def start(self) -> Self:
        """Starts the server and waits until it answers.

        Raises BadReference (no such file), BadSetting (host, port, key, settings), ServerError (no llama.cpp here,
        it died, it was too slow). Whatever is raised, nothing is left running.
        """
        if self._child is not None:
            raise ServerError("This server has been started already.", mend="Make a new one.")
        if not self.path.is_file():
            raise BadReference("There is no file {path}.", path=str(self.path), mend="Check the path.")
        self._program = find(self.options.engine)
        self._access = admit(self.options.host, self.options.port, self.options.key)
        try:
            for left in reversed(range(_TRIES if self.options.port == 0 else 1)):
                if self._attempt(self._access, last=left == 0):
                    break
        except BaseException:
            self.stop()
            raise
        return self

    def _attempt(self, access: Access, *, last: bool) -> bool:
        """One start. False if a free port was taken by somebody else meanwhile and it is not the last attempt."""
        port = access.port or free_port(access.host)
        host = _EVERYWHERE.get(access.host, access.host)
        self._address = (host, port)
        self._child = Child(self._order(access, port), self.options.log_file)
        try:
            self._wait(self._child)
        except ServerError:
            found = start_failure(self._child.log.lines)
            if last or found is None or found.kind != "port":
                raise
            self._child.end()
            return False
        return True

    def stop(self) -> None:
        """Ends the server and all that belongs to it. Safe at any time, any number of times."""
        try:
            if self._child is not None:
                self._child.end()
        finally:
            if self._access is not None:
                self._access.forget()

    @property
    def url(self) -> str:
        """Base of the OpenAI API."""
        host, port = self._address
        return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"

    @property
    def key(self) -> str | None:
        """What clients must show as bearer token."""
        return self._access.key if self._access else None

    @property
    def key_path(self) -> Path | None:
        """Where the key was written if we made it; removed by `stop`."""
        return self._access.path if self._access else None

    @property
    def engine(self) -> str:
        """What runs: the path of llama-server, or "embedded"."""
        return self._program

    @property
    def command(self) -> str:
        """The llama-server line that would start the same."""
        o = self.options
        port = self._address[1] or o.port or 8080
        return launch.command(
            self.path, self.settings, host=o.host, port=port, alias=o.alias, threads=o.threads, keyed=bool(self.key)
        )

    @property
    def log(self) -> tuple[str, ...]:
        """The server's lines: its first thousands and its last."""
        return self._child.log.lines if self._child else ()

    @property
    def pid(self) -> int | None:
        """The server's process id."""
        return self._child.pid if self._child else None

    @property
    def alive(self) -> bool:
        """True while the server's process runs."""
        return self._child is not None and self._child.alive

    def check(self) -> None:
        """Raises ServerError with the log's reason if the server has ended."""
        if self._child is not None and not self._child.alive:
            raise _died(self._child, self.path, started=self.ready_after is not None)

    def watch(self) -> None:
        """Blocks until the server ends, then raises as `check` does. Ctrl-C ends the wait."""
        while self.alive:
            time.sleep(0.2)
        self.check()

    def curl(self, prompt: str = "Hello!") -> str:
        """A line to try it with. The key is a variable, never its value."""
        body = json.dumps({"messages": [{"role": "user", "content": prompt}], "max_tokens": 64})
        header = f' -H "Authorization: Bearer ${VARIABLE}"' if self.key else ""
        quoted = body.replace("'", "'\\''")
        return f"curl {self.url}/chat/completions -H 'Content-Type: application/json'{header} -d '{quoted}'"

    def _order(self, access: Access, port: int) -> Order:
        options = {"host": access.host, "port": port, "alias": self.options.alias or self.path.stem}
        options |= {"threads": self.options.threads, "cors": "localhost" if is_loopback(access.host) else None}
        secrets = (access.key,) if access.key else ()
        gpu = self.settings.backend != "cpu"
        if self._program == "embedded":
            fields = launch.fields(self.path, self.settings, **options)  # type: ignore[arg-type]
            argv = [sys.executable, "-P", str(_EMBEDDED)]
            environment = launch.environment(None, os.environ, gpu=gpu)
            return Order(argv, environment, json.dumps({"fields": fields, "key": access.key}), secrets)
        argv = [self._program, *launch.arguments(self.path, self.settings, **options)]  # type: ignore[arg-type]
        return Order(argv, launch.environment(access.key, os.environ, gpu=gpu), "", secrets)

    def _wait(self, child: Child) -> None:
        """Until the model is loaded and /health answers."""
        begun = time.monotonic()
        told = say("Starting {engine}.", engine="llama.cpp" if self._program == "embedded" else self._program)
        seen, spoken, loaded = 0, -1.0, False
        while True:
            elapsed = time.monotonic() - begun
            lines = child.log.lines
            stages = [message for line in lines[seen:] if (message := engine_log.stage(line))]
            loaded = loaded or any(engine_log.listens(line, self._address[1]) for line in lines[seen:])
            seen = len(lines)
            for message in stages or [told] * (elapsed - spoken >= 1.0):
                told, spoken = message, elapsed
                self._tell(told, elapsed)
            if loaded and self._healthy():
                self.ready_after = time.monotonic() - begun
                self.reported = engine_log.read(child.log.lines)
                self._tell(say("The server is ready."), self.ready_after)
                return
            if not child.alive:
                raise _died(child, self.path, started=False)
            if elapsed > self.options.deadline:
                raise _slow(told, elapsed)
            child.log.wait(0.1)

    def _tell(self, message: Message, elapsed: float) -> None:
        if self.options.on_progress is not None:
            self.options.on_progress(message, elapsed)

    def _healthy(self) -> bool:
        """True if the server answers 200 on /health."""
        connection = http.client.HTTPConnection(*self._address, timeout=2.0)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def find(engine: Engine = "auto") -> str:
    """The path of llama-server, or "embedded". Raises ServerError if neither is here."""
    program = shutil.which(launch.PROGRAM) if engine in ("auto", "llama-server") else None
    if program:
        return program
    if engine in ("auto", "embedded") and importlib.util.find_spec("xllamacpp") is not None:
        return "embedded"
    raise ServerError(
        "There is no llama.cpp server on this computer.",
        mend="Run: pip install 'gyakusan[serve]', or put llama-server on PATH.",
    )


def _died(child: Child, path: Path, *, started: bool) -> ServerError:
    """Why the server ended: from its whole log, else from the model file, else from its exit code."""
    child.end()  # whatever is left of its process group would keep the log open
    child.log.join(DRAIN)
    found = start_failure(child.log.lines)
    code = child.exit_code or 0
    if found and not started:
        return ServerError("The server did not start. {reason}", reason=found.message, mend=found.mend)
    if found and code != -signal.SIGKILL:
        return ServerError("The server stopped. {reason}", reason=found.message, mend=found.mend)
    if code == -signal.SIGKILL:
        return ServerError(
            "The server was killed.",
            mend="If nobody did it, the system was out of memory: choose a shorter context or fewer users.",
        )
    if code < 0:
        return ServerError("The server crashed by signal {number}.", number=-code, mend="Look into its log.")
    if not started and (broken := _unreadable(path)):
        return ServerError("The server did not start. {reason}", reason=broken.message, mend=broken.mend)
    return ServerError("The server ended with status {code}.", code=code, mend="Look into its log.")


def _unreadable(path: Path) -> GyakusanError | None:
    """What our own reader finds wrong with the model file, for a server that ends without a word about it."""
    from gyakusan.models.formats import gguf
    from gyakusan.models.sources import disk

    try:
        gguf.read_parts(str(path), disk.open)
    except GyakusanError as error:
        return error
    return None


def _slow(stage: Message, elapsed: float) -> ServerError:
    return ServerError(
        "The server was not ready after {seconds} s. Last seen: {stage}",
        seconds=round(elapsed),
        stage=stage,
        mend="Allow more time, or look into its log.",
    )


def _leave_on_sigterm() -> Any:
    """SIGTERM raises SystemExit from now on, so that `with` blocks end in order. Nothing if the program handles it."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        return None

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    return signal.signal(signal.SIGTERM, leave)


def _restore_sigterm(previous: Any) -> None:
    if previous is not None:
        signal.signal(signal.SIGTERM, previous)
