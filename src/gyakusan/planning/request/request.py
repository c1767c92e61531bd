"""What is asked of a plan: people, machine or budget, floors and wishes. One value, from flags, JSON or TOML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from gyakusan.engines.base import engine
from gyakusan.errors import BadQuantity, BadSetting, nearest, unknown
from gyakusan.message import say
from gyakusan.planning.evaluate import sustainable_rate
from gyakusan.planning.request import money
from gyakusan.planning.request.money import Money
from gyakusan.units import parse_count

Task = Literal["chat", "coding", "rag", "agents", "translation", "embedding"]
"""embedding: texts become vectors for search; only beside a model that answers (`also`)."""
Prefer = Literal["balanced", "quality", "speed", "price"]
System = Literal["any", "linux", "windows", "macos"]
COMPUTER = Money(150_000, "JPY")
"""What is around one or two graphics cards: assumed, a plain new PC without one in Japan, 2026."""
MOST_CONTEXT, MOST_USERS, MOST_COUNT, MOST_PARTS = 2**30, 65536, 8, 7
OF_A_PART = (
    *("task", "users", "context", "prompt", "answer", "language", "model"),
    *("speed", "first", "quality", "engines", "kv", "licenses", "families", "without"),
)
"""What may be said of a model beside others."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What people do in a task. context, prompt, answer [tokens]; score: column of quality; pace: answer tokens a second
    that one reads or waits for without loss [tokens/s]; first: seconds until the first token that nobody minds [s]."""

    context: int
    prompt: int
    answer: int
    score: str
    pace: float
    first: float


WORKLOADS: Mapping[str, Workload] = {
    "chat": Workload(8192, 1000, 400, "overall", 10, 5),
    "coding": Workload(32768, 6000, 800, "coding", 25, 15),
    "rag": Workload(16384, 5000, 400, "overall", 10, 10),
    "agents": Workload(65536, 12000, 600, "reasoning", 25, 20),
    "translation": Workload(4096, 800, 800, "overall", 10, 5),
    "embedding": Workload(2048, 512, 1, "overall", 1, 5),
}
"""Assumed, from how such tools are used: a page is about 600 tokens, people read about 5 to 10 tokens a second."""


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """Everything asked; a default is what nobody said.

    users: conversations at once; arrivals: requests of everyone together, None = not said [1/s]; context, prompt, answer:
    None = the task's [tokens]; task; language: of the people;
    device, memory, reserve, bandwidth: the machine that is owned, as for `inspect`; budget: for a machine that is bought, with
    `computer`: the price of what is around graphics cards; power: at most [W]; count: cards in one machine at most;
    os; brand: vendor; used: second-hand prices count; enterprise: cards for data centres count;
    speed: answer tokens a second for each user, at least [tokens/s]; first: seconds to the first token, at most [s];
    quality: at least [points]; prefer; engines; kv: cache types; licenses, families: wanted, empty = all; without:
    families that are not wanted; model: only this one; rates: yen for one unit of a currency;
    also: other models on the same machine at the same time, each with its own people and task.
    """

    users: int = 1
    context: int | None = None
    prompt: int | None = None
    answer: int | None = None
    task: Task = "chat"
    language: Literal["en", "ja"] = "en"
    device: str | None = None
    memory: str | None = None
    reserve: str | None = None
    bandwidth: str | None = None
    budget: Money | None = None
    computer: Money = COMPUTER
    power: float | None = None
    count: int = MOST_COUNT
    os: System = "any"
    brand: str | None = None
    used: bool = False
    enterprise: bool = True
    speed: float = 0.0
    first: float | None = None
    quality: float | None = None
    prefer: Prefer = "balanced"
    engines: tuple[str, ...] = ()
    kv: tuple[str, ...] = ("F16",)
    licenses: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    model: str | None = None
    rates: tuple[tuple[str, float], ...] = ()
    also: tuple[PlanRequest, ...] = ()
    arrivals: float | None = None

    @property
    def usual(self) -> Workload:
        """What people do in this task, with the figures that were given."""
        known = WORKLOADS[self.task]
        context = self.context or known.context
        prompt = self.prompt or min(known.prompt, max(1, context * 3 // 4))
        answer = self.answer or min(known.answer, max(1, context - prompt))
        score = "japanese" if self.language == "ja" and known.score == "overall" else known.score
        return replace(known, context=context, prompt=prompt, answer=answer, score=score)

    @property
    def owned(self) -> bool:
        """True if the machine is named, or it is this computer."""
        return self.device is not None or self.memory is not None or (self.budget is None and self.model is None)


NAMES = tuple(f.name for f in fields(PlanRequest))


def parse_request(values: Mapping[str, Any]) -> PlanRequest:
    """A question from what a person or a program wrote, one value for each key.

    Raises UnknownName for an unknown key, BadQuantity or BadSetting for a value that makes no sense, naming the key.
    """
    for key in values:
        if key not in NAMES:
            near = nearest(str(key), NAMES)
            raise BadSetting(
                "A question has no key {key}.",
                key=repr(str(key)[:40]),
                near=", ".join(near) or ", ".join(NAMES),
                mend="Nearest: {near}.",
            )
    read = {key: _READERS[key](key, value) for key, value in values.items() if value is not None}
    return checked_request(_counted(PlanRequest(**read), said="users" in read))


def _counted(question: PlanRequest, said: bool) -> PlanRequest:
    """With arrivals and no users: as many as then are served at once."""
    if question.arrivals is None or said:
        return question
    users = sustainable_rate.slots_for_rate(question.arrivals, question.usual)
    if users > MOST_USERS:
        raise BadQuantity(
            "So many requests are {users} conversations at once.",
            users=f"{users:,}",
            most=f"{MOST_USERS:,}",
            mend="At most {most} are planned; lower the arrivals or shorten the answers.",
        )
    return replace(question, users=users)


def checked_request(question: PlanRequest) -> PlanRequest:
    """The question, or BadQuantity, BadSetting for figures that contradict each other."""
    usual = question.usual
    if usual.prompt + usual.answer > usual.context:
        raise BadQuantity(
            "A prompt of {prompt} and an answer of {answer} tokens do not fit into a context of {context}.",
            prompt=f"{usual.prompt:,}",
            answer=f"{usual.answer:,}",
            context=f"{usual.context:,}",
            mend="Raise the context, or shorten prompt or answer.",
        )
    if question.budget is not None and (question.device is not None or question.memory is not None):
        raise BadSetting(
            "A machine that is owned and a budget for another one are two questions.",
            mend="Leave out device and memory, or the budget.",
        )
    if question.task == "embedding" and (question.device or question.memory or question.budget):
        raise BadSetting(
            "A model for embeddings answers nobody: it is planned beside one that does.", mend="Write --also embedding."
        )
    if question.os == "macos" and "vLLM" in question.engines:
        raise BadSetting(
            "vLLM does not run on macOS: it has no kernels for Apple's GPUs.", mend="Use MLX-LM or llama.cpp there."
        )
    if question.os in ("linux", "windows") and question.engines == ("MLX-LM",):
        raise BadSetting(
            "MLX-LM runs on macOS only, and the system asked for is {os}.",
            os=question.os,
            mend="Leave one of them out.",
        )
    return question


def values_of(text: str, name: str) -> Mapping[str, Any]:
    """What a TOML or JSON file called `name` says. Raises BadSetting if it is neither."""
    import json
    import tomllib

    try:
        values = json.loads(text) if name.endswith(".json") else tomllib.loads(text)
    except ValueError as error:
        raise BadSetting(
            "{file} cannot be read: {problem}",
            file=name,
            problem=str(error),
            mend="Write TOML, or JSON in a .json file.",
        ) from error
    if not isinstance(values, dict):
        raise BadSetting("{file} holds no table of keys.", file=name, mend="Write lines such as users = 5.")
    return values


def _count(key: str, value: Any) -> int:
    most = {"users": MOST_USERS, "count": MOST_COUNT}.get(key, MOST_CONTEXT)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _bad(key, value)
    try:
        return parse_count(value, at_most=most)
    except BadQuantity as error:
        raise BadQuantity("{key}: {problem}", key=key, problem=error.message, mend=error.mend) from error


def _number(key: str, value: Any) -> float:
    try:
        found = float(str(value).strip().removesuffix("W").removesuffix("w"))
    except ValueError:
        raise _bad(key, value) from None
    if isinstance(value, bool) or not 0 <= found < 1e9 or (found == 0 and key == "power"):
        raise _bad(key, value)
    return found


def _arrivals(key: str, value: Any) -> float:
    return sustainable_rate.parse_request_rate(str(value) if isinstance(value, int | float) else _text(key, value))


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _bad(key, value)
    return value.strip()


def _yes(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _bad(key, value)
    return value


def _money(key: str, value: Any) -> Money:
    return value if isinstance(value, Money) else money.parse_money(_text(key, value))


def _choice(key: str, value: Any) -> str:
    known = {"task": tuple(WORKLOADS), "prefer": get_args(Prefer), "os": get_args(System), "language": ("en", "ja")}[
        key
    ]
    if value not in known:
        raise BadSetting(
            "{key} cannot be {value}.", key=key, value=repr(value), known=", ".join(known), mend="Known: {known}."
        )
    return str(value)


def _words(key: str, value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(p, str) for p in parts):
        raise _bad(key, value)
    return tuple(dict.fromkeys(p.strip() for p in parts if p.strip()))


def _engines(key: str, value: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(engine(name).NAME for name in _words(key, value) if name != "all"))


def _types(key: str, value: Any) -> tuple[str, ...]:
    found = tuple(w.upper() for w in _words(key, value))
    for name in found:
        if name not in ("F16", "Q8_0"):
            raise unknown(say("cache type"), name, ("F16", "Q8_0"))
    return found or ("F16",)


def _rates(key: str, value: Any) -> tuple[tuple[str, float], ...]:
    if isinstance(value, Mapping):
        value = [f"{k}={v}" for k, v in value.items()]
    return tuple(money.parse_rate(w) for w in _words(key, value))


def _also(key: str, value: Any) -> tuple[PlanRequest, ...]:
    """Other models: each a table, or "coding:users=2,context=16k" with the task before the colon."""
    if isinstance(value, str | Mapping):
        value = [value]
    if not isinstance(value, list | tuple) or len(value) > MOST_PARTS:
        raise _bad(key, value)
    return tuple(v if isinstance(v, PlanRequest) else _part(v) for v in value)


def _part(value: Any) -> PlanRequest:
    said = part_values(value) if isinstance(value, str) else value
    if not isinstance(said, Mapping):
        raise _bad("also", value)
    for name in said:
        if name not in OF_A_PART:
            raise BadSetting(
                "A model beside others has no key {key}.",
                key=repr(str(name)[:40]),
                known=", ".join(OF_A_PART),
                mend="Known: {known}.",
            )
    return parse_request(said)


def part_values(text: str) -> dict[str, str]:
    """ "coding:users=2,context=16k" -> {"task": "coding", "users": "2", "context": "16k"}. Raises BadSetting."""
    task, _, rest = text.partition(":")
    pairs = [p.partition("=") for p in rest.split(",") if p.strip()]
    if not task.strip() or not all(sep and name.strip() for name, sep, _ in pairs):
        raise _bad("also", text)
    return {"task": task.strip(), **{name.strip(): found.strip() for name, _, found in pairs}}


def _bad(key: str, value: Any) -> BadSetting:
    return BadSetting(
        "{key} cannot be {value}.",
        key=key,
        value=repr(value)[:40],
        mend="See `gyakusan plan --help` for what it takes.",
    )


_READERS: Mapping[str, Any] = {
    **dict.fromkeys(("users", "context", "prompt", "answer", "count"), _count),
    **dict.fromkeys(("power", "speed", "first", "quality"), _number),
    **dict.fromkeys(("device", "memory", "reserve", "bandwidth", "brand", "model"), _text),
    **dict.fromkeys(("used", "enterprise"), _yes),
    **dict.fromkeys(("budget", "computer"), _money),
    **dict.fromkeys(("task", "prefer", "os", "language"), _choice),
    **dict.fromkeys(("licenses", "families", "without"), _words),
    "also": _also,
    "arrivals": _arrivals,
    "engines": _engines,
    "kv": _types,
    "rates": _rates,
}
