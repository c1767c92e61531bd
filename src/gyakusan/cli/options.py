"""Options that several commands share, as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, TypedDict

from cyclopts import Parameter, Token, convert

from gyakusan.core.load import Load
from gyakusan.engines.registry import DEFAULT
from gyakusan.errors import BadQuantity, BadSetting
from gyakusan.message import quoted
from gyakusan.numerals import in_digits
from gyakusan.text import Language, choose
from gyakusan.typed_words import typed
from gyakusan.units import parse_count


def _(template: str) -> str:
    """Marks a template; cli/words.py translates help when it is shown."""
    return template


Images = Annotated[bool, Parameter(help=_("Images are sent too: count the projector that reads them."), negative="")]
Offline = Annotated[
    bool, Parameter(help=_("Stay off the network: use this computer and the catalogue only."), negative="")
]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Screen:
    """How a screen is written."""

    color: Annotated[bool | None, Parameter(help=_("Force colours on or off."))] = None
    lang: Annotated[Literal["en", "ja"] | None, Parameter(help=_("Language of the output."))] = None

    @property
    def language(self) -> Language:
        """The language to write in."""
        return choose(self.lang)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Output:
    """How the answer is written: as a screen, or for programs."""

    json: Annotated[bool, Parameter(help=_("Print JSON for programs; see gyakusan schema."), negative="")] = False
    color: Annotated[bool | None, Parameter(help=_("Force colours on or off."))] = None
    lang: Annotated[Literal["en", "ja"] | None, Parameter(help=_("Language of the output."))] = None

    @property
    def language(self) -> Language:
        """The language to write in."""
        return choose(self.lang)


class MachineArguments(TypedDict):
    """Arguments of `api.deployment` that name the machine."""

    device: str | None
    memory: str | None
    reserve: str | None
    bandwidth: str | None
    ram: str | None


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Where:
    """The machine."""

    device: Annotated[str | None, Parameter(help=_("A catalogue device, e.g. 'RTX 4090'; default: this computer."))] = (
        None
    )
    memory: Annotated[str | None, Parameter(help=_("Memory of the device, e.g. 24GiB."))] = None
    reserve: Annotated[
        str | None, Parameter(help=_("Memory that the OS and other programs keep, e.g. 8GiB (default: estimated)."))
    ] = None
    bandwidth: Annotated[
        str | None, Parameter(help=_("Bandwidth of the computer's RAM, e.g. 80GB/s, for speed on a CPU."))
    ] = None

    ram: Annotated[str | None, Parameter(help=_("RAM beside the GPU, e.g. 64GiB; part of a model may be in it."))] = (
        None
    )

    @property
    def named(self) -> MachineArguments:
        """What names the machine, as arguments of `api.deployment`."""
        return {
            "device": self.device,
            "memory": self.memory,
            "reserve": self.reserve,
            "bandwidth": self.bandwidth,
            "ram": self.ram,
        }


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class People:
    """The load."""

    context: Annotated[
        str | None, Parameter(help=_("Tokens for each user, prompt and answer together, e.g. 32k; inspect takes max."))
    ] = None
    users: Annotated[str, Parameter(help=_("People served at the same time; inspect takes max."))] = "1"

    def load(self, trained_context: int) -> Load:
        """The load; without --context the usual one, or what the model was trained for if that is less."""
        from gyakusan.api import MOST_CONTEXT, MOST_USERS, usual_load

        context = None if self.context is None else whole_number("--context", self.context, MOST_CONTEXT)
        return usual_load(trained_context, users=whole_number("--users", self.users, MOST_USERS), context=context)

    @property
    def most(self) -> frozenset[str]:
        """Which of "context" and "users" are asked for as large as they fit."""
        told = {"context": self.context or "", "users": self.users}
        return frozenset(name for name, text in told.items() if text.strip().casefold() == "max")

    @property
    def defaults(self) -> frozenset[str]:
        """The options that nobody gave: "context", or none."""
        return frozenset({"context"} if self.context is None else ())

    def starting_load(self, trained_context: int) -> Load:
        """The load, with the usual context or 1 user in place of "max"."""
        context = None if "context" in self.most else self.context
        users = "1" if "users" in self.most else self.users
        return People(context, users).load(trained_context)


def whole(of: object, tokens: Sequence[Token]) -> int:
    """Return a whole number as it was typed. Raises ValueError for a part of one, which the parser would round.

    of: the type of the option, an int or none
    """
    if "." in tokens[0].value:
        raise ValueError(tokens[0].value)
    return int(convert(int, tokens))


def whole_number(option: str, text: str, most: int) -> int:
    """Return a whole number. Raises BadQuantity, which names the option."""
    if any(c.isdigit() for c in in_digits(text)):
        try:
            return parse_count(text, at_most=most, length=option != "--users")
        except BadQuantity as error:
            raise BadQuantity("{key}: {problem}", key=option, problem=error.message, mend=error.mend) from error
    example = "32k" if most > 2**20 else "5"
    raise BadQuantity(
        "{option} takes a whole number, not {text}.", option=option, text=quoted(text, 40, mark='"'), example=example,
        mend="Write for example {option} {example}.",
    )  # fmt: skip


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Server:
    """Settings of llama.cpp that change memory."""

    kv_type: Annotated[str | None, Parameter(help=_("Element type of the KV cache: f16, q8_0, q4_0 ..."))] = None
    key_type: Annotated[str | None, Parameter(help=_("Element type of the keys only."))] = None
    value_type: Annotated[str | None, Parameter(help=_("Element type of the values only."))] = None
    batch: Annotated[int, Parameter(converter=whole, help=_("Logical batch in tokens (-b)."))] = 2048
    ubatch: Annotated[int, Parameter(converter=whole, help=_("Physical batch in tokens (-ub)."))] = 512
    flash_attention: Annotated[Literal["auto", "on", "off"], Parameter(help=_("Flash attention (-fa)."))] = "auto"
    unified: Annotated[bool, Parameter(help=_("One KV pool that all users share (-kvu)."))] = False
    swa_full: Annotated[bool, Parameter(help=_("Sliding-window layers cache the whole context."))] = False
    outputs: Annotated[
        Literal["server", "bench"], Parameter(help=_("Whose logits buffer is counted: llama-server or llama-bench."))
    ] = "server"
    mmap: Annotated[bool, Parameter(help=_("Map the file instead of reading it (CPU)."))] = True
    repack: Annotated[bool, Parameter(help=_("Repack weights for this CPU."))] = True
    cpu: Annotated[bool, Parameter(help=_("Run on the CPU even if there is a GPU."), negative="")] = False

    @property
    def given(self) -> tuple[str, ...]:
        """The options that say something else than the defaults."""
        changed = [f for f in fields(self) if getattr(self, f.name) != f.default]
        return tuple(("--no-" if f.default is True else "--") + f.name.replace("_", "-") for f in changed)

    def changes(self) -> dict[str, Any]:
        """What differs from the defaults, as fields of the engine's Settings."""
        out: dict[str, Any] = {
            "key_type": (self.key_type or self.kv_type or "F16").upper(),
            "value_type": (self.value_type or self.kv_type or "F16").upper(),
            "batch": self.batch,
            "ubatch": self.ubatch,
            "flash_attention": self.flash_attention,
            "unified": self.unified,
            "swa_full": self.swa_full,
            "outputs": self.outputs,
            "mmap": self.mmap,
            "repack": self.repack,
        }
        return {**out, "backend": "cpu"} if self.cpu else out


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Which:
    """The server program."""

    engine: Annotated[
        str, Parameter(help=_("llama.cpp, ollama, vllm or mlx; inspect takes several with commas, or all."))
    ] = DEFAULT
    pairs: Annotated[
        tuple[str, ...],
        Parameter(
            name="--set", help=_("A setting of the engine, e.g. num_parallel=4 or ollama.num_parallel=4."), negative=""
        ),
    ] = ()

    def settings(self, name: str, server: Server, alone: bool) -> dict[str, Any]:
        """What `server` means for the engine `name`. Raises BadSetting for llama.cpp's own options with another one alone.

        --kv-type is of every engine that has such a cache: q8_0 is its type of 8 bits. --cpu is of every engine that has a
        backend to choose. Another engine refuses both, in company too.
        """
        if name == DEFAULT:
            self._check_twice(server)
            return server.changes()
        from gyakusan.engines.registry import engine

        known = [f.name for f in fields(engine(name).Settings)]
        cpu = server.cpu and "backend" in known
        refused = [] if not server.cpu or cpu else ["--cpu"]
        if alone:
            refused += [o for o in server.given if o not in ("--cpu", "--kv-type")]
        if refused:
            raise BadSetting(
                "{name} does not have llama.cpp's {options}.", name=name, options=", ".join(refused),
                mend="Its own settings are given as --set NAME=VALUE: {names}" if refused != ["--cpu"] else None,
                names=", ".join(known),
            )  # fmt: skip
        return {**({"backend": "cpu"} if cpu else {}), **self._cache(name, server.kv_type)}

    def _cache(self, name: str, kind: str | None) -> Mapping[str, object]:
        """Return the settings by which another engine than llama.cpp has this cache. Raises BadSetting."""
        from gyakusan.engines.registry import engine
        from gyakusan.engines.settings_parser import parse_overrides
        from gyakusan.python.options import cache_types

        if kind is None:
            return {}
        found = cache_types(name, kind)
        for pair in self.pairs:
            if any(found.get(field, value) != value for field, value in parse_overrides(engine(name), [pair]).items()):
                raise BadSetting("{options} were given together.", options=f"--kv-type, --set {pair}", mend="Give one.")
        return found

    def _check_twice(self, server: Server) -> None:
        """Raise BadSetting where an option and --set say different things of one setting."""
        from gyakusan.engines.registry import engine
        from gyakusan.engines.settings_parser import parse_overrides

        for pair in self.pairs:
            for field, value in parse_overrides(engine(DEFAULT), [pair]).items():
                options = [word for word in map(_option, typed()) if word in _options_of(field)]
                other = server.changes().get(field)
                if options and other is not None and str(other).casefold() != str(value).casefold():
                    names = f"{options[-1]}, --set {pair}"
                    raise BadSetting("{options} were given together.", options=names, mend="Give one.")


