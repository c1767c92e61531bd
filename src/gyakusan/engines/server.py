"""How an engine's server is started on this computer, and what its log says: all that `gyakusan.serving` knows of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from gyakusan.core.machine import Device, Machine
from gyakusan.core.model import Model
from gyakusan.engines.base import EngineSettings, System
from gyakusan.errors import GyakusanError, ServerError
from gyakusan.message import Message


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server listens, and for whom.

    host: address or name to listen on
    port: port to listen on
    key: what clients must show, None if nobody asks for it
    alias: the model's name in the API
    threads: CPU threads, None for the server's own choice
    public: True if other computers can reach it
    words: further words of the command line: how the model thinks, see Deployment.thinking_words
    """

    host: str = "127.0.0.1"
    port: int = 8080
    key: str | None = field(default=None, repr=False)
    alias: str | None = None
    threads: int | None = None
    public: bool = False
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Launch:
    """One start of a server.

    argv: program and arguments, never a key
    environment: all of its environment, which may hold the key
    input: what it reads from standard input, which may hold the key
    """

    argv: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    input: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class PredictedBuffer:
    """One buffer that we expect the server to allocate.

    kind: what it holds, e.g. "weights" or "kv_cache"
    device: "host", "gpu0", or a name as the server prints it
    bytes: its size [B]
    """

    kind: str
    device: str
    bytes: float


@dataclass(frozen=True, slots=True)
class ReportedBuffer:
    """One buffer that the server says it allocated.

    device: as printed, e.g. CPU_Mapped, CUDA0, CUDA_Host
    kind: what it holds
    bytes: as printed [B]
    raw: the part of the line that tells it
    rounding: how much the printed figure may differ from the true one [B]
    """

    device: str
    kind: str
    bytes: float
    raw: str
    rounding: float = 0.0


@dataclass(frozen=True, slots=True)
class StartFailure:
    """Why a server stopped.

    kind: a word for programs; "port" means that somebody else took the port
    message: the reason
    mend: what would mend it
    """

    kind: str
    message: Message
    mend: Message


Given = Literal["file", "folder", "name"]
"""What a server is given of a model: its file, the folder of a checkpoint, or a name under which it keeps it itself."""


class ServerReport(Protocol):
    """What a server logged about itself while it started."""

    @property
    def buffers(self) -> tuple[ReportedBuffer, ...]:
        """The buffers that it allocated."""
        ...

    @property
    def build(self) -> int | None:
        """Number of its build, None if it tells none."""
        ...

    @property
    def version(self) -> str | None:
        """Its version as people write it, None if it tells none."""
        ...


class DryRunLine(Protocol):
    """Our figure and the engine's own in a dry run."""

    @property
    def kind(self) -> str:
        """What the figure is of: a kind of the ledger, or several."""
        ...

    @property
    def ours(self) -> int:
        """Our figure [B]."""
        ...

    @property
    def theirs(self) -> float:
        """The engine's own figure [B]."""
        ...

    @property
    def difference(self) -> float:
        """Ours less theirs, 0 within the rounding [B]."""
        ...

    @property
    def difference_share(self) -> float:
        """The difference over their figure [fraction]."""
        ...


class DryRunBuild(Protocol):
    """A dry run of the engine itself: the build that ran."""

    @property
    def build(self) -> int:
        """Number of the build."""
        ...


class WorkerModule(Protocol):
    """The constants and functions of a module for workers: programs that lend devices of other computers to a server."""

    SETTING: str
    """The setting that names workers as host:port."""
    PORT: int
    """Where a worker listens unless it is told otherwise."""
    MOST: int
    """Workers that one server takes."""

    PLACE: str
    """Folder of the programs in an image that has them all."""
    SERVER: str
    """Name of the server's program."""

    def words(self, host: str, port: int) -> tuple[str, ...]:
        """Return the words that start a worker. host: address to listen on."""
        ...

    def start_line(self, port: int) -> str:
        """Return the line that a person types to start a worker that only its own computer reaches."""
        ...

    def script(self, port: int) -> str:
        """Return the line for ssh that starts a worker on the loopback of its computer, and ends it with the session."""
        ...

    def failure(self, line: str, port: int, where: str) -> ServerError | None:
        """Return what a line of a started worker's log tells of its end, None if it tells nothing."""
        ...

    def devices(self, host: str, port: int, seconds: float) -> tuple[Device, ...]:
        """Return the devices that a worker lends, as it tells them itself. Raises ServerError. seconds: patience [s]."""
        ...


