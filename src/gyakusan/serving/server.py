"""A server from planned settings: start it, wait until it is ready, watch it, stop it.

with Server.of(deployment) as server:
    print(server.url, server.report)
"""

from __future__ import annotations

import http.client
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import Generic, Self, TypeVar

from gyakusan import posix
from gyakusan.engines.base import EngineSettings
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.server import Endpoint, ServerModule, ServerReport
from gyakusan.errors import BadReference, ServerError
from gyakusan.message import Message, say
from gyakusan.serving.access import Access, free_port, grant_access, is_loopback
from gyakusan.serving.process import GuardedProcess, ProcessSpec
from gyakusan.serving.proof import Proof

Progress = Callable[[Message, float], None]
Handlers = dict[int, Callable[[int, FrameType | None], object] | int | None]

DEADLINE = 900.0
"""How long a start may take: a large model from a slow disk. [s]"""
DRAIN = 30.0
"""How long the last lines of a server that has ended may take to arrive on a busy computer. [s]"""

_ATTEMPTS = 3
"""Attempts with a free port: between finding it and using it, somebody else may take it."""
LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Address at which we reach a server that listens on all addresses."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How a server is reached and watched.

    program: "auto", or a word of the engine's PROGRAMS: what the server is started with
    host: address to listen on; other than loopback needs a key, which is made if it is absent
    port: 0 takes a free one
    key: what clients must show as bearer token
    alias: the model's name in the API, None for the name of its file
    threads: CPU threads, None for the server's own choice
    deadline: how long the start may take [s]
    log_file: file that gets the server's whole log, with mode 0600
    append_log: True continues the log file
    words: further words of its command line, see Deployment.thinking_words
    models: that are asked for a token each before the server is ready, () = the only one
    on_progress: called with what happens and the time since the start, at least once a second [s]
    """

    program: str = "auto"
    host: str = "127.0.0.1"
    port: int = 0
    key: str | None = field(default=None, repr=False)
    alias: str | None = None
    threads: int | None = None
    deadline: float = DEADLINE
    log_file: Path | None = None
    append_log: bool = False
    words: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    on_progress: Progress | None = None


S = TypeVar("S", bound=EngineSettings)
R = TypeVar("R", bound=ServerReport)


class Server(Generic[S, R]):
    """One server in a child process. It ends with the `with` block, or when this process does."""

    def __init__(
        self, path: str | Path, settings: S, module: ServerModule[S, R], options: ServerOptions = ServerOptions()
    ) -> None:
        """Prepare a server; nothing is started yet. module: starts the engine's server and reads its log."""
        self.path = Path(path)
        self.settings = settings
        self.module = module
        self.options = options
        self.report = module.read(())
        self.ready_after: float | None = None
        self.program = ""
        self._access: Access | None = None
        self._child: GuardedProcess | None = None
        self._address = ("", 0)
        self._proof: Proof | None = None
        self._proved = 0
        self._read = 0
        self._worked = 0.0
        self._gave_up = False

    @staticmethod
    def of(
        deployment: Deployment, options: ServerOptions = ServerOptions(), path: str | Path | None = None
    ) -> Server[EngineSettings, ServerReport]:
        """Return the server of a deployment. path: of the model file, if it is not the model's source.

        Raises ServerError if gyakusan does not start this engine.
        """
        thinking = replace(options, words=(*options.words, *deployment.thinking_words))
        return Server(path or deployment.model.source, deployment.settings, deployment.server, thinking)

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
        """Start the server and wait until it answers.

        Raises BadReference (no such file), BadSetting (host, port, key, settings), ServerError (no server program here,
        it died, it was too slow). Whatever is raised, nothing is left running.
        """
        if self._child is not None:
            raise ServerError("This Server has been started already.", mend="Create a new Server.")
        self.check_file()
        self.check_model()
        self.program = self.module.find_program(self.options.program)
        self._access = grant_access(self.options.host, self.options.port, self.options.key)
        try:
            for left in reversed(range(_ATTEMPTS if self.options.port == 0 else 1)):
                if self._attempt(self._access, last=left == 0):
                    break
        except BaseException:
            self.stop()
            raise
        return self

    def check_file(self) -> None:
        """Raise BadReference if the file or the folder of the model is not there."""
        if self.module.GIVEN == "file" and not self.path.is_file():
            raise BadReference("The file {path} does not exist.", path=str(self.path), mend="Check the path.")
        if self.module.GIVEN == "folder" and not self.path.is_dir():
            raise BadReference("The folder {path} does not exist.", path=str(self.path), mend="Check the path.")

    def check_model(self) -> None:
        """Raise ServerError for a model file that cannot be read, with the reason: the server would say less, and later."""
        if broken := self.module.model_error(self.path):
            raise ServerError("The server did not start. {reason}", reason=broken.message, mend=broken.mend)

    def stop(self) -> None:
        """End the server and all that belongs to it. Safe at any time, any number of times."""
        try:
            if self._proof is not None:
                self._proof.end()
            if self._child is not None:
                self._child.end()
        finally:
            if self._access is not None:
                self._access.remove_key_file()

    @property
    def url(self) -> str:
        """Base of the OpenAI API."""
        return f"http://{authority(*self._address)}/v1"

    @property
    def key(self) -> str | None:
        """What clients must show as bearer token."""
        return self._access.key if self._access else None

    @property
    def key_path(self) -> Path | None:
        """The file that holds the key if we made it; removed by `stop`."""
        return self._access.path if self._access else None

    @property
    def command(self) -> str:
        """The line that a person would type to start the same."""
        o, port = self.options, self._address[1] or self.options.port or 8080
        endpoint = Endpoint(o.host, port, self.key, o.alias, o.threads, words=o.words)
        return self.module.shell_line(self.path, self.settings, endpoint)

    @property
    def log(self) -> tuple[str, ...]:
        """The first thousands and the last of the server's lines."""
        return self._child.log.lines if self._child else ()

    @property
    def pid(self) -> int | None:
        """The server's process id."""
        return self._child.pid if self._child else None

    @property
    def alive(self) -> bool:
        """True while the server's process runs."""
        return self._child is not None and self._child.alive

    @property
    def worked(self) -> float:
        """When the log last told that the model computes, by the monotonic clock [s]."""
        self._read_on()
        return self._worked

    def _read_on(self) -> None:
        """Read what the log told since the last time: that the model computes, or that it never will again."""
        if self._child is None or not (new := self._child.log.total - self._read):
            return
        self._read += new
        lines = self._child.log.lines[-new:]
        if any(self.module.works(line) for line in lines):
            self._worked = time.monotonic()
        self._gave_up = self._gave_up or any(self.module.gave_up(line) for line in lines)

    @property
    def log_error(self) -> OSError | None:
        """Why the log file takes nothing more, None while it does."""
        return self._child.log.file_error if self._child else None

    def check(self) -> None:
        """Raise ServerError with the log's reason if the server has ended, or will never answer again."""
        self._read_on()
        if self._child is not None and (self._gave_up or not self._child.alive):
            raise self._death(self._child, started=self.ready_after is not None)

    def watch(self) -> None:
        """Block until the server ends, then raise as `check` does. Ctrl-C ends the wait."""
        while self.alive:
            self.check()
            time.sleep(0.2)
        self.check()

    def _attempt(self, access: Access, *, last: bool) -> bool:
        """Start once. Returns False if somebody else took the free port meanwhile and it is not the last attempt."""
        port = access.port or free_port(access.host)
        self._proof, self._proved = None, 0
        self._address = (LOOPBACK_OF.get(access.host, access.host), port)
        self._child = GuardedProcess(self._spec(access, port), self.options.log_file, append=self.options.append_log)
        try:
            self._wait(self._child)
        except ServerError:
            failure = self.module.start_failure(self._child.log.lines)
            if last or failure is None or failure.kind != "port":
                raise
            self._child.end()
            return False
        return True

    def _spec(self, access: Access, port: int) -> ProcessSpec:
        o = self.options
        public = not is_loopback(access.host)
        endpoint = Endpoint(access.host, port, access.key, o.alias or self._alias(), o.threads, public, o.words)
        launch = self.module.launch(self.program, self.path, self.settings, endpoint)
        return ProcessSpec(launch.argv, launch.environment, launch.input, (access.key,) if access.key else ())

    def _alias(self) -> str:
        match self.module.GIVEN:
            case "file":
                return self.path.stem
            case "folder":
                return self.path.resolve().name
        return str(self.path)

    def _wait(self, child: GuardedProcess) -> None:
        """Return when the model is loaded and the server answers that it is ready."""
        begun = time.monotonic()
        current = say("Starting {engine}.", engine=self.module.title(self.program))
        seen, spoken, loaded = 0, -1.0, False
        while True:
            elapsed = time.monotonic() - begun
            lines = child.log.lines
            stages = [message for line in lines[seen:] if (message := self.module.stage(line))]
            loaded = loaded or any(self.module.listens(line, self._address[1]) for line in lines[seen:])
            if any(self.module.gave_up(line) for line in lines[seen:]):
                raise self._death(child, started=False)
            seen = len(lines)
            for message in stages or [current] * (elapsed - spoken >= 1.0):
                current, spoken = message, elapsed
                self._progress(current, elapsed)
            answers = loaded and self._healthy()
            if answers and not self.module.PROVED:
                current = say("Warming up.")
            if answers and self._computes():
                self.ready_after = time.monotonic() - begun
                self.report = self.module.read(child.log.lines)
                self._progress(say("The server is ready."), self.ready_after)
                return
            if not child.alive:
                raise self._death(child, started=False)
            if elapsed > self.options.deadline:
                raise _slow(current, elapsed)
            child.log.wait(0.1)

    def _progress(self, message: Message, elapsed: float) -> None:
        if self.options.on_progress is not None:
            self.options.on_progress(message, elapsed)

    def _healthy(self) -> bool:
        connection = http.client.HTTPConnection(*self._address, timeout=2.0)
        try:
            connection.request("GET", self.module.HEALTH)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _computes(self) -> bool:
        """Return True once the server has answered with a token, where its word is not enough. Raises ServerError."""
        if self.module.PROVED:
            return True
        models = self.options.models or ("",)
        if self._proof is None:
            self._proof = Proof(f"http://{authority(*self._address)}", self.key, models[self._proved])
        try:
            if not self._proof.told():
                return False
        except ServerError as error:
            raise self._unproved(error) from None
        self._proof, self._proved = None, self._proved + 1
        return self._proved == len(models)

    def _unproved(self, error: ServerError) -> ServerError:
        """Return why there is no token: what the log tells, else the answer."""
        failure = None if self._child is None else self.module.start_failure(self._child.log.lines)
        if failure is None:
            return error
        return ServerError("The server did not start. {reason}", reason=failure.message, mend=failure.mend)

    def _death(self, child: GuardedProcess, *, started: bool) -> ServerError:
        """Return why the server ended: from its whole log, else from the model file, else from its exit code."""
        child.end()  # whatever is left of its process group would keep the log open
        child.log.join(DRAIN)
        failure = self.module.start_failure(child.log.lines)
        code = child.exit_code or 0
        if failure and not started:
            return ServerError("The server did not start. {reason}", reason=failure.message, mend=failure.mend)
        if failure and code != -signal.SIGKILL:
            return ServerError("The server stopped. {reason}", reason=failure.message, mend=failure.mend)
        if code == -signal.SIGKILL:
            return ServerError(
                "The server was killed.",
                mend="If nobody killed it, the system ran out of memory: choose a shorter context or fewer users.",
            )
        if code < 0:
            return ServerError("The server crashed with signal {number}.", number=-code, mend="See the server's log.")
        return _ended(code, child.log.lines)