def _option(word: str) -> str:
    """Return the name of a typed option without its value."""
    return word.partition("=")[0]


def _options_of(field: str) -> tuple[str, ...]:
    """Return the options that set a field of llama.cpp's settings."""
    name = field.replace("_", "-")
    both = ("--kv-type",) if field in ("key_type", "value_type") else ("--cpu",) if field == "backend" else ()
    return (f"--{name}", f"--no-{name}", *both)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Sharing:
    """How a server is shared."""

    allow_host: Annotated[
        tuple[str, ...],
        Parameter(help=_("A further name of the server, e.g. llm.example.org; also of web pages that may ask it.")),
    ] = ()
    key_slots: Annotated[
        int | None,
        Parameter(
            converter=whole,
            help=_("Requests of one client that are answered at once; default with a key: all but one."),
        ),
    ] = None
    key_requests: Annotated[
        int, Parameter(converter=whole, help=_("Requests of one client in a minute; 0: no limit."))
    ] = 0
    key_tokens: Annotated[
        str, Parameter(help=_("Tokens of one key in a minute, e.g. 100k for 100,000; 0: no limit."))
    ] = "0"
    people_keys: Annotated[
        bool, Parameter(help=_("Let in everybody who has a key of their own, see gyakusan keys."), negative="")
    ] = False

    @property
    def changes(self) -> dict[str, int | None]:
        """Fields of serving.front.limits.Limits. Raises BadSetting, BadQuantity."""
        for name, value, least in (("key-slots", self.key_slots, 1), ("key-requests", self.key_requests, 0)):
            if value is not None and value < least:
                raise BadSetting(
                    "--{name} takes {least} or more, not {value}.", name=name, value=value, least=least, mend=None
                )
        tokens = parse_count(self.key_tokens, at_least=0, length=False)
        return {"key_slots": self.key_slots, "key_requests": self.key_requests, "key_tokens": tokens}