S_contra = TypeVar("S_contra", bound=EngineSettings, contravariant=True)
R_co = TypeVar("R_co", bound=ServerReport, covariant=True)


class ServerModule(Protocol[S_contra, R_co]):
    """The constants and functions of a module that starts an engine's server and reads its log."""

    HEALTH: str
    """Path that answers 200 once the server is ready, e.g. "/health"."""
    GIVEN: Given
    """What it is given of a model."""
    PROVED: bool
    """True if it says that it is ready only once the model computes; another server is asked for a token first."""
    CACHE_METRICS: tuple[str, ...]
    """Metrics of Prometheus in which it tells the share of its KV cache that is in use."""
    PROGRAMS: tuple[str, ...]
    """What it can be started with, e.g. a program on PATH or a Python package; the first that is here is taken."""

    INSTALL_PAGE: str
    """Where its makers say how it is installed; what `packaged` and `installing` return stands there."""
    LISTS_DEVICES: str
    """The command by which an installed program shows the GPUs that it computes on, "" where its packages are of one kind."""

    def installing(self, machine: Machine, folder: str) -> tuple[str, ...]:
        """Return the commands of a shell that put it into a folder for this machine, () where that is not how it is done."""
        ...

    def packaged(self, machine: Machine, system: System) -> tuple[str, ...]:
        """Return the commands that put its program on PATH, () where `installing` does or its page alone says how.

        system: what the machine runs, "any" where nobody said
        """
        ...

    def find_program(self, choice: str) -> str:
        """Return what will be started: the path of a program, or a word of PROGRAMS. Raises ServerError if nothing is here.

        choice: a word of PROGRAMS, or "auto".
        """
        ...

    def launch(self, program: str, path: Path, settings: S_contra, endpoint: Endpoint) -> Launch:
        """Return how `program` is started with a model file. Raises BadSetting for settings that it refuses."""
        ...

    def shell_line(self, path: Path, settings: S_contra, endpoint: Endpoint) -> str:
        """Return the line that a person would type to start the same; the key is a variable, never its value."""
        ...

    def title(self, program: str) -> str:
        """Return the name of `program` for people."""
        ...

    def stage(self, line: str) -> Message | None:
        """Return what the server begins with this line of its log, None if it says nothing of it."""
        ...

    def listens(self, line: str, port: int) -> bool:
        """Return True if the server says here that it listens on `port` and has loaded the model."""
        ...

    def gave_up(self, line: str) -> bool:
        """Return True if the server says here that it will never answer, although its process goes on."""
        ...

    def works(self, line: str) -> bool:
        """Return True if the server says here that the model computes for somebody."""
        ...

    def read(self, lines: Iterable[str]) -> R_co:
        """Return what a log reports. Never raises on any text."""
        ...

    def start_failure(self, lines: Iterable[str]) -> StartFailure | None:
        """Return why the server ended, None if its log does not tell."""
        ...

    def model_error(self, path: Path) -> GyakusanError | None:
        """Return what is wrong with the model's file or folder, None if it can be read: the server would say less."""
        ...

    def dry_run(self, model: Model, settings: S_contra) -> tuple[Sequence[DryRunLine], DryRunBuild]:
        """Return our figures beside those of the engine's own dry run. Raises ServerError where it cannot run."""
        ...

    def predicted_buffers(self, model: Model, settings: S_contra) -> tuple[PredictedBuffer, ...]:
        """Return the buffers that the server should allocate."""
        ...

    def workers(self) -> WorkerModule | None:
        """The module for workers that lend it devices of other computers, None if it takes none."""
        ...

    def device_family(self, device: str) -> str:
        """Return "host", "gpu0", ... for a device as the server prints it; another name as it is, in lower case."""
        ...