def authority(host: str, port: int) -> str:
    """Return address and port as a URL has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ended(code: int, lines: Sequence[str]) -> ServerError:
    """Return that the server ended, with the last thing that it said."""
    said = next((line.strip() for line in reversed(lines) if line.strip() and not line.startswith("guard: ")), None)
    if said is None:
        return ServerError("The server ended with status {code} and said nothing.", code=code)
    return ServerError("The server ended with status {code}. Its last line: {line}", code=code, line=said[:300])


def _slow(stage: Message, elapsed: float) -> ServerError:
    return ServerError(
        "The server was not ready after {seconds} s. Last step: {stage}",
        seconds=round(elapsed),
        stage=stage,
        mend="Allow more time, or see the server's log.",
    )


def leave_on_signals() -> Handlers:
    """Let signals that end a program raise SystemExit, so that `with` blocks end in order; return what was before.

    Others stay as they are (posix.ending_signals), as do those that posix.EndsInOrder handles.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    mine = [n for n in posix.ending_signals() if not isinstance(signal.getsignal(n), posix.EndsInOrder)]
    return {number: signal.signal(number, posix.EndsInOrder()) for number in mine}


def restore_signals(previous: Handlers) -> None:
    """Put back what `leave_on_signals` returned."""
    for number, handler in previous.items():
        signal.signal(number, handler)
