"""What every engine offers, and the values that engines and the rest of the house exchange.

An engine is one module, usually `engines/NAME/engine.py`, with the constants and functions of `EngineModule`;
`registry.NAMES` lists it. `defaults.py` holds functions that several engines share. Engines do not know each other.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

import msgspec
from msgspec import Struct

from gyakusan.core.arrays import Ints, Number
from gyakusan.core.ledger import Account, Ledger
from gyakusan.core.load import Load
from gyakusan.core.machine import Backend, Machine
from gyakusan.core.model import Model
from gyakusan.engines.container import Container as Container
from gyakusan.engines.container import QueueMetric
from gyakusan.engines.smaller_cache import CacheType as CacheType
from gyakusan.engines.smaller_cache import SmallerCache
from gyakusan.errors import BadSetting
from gyakusan.message import Message

if TYPE_CHECKING:
    from gyakusan.catalog.artifacts import Artifact
    from gyakusan.catalog.models import ModelRecord
    from gyakusan.engines.router import RouterModule
    from gyakusan.engines.server import ServerModule, ServerReport

System = Literal["any", "linux", "windows", "macos"]
"""Operating system of a machine; "any" where nobody said."""
SYSTEM_NAMES = {"any": "any", "linux": "Linux", "windows": "Windows", "macos": "macOS"}
MultiGpu = Literal["layers", "tensor", "none"]
"""How several GPUs serve one model: each holds some layers, all share each layer, or only the first works."""
ImageInput = Literal["optional", "usual", "always", "never"]
"""The part of a model that reads images is loaded unless the command switches it off, always, or never."""
PartInRam = Literal["", "experts", "layers"]
"""What of some blocks is in RAM although a GPU computes: nothing, their experts, or all of them."""


class EngineSettings(Protocol):
    """Settings of one engine: a frozen dataclass that only its own engine reads."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


S = TypeVar("S", bound=EngineSettings)


