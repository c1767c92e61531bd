"""The request of a plan: people, their workload, a machine or a budget, limits and preferences.

`PlanRequest` is the value that every planner starts from. It says what was asked for, never what was recommended.
`parse_request` makes one of options, TOML or JSON. A key that users write keeps its short name: `KEYS` maps it to the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, structs

from gyakusan.core.records import field_names
from gyakusan.engines.base import System
from gyakusan.planning.request.money import Money

Task = Literal["chat", "coding", "rag", "agents", "translation", "embedding"]
"""What people do. "embedding" turns texts into vectors for search; it is planned beside a model that answers."""
Prefer = Literal["balanced", "quality", "speed", "price"]
SpokenLanguage = Literal["en", "ja"]
"""The language that people write to the model."""
USUAL_DEVICES = 2
"""Most cards in a machine to buy unless more are asked for: what a case, a supply and a socket of a house take."""
MAX_CONTEXT = 2**30
"""Longest context that can be planned for. [tokens]"""
MAX_USERS = 65536
CACHE_TYPES = ("F16", "Q8_0")
"""Types of the KV cache that are tried where nobody names one."""
MAX_DEVICES = 8
"""Most GPUs in one machine."""


class Workload(Struct, frozen=True):
    """What people do in a task: lengths, the quality that counts, and the speed they need.

    context: one conversation, prompt and output together [tokens]
    prompt_tokens: of one turn [tokens]
    output_tokens: of one turn, without reasoning [tokens]
    quality_metric: column of the quality table that ranks models ("overall", "coding", "agentic", "japanese")
    target_tps: visible output speed for each user beyond which faster brings little [tokens/s]
    target_ttft: time to the first token that nobody minds [s]
    """

    context: int
    prompt_tokens: int
    output_tokens: int
    quality_metric: str
    target_tps: float
    target_ttft: float


WORKLOADS: Mapping[Task, Workload] = {
    "chat": Workload(8192, 1000, 400, "overall", 10, 5),
    "coding": Workload(32768, 6000, 800, "coding", 25, 15),
    "rag": Workload(16384, 5000, 400, "overall", 10, 10),
    "agents": Workload(65536, 12000, 600, "agentic", 25, 20),
    "translation": Workload(4096, 800, 800, "overall", 10, 5),
    "embedding": Workload(2048, 512, 1, "overall", 1, 5),
}
"""Assumed, from how tools for each task are used: a page is about 600 tokens, people read 5 to 10 tokens a second."""


def ranking_metric(task: Task, language: str | None) -> str:
    """Return the column of the quality table that ranks models for a task in a language."""
    usual = WORKLOADS[task].quality_metric
    return "japanese" if language == "ja" and usual == "overall" else usual


class PlanRequest(Struct, frozen=True):
    """Everything that a plan must respect; a default stands for what nobody specified.

    users: conversations served at the same time
    context: one conversation, prompt and output together, None = the task's [tokens]
    prompt_tokens: of one turn, None = the task's [tokens]
    output_tokens: of one turn, None = the task's [tokens]
    task: sets the lengths and the quality that counts
    language: that people write
    device: name of the machine that is owned, as for `inspect`; None = this computer, or a budget
    memory: memory of the machine that is owned, e.g. "24GiB"
    reserve: memory of it that other programs use, e.g. "2GiB"
    bandwidth: of its RAM, e.g. "80GB/s"
    ram: RAM of the machine beside its GPUs, e.g. "64GiB"; None = as it was detected or named
    images: people send images too: the model reads them, and what reads them is counted
    budget: for a machine to buy
    currency: of the answer, ISO 4217, None = the budget's
    base_computer_price: of the computer around graphics cards, None = by RAM, power and cards; 0 = it is owned
    power: limit of the devices together [W]
    outlet: most power that a socket gives, None = that of a household of the currency's country [W]
    count: GPUs in one machine, at most
    os: operating system of the machine
    brand: vendor of the devices, None = any
    used: second-hand prices count
    enterprise: cards for data centres count
    speed: decode speed for each user, at least [tokens/s]
    max_ttft: time to the first token, at most, None = no limit [s]
    quality: quality score, at least, None = no limit [points]
    prefer: what counts most in the ranking
    engines: to choose from, empty = the usual ones
    kv_types: types of the KV cache to choose from, empty = F16, and Q8_0 where that brings more
    licenses: of the model, empty = all
    families: whose names models must begin with, empty = all
    exclude_families: whose names models must not begin with
    model: plan only this model
    buy: for a model alone, without a machine or a budget, machines to buy; False = this computer
    rates: exchange rates that were specified: yen for one unit of each currency [JPY]
    colocated: other models on the same machine at the same time, each with its own people and task
    arrivals: rate of requests of everyone together, None = `users` stay connected [1/s]
    """

    users: int = 1
    context: int | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    task: Task = "chat"
    language: SpokenLanguage = "en"
    device: str | None = None
    memory: str | None = None
    reserve: str | None = None
    bandwidth: str | None = None
    ram: str | None = None
    images: bool = False
    budget: Money | None = None
    currency: str | None = None
    base_computer_price: Money | None = None
    power: float | None = None
    outlet: float | None = None
    count: int = USUAL_DEVICES
    os: System = "any"
    brand: str | None = None
    used: bool = False
    enterprise: bool = False
    speed: float = 0.0
    max_ttft: float | None = None
    quality: float | None = None
    prefer: Prefer = "balanced"
    engines: tuple[str, ...] = ()
    kv_types: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    exclude_families: tuple[str, ...] = ()
    model: str | None = None
    buy: bool = True
    rates: tuple[tuple[str, float], ...] = ()
    colocated: tuple[PlanRequest, ...] = ()
    arrivals: float | None = None

    @property
    def workload(self) -> Workload:
        """The task's workload, with the lengths that were specified in place of its own."""
        usual = WORKLOADS[self.task]
        context = self.context or usual.context
        prompt = self.prompt_tokens or min(usual.prompt_tokens, max(1, context * 3 // 4))
        output = self.output_tokens or min(usual.output_tokens, max(1, context - prompt))
        metric = ranking_metric(self.task, self.language)
        return structs.replace(
            usual, context=context, prompt_tokens=prompt, output_tokens=output, quality_metric=metric
        )

    @property
    def cache_types(self) -> tuple[str, ...]:
        """The types of the KV cache to try; without a wish each engine has its usual and its smaller one."""
        return self.kv_types or CACHE_TYPES

    @property
    def paid_in(self) -> str:
        """The currency in which the asker pays: the one that was named, else the budget's, else yen."""
        return self.currency or (self.budget.currency if self.budget else "JPY")

    @property
    def owned(self) -> bool:
        """True if the machine is named, or it is this computer."""
        return (
            self.device is not None
            or self.memory is not None
            or (self.budget is None and not (self.model and self.buy))
        )


_KEY_OF_FIELD = {
    "prompt_tokens": "prompt",
    "output_tokens": "answer",
    "base_computer_price": "computer",
    "max_ttft": "first",
    "kv_types": "kv",
    "exclude_families": "without",
    "colocated": "also",
    "quality_metric": "score",
    "target_tps": "pace",
    "target_ttft": "first",
}
KEYS: Mapping[str, str] = {_KEY_OF_FIELD.get(name, name): name for name in field_names(PlanRequest)}
"""Key that users write (TOML, JSON, Python keyword) -> field of PlanRequest."""
WORKLOAD_KEYS: Mapping[str, str] = {_KEY_OF_FIELD.get(name, name): name for name in field_names(Workload)}
"""Key in JSON documents -> field of Workload."""