class Command(Struct, frozen=True):
    """How a server is started.

    argv: program and arguments, never a key
    environment: variables that are set in addition
    then: commands of a client, once the server listens
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    then: tuple[tuple[str, ...], ...] = ()


class Variant(Struct, frozen=True):
    """A model in one format.

    name: as people write it, e.g. "UD-Q4_K_XL", "AWQ", "4bit"
    model: the model as the engine reads it
    published: False if nobody is known to publish it, so that it has to be made
    """

    name: str
    model: Model
    published: bool = True


class Format(Struct, frozen=True):
    """A format of weights, as people name it for one engine.

    name: as people write it, e.g. "UD-Q4_K_XL", "AWQ", "4bit"
    base: the GGUF quantisation or mix that gives the model its tensors
    changes: settings of the engine that choose it
    experts_only: True if only experts are stored so, and a model without experts has no such files
    """

    name: str
    base: str
    changes: Mapping[str, object] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    experts_only: bool = False


class LoadMemory(Struct, frozen=True):
    """Memory of one device without the weights; the figures are arrays where the load is.

    conversations: KV cache and recurrent state of all users [B]
    fixed: compute buffers and overhead [B]
    """

    conversations: Number
    fixed: Number


class MemoryClass(Struct, frozen=True):
    """What the memory of a load depends on, but for model and load: machines of one class take the same.

    key: equal for machines of one class
    overhead: bytes that this machine takes on each device in addition [B]
    """

    key: Hashable
    overhead: int = 0


class ComputeSettings(Struct, frozen=True):
    """What of an engine's settings its speed depends on.

    prefill_chunk: prompt tokens that are computed at once [tokens]
    cache_bytes: as which one cached value is read, for its speed [B]
    ranks: devices that share each layer
    stages: devices that hold some layers each
    on_cpu: True if the CPU computes even where there is a GPU
    experts_in_ram: True if of the layers only experts are in RAM beside a GPU
    part_in_ram: True if anything of the layers may be in RAM beside a GPU
    replicas: copies of the model, each with its share of the users
    drafts: tokens drafted for each step, 0 = no speculative decoding [tokens]
    driver: what drives the GPUs (cuda, rocm, vulkan, metal), None = what is usual for them
    slots: separate caches, of which only neighbours are computed together (core.roofline.expected_batches); 1 = all are
    kept: conversations that stay in one cache of all while they are idle, 0 = they leave it, None = there is no such cache
    together: requests of one copy that are answered at once, the others wait; 0 = as many as are served
    """

    prefill_chunk: float
    cache_bytes: float = 2.0
    ranks: int = 1
    stages: int = 1
    on_cpu: bool = False
    experts_in_ram: bool = False
    part_in_ram: bool = False
    replicas: int = 1
    drafts: int = 0
    driver: Backend | None = None
    slots: int = 1
    kept: int | None = None
    together: int = 0


class PartiallyInRam(Struct, frozen=True):
    """A model of which a part is in RAM although a GPU computes.

    part: what of some blocks is in RAM
    blocks_in_ram: how many [blocks]
    settings: the changes of settings that do it
    """

    part: PartInRam
    blocks_in_ram: int
    settings: Mapping[str, object]


class EngineModule(Protocol[S]):
    """An engine's module; numbers in a load and in settings may be arrays for `settings`, `ledger` and `load_memory`."""

    NAME: str
    VERSION: str
    CAVEAT: Message | None
    """What people should know before they choose it, None = nothing."""
    KEY: str  # the environment variable from which its server reads the API key, "" = it has none
    PREFIXES: tuple[str, ...]
    """What the names of its environment variables begin with, in lower case: OLLAMA_NUM_PARALLEL sets num_parallel."""
    USUAL: bool  # True if it is planned with where nobody names an engine
    STORAGE: str
    """Kind of model files that it reads: gguf, checkpoint, mlx. Engines of one kind share one table of variants."""
    MULTI_GPU: MultiGpu
    MIXED_GPUS: bool  # True if it shares one model between different GPUs
    SPEED_NAME: str
    """The engine whose measurements and fitted constants tell its speed: see catalog.speed_constants."""
    SMALLER_CACHE: SmallerCache  # the KV cache that is planned with beside F16
    OFFLOADS: bool  # True if it can leave a part of a model in RAM beside a GPU: see `part_in_ram`
    REPLICATES: bool
    """True if one server can run copies of a dense model on groups of GPUs: see `replica_settings`."""
    IMAGES: ImageInput  # what becomes of the part of a published model that reads images
    PORT: int  # on which its server listens where none is named
    FORMATS: tuple[str, ...]  # of weights that people use with it, for messages
    HEALTH: str  # path that answers 200 when the server is ready
    QUEUE: QueueMetric | None  # the metric of its waiting requests, None = it has none
    at_once: Callable[[str], int]  # requests of an architecture that its defaults answer together, 0 = all
    Settings: type[S]

    def settings(self, model: Model, load: Load, machine: Machine, **changes: object) -> S:
        """Return the server's defaults for this load on this machine, with `changes`. Raises UnknownName, BadSetting."""
        ...

    def refusals(self, model: Model, machine: Machine, settings: S) -> tuple[Message, ...]:
        """Return why the server would not run this: platform, architecture, quantisation, device. Empty: it would."""
        ...

    def ledger(self, model: Model, load: Load, machine: Machine, settings: S) -> Ledger:
        """Return the bytes by device and kind. Raises BadSetting for settings that the server refuses."""
        ...

    def accounts(self, model: Model, load: Load, machine: Machine, settings: S) -> tuple[Account, ...]:
        """Return the ledger's accounts alone, which costs less than a ledger. Raises BadSetting."""
        ...

    def prefill_chunk(self, machine: Machine) -> int:
        """Return how many prompt tokens are computed at once by default [tokens]."""
        ...

    def compute_settings(self, machine: Machine, settings: S) -> ComputeSettings:
        """Return what of the settings its speed depends on."""
        ...

    def variants(self, model: Model, record: ModelRecord) -> Iterable[Variant]:
        """Return the formats of an unquantised model of the catalogue that are planned with, the largest first."""
        ...

    def variant(self, name: str, model: Model) -> Variant | None:
        """Return the unquantised `model` in a format, None if the engine does not run it. name: see `named_format`."""
        ...

    def artifact(self, record: ModelRecord, name: str) -> Artifact | None:
        """Return the published file or repository of a model in a format, None if nobody is known to publish it."""
        ...

    def preparation(self, record: ModelRecord, name: str) -> tuple[str, ...]:
        """Return the commands that make a format of a model which nobody publishes."""
        ...

    def named_format(self, name: str) -> Format | None:
        """Return the format that people call `name`, in any case; None if it reads none of that name."""
        ...

    def as_read(self, model: Model, settings: S) -> Model:
        """Return the model as it stands in memory under these settings: its speed follows from that."""
        ...

    def weight_bytes(self, model: Model) -> Sequence[int]:
        """Return the bytes of a variant's weights on one device, for each layout. [B] See `weight_layout`."""
        ...

    def weight_layout(self, machine: Machine, ranks: Ints) -> Ints:
        """Return the place in `weight_bytes` for a machine. ranks: devices that share each layer."""
        ...

    def cache_setting(self, kind: CacheType) -> Mapping[str, object] | None:
        """Return the changes of settings that give the cache this type, None if the engine has none like it."""
        ...

    def cache_bytes(self, kind: CacheType) -> float:
        """Return the bytes as which one cached value is read, for its speed [B]."""
        ...

    def cache_types(self, settings: S) -> tuple[str, str]:
        """Return the element types of keys and of values, as they are typed; "f16" for the usual ones of 16 bits."""
        ...

    def system_refusal(self, system: System, alone: bool) -> BadSetting | None:
        """Return why it cannot be asked for on this operating system. alone: no other engine is asked for."""
        ...

    def machine_refusal(self, machine: Machine, system: System) -> Message | None:
        """Return why it runs no model at all on this machine, None if it does."""
        ...

    def format_refusal(self, name: str, machine: Machine) -> Message | None:
        """Return why it does not run models of one format on this machine, None if it does. name: of a Variant."""
        ...

    def part_in_ram(
        self, model: Model, load: Load, machine: Machine, changes: Mapping[str, object]
    ) -> PartiallyInRam | None:
        """Return how the smallest part of a model is left in RAM so that the rest fits the GPU at the high end.

        changes: further settings. None if the engine cannot, or nothing fits.
        """
        ...

    def image_settings(self, projector_bytes: int) -> Mapping[str, object]:
        """Return the settings that count what reads images of a published model. projector_bytes: its file [B]."""
        ...

    def replica_settings(self, replicas: int) -> Mapping[str, object] | None:
        """Return the settings for copies of a model on equal groups of GPUs, None if one server runs one copy."""
        ...

    def usable(self, machine: Machine) -> float:
        """Return the bytes that it may take of the smallest device; infinite if the capacity is unknown [B]."""
        ...

    def max_ranks(self, model: Model, count: int) -> int:
        """Return how many of `count` devices can share each layer, 1 unless MULTI_GPU is "tensor"."""
        ...

    def memory_class(self, machine: Machine, kind: CacheType) -> MemoryClass:
        """Return the class of machines on which a load takes the same memory."""
        ...

    def load_memory(
        self, models: Iterable[Model], load: Load, machine: Machine, kind: CacheType, ranks: int
    ) -> Iterator[LoadMemory | None]:
        """Yield the memory of one device for each model, without weights and the class's overhead; None if refused.

        load: its context may be an array; ranks: devices that share each layer.
        """
        ...

    def occupied_bytes(self, ledger: Ledger) -> tuple[int, ...]:
        """Return what the running server holds of each account's device [B]."""
        ...

    def coexisting_settings(self, ledger: Ledger) -> Mapping[str, object]:
        """Return the changes of settings with which it takes no more than `ledger` says, beside other servers."""
        ...

    def coexisting_margin(self, machine: Machine) -> float:
        """Return what it may take of a device beyond its ledger, beside other servers [B]."""
        ...

    def embedding_settings(self, load: Load) -> Mapping[str, object]:
        """Return the settings with which it computes a whole input of an embedding model at once."""
        ...

    def embedding_command(self, command: Command, pooling: str) -> Command:
        """Return the command that serves embeddings instead of text. pooling: of the model."""
        ...

    def spanning_settings(self, gpus: int, machines: int) -> Mapping[str, object] | None:
        """Return the settings for several machines of `gpus` each as one server, None if it cannot span machines."""
        ...

    def spanning_commands(self, command: Command, machines: int, first: str) -> tuple[Command, ...]:
        """Return the command of each of several machines that are one server. first: address of the first."""
        ...

    def worker_settings(self, addresses: Sequence[str], machine: Machine) -> Mapping[str, object] | None:
        """Return the settings with which it uses devices of other computers through workers, None if it cannot.

        addresses: of the workers, host:port; machine: with the workers' devices first, in their order
        """
        ...

    def worker_command(self, machine: Machine, port: int) -> Command | None:
        """Return what another computer runs to lend its devices, reached on loopback only; None if it has no workers."""
        ...

    def command(self, model: Model, machine: Machine, settings: S) -> Command:
        """Return the exact command line and environment."""
        ...

    def published_command(self, record: ModelRecord, model: Model, machine: Machine, settings: S, name: str) -> Command:
        """Return the command for a model of the catalogue in a format, with the repository from which the server fetches it.

        Where nobody publishes that format it names what `preparation` makes.
        """
        ...

    def with_port(self, command: Command, port: int) -> Command:
        """Return the command with another port."""
        ...

    def with_host(self, command: Command, host: str) -> Command:
        """Return the command with another address to listen on."""
        ...

    def short_command(self, command: Command, machine: Machine) -> Command:
        """Return the command without options that say what the server does anyway, and without what only tests need."""
        ...

    def with_thinking(
        self, command: Command, architecture: str, mode: str, arguments: Mapping[str, object]
    ) -> Command | None:
        """Return the command under which a model that can think does so in a mode, None where the server has no option.

        mode: off, on, low, medium or high; arguments: what the model's chat template takes for it, none = its default
        """
        ...

    def with_page(self, command: Command, shown: bool) -> Command:
        """Return the command with the server's own chat page, or without it, where it has one."""
        ...

    def container(self, machine: Machine) -> Container | None:
        """Return how it is run in a container with the machine's GPUs, None if it cannot be."""
        ...

    def server(self) -> ServerModule[S, ServerReport] | None:
        """Return the module that starts its server on this computer, None if gyakusan does not start it."""
        ...

    def router(self) -> RouterModule | None:
        """Return the module that starts several models behind one address, None if its server does not do that."""
        ...

    def read(self, lines: Iterable[str]) -> object:
        """Return what the server's own log reported."""
        ...
