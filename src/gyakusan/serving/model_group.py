"""Several models behind one address: how many fit into memory together, whichever they are, and what the worst of them take.

Requests decide which models are loaded. So `models_max` is the largest number of which every choice fits on every device, now.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from gyakusan.core.ledger import Account, Line
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.registry import DEFAULT
from gyakusan.engines.router import Routed, RoutedModel, RouterModule
from gyakusan.engines.server import ServerReport
from gyakusan.errors import BadSetting
from gyakusan.serving.buffer_comparison import BufferComparison, compare_deployment
from gyakusan.units import GIB, MIB

ROUTER = 64 * MIB
"""RAM of the router itself, which loads no model. Assumed. [B]"""
PROMPT_CACHE = 8 * GIB
"""RAM in which a server keeps idle conversations unless it is told less: llama.cpp b11434, --cache-ram. [B]"""


@dataclass(frozen=True, slots=True)
class Member:
    """One of the models.

    name: by which requests name it
    asked: what is planned for it
    path: of its file
    """

    name: str
    asked: Deployment
    path: Path

    @property
    def bytes(self) -> float:
        """Memory that is planned for it, on all devices [B]."""
        return sum(float(a.total) for a in self.asked.ledger.accounts)


@dataclass(frozen=True, slots=True)
class Share:
    """One device, and what the models that take most of it take together.

    device: its name
    usable: memory that is free now, None if it is unknown [B]
    bytes: of the worst set [B]
    worst: names of that set, the largest first
    """

    device: str
    usable: float | None
    bytes: float
    worst: tuple[str, ...]

    @property
    def spare(self) -> float:
        """What is left beside the worst set, infinite where the memory is unknown [B]."""
        return float("inf") if self.usable is None else self.usable - self.bytes


class ModelGroup:
    """The models behind one address, and how many of them may be loaded at once."""

    def __init__(self, members: Sequence[Member], most: int | None = None, *, anyway: bool = False) -> None:
        """Choose how many fit together. Raises BadSetting.

        most: no more than this are loaded at once; anyway: also if they do not fit
        """
        self.members = tuple(members)
        self.module = _router(self.members)
        self.fitting = max((n for n in range(1, len(members) + 1) if _fits(self._shares(n))), default=0)
        if most is not None and most < 1:
            raise BadSetting("{key} cannot be {value}.", key="models_max", value=most, mend="Give 1 or more.")
        wanted = min(len(members), len(members) if most is None else most)
        if most is not None and wanted > max(1, self.fitting) and not anyway:
            raise self._too_many(wanted)
        self.models_max = max(1, min(wanted, self.fitting)) if most is None or not anyway else wanted

    def _too_many(self, wanted: int) -> BadSetting:
        share = min(self._shares(wanted), key=lambda s: s.spare)
        return BadSetting(
            "{count} models do not always fit together: {worst} take {bytes} GiB, and {usable} GiB of {device} are free.",
            count=wanted, worst=", ".join(share.worst), bytes=_gib(share.bytes), usable=_gib(share.usable or 0.0),
            device=share.device, most=max(1, self.fitting),
            mend="Add --models-max {most}, or leave it out. --anyway starts it as it is.",
        )  # fmt: skip

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the models, in the order in which they were named."""
        return tuple(m.name for m in self.members)

    @property
    def first(self) -> tuple[str, ...]:
        """The names of those that are loaded at the start."""
        return self.names[: self.models_max]

    @property
    def shares(self) -> tuple[Share, ...]:
        """What the worst set of models takes of each device."""
        return self._shares(self.models_max)

    @property
    def worst(self) -> tuple[Member, ...]:
        """The members that together take most of the fullest device."""
        names = min(self.shares, key=lambda s: s.spare).worst
        return tuple(m for name in names for m in self.members if m.name == name)

    @property
    def bytes(self) -> float:
        """Memory of the worst set, on all devices [B]."""
        return sum(m.bytes for m in self.worst)

    @property
    def users(self) -> int:
        """People who are served at once, at most: those of the models with most that are loaded together."""
        return sum(sorted((int(m.asked.load.users) for m in self.members), reverse=True)[: self.models_max])

    @property
    def slots(self) -> dict[str, int]:
        """The slots of each model."""
        return {m.name: max(1, int(m.asked.load.users)) for m in self.members}

    @cached_property
    def routed(self) -> Routed:
        """What the router is started with."""
        models = tuple(RoutedModel(m.name, m.path, m.asked.settings, m.asked.thinking_words) for m in self.members)
        return Routed(models, self.models_max, self.prompt_cache)

    @property
    def prompt_cache(self) -> int | None:
        """RAM in which each model may keep idle conversations so that the worst set fits with them, too [B]."""
        hosts = [s for s in self._shares(self.models_max, _full) if s.device in self._caching()]
        room = min((s.spare for s in hosts), default=float("inf")) / self.models_max
        return None if room >= PROMPT_CACHE else max(0, int(room // MIB * MIB))

    def _caching(self) -> set[str]:
        accounts = [a for m in self.members for a in m.asked.ledger.accounts]
        return {a.device.name for a in accounts if any(line.part == "overhead.prompt_cache" for line in a.lines)}

    def text(self) -> str:
        """Return the file that describes the models to the router. Raises BadSetting."""
        return self.module.preset(self.routed)

    def compare(self, lines: Iterable[str]) -> tuple[BufferComparison, ...]:
        """Return predicted and reported buffers of each model that has been loaded."""
        reports = self.module.reports(lines)
        return tuple(row for m in self.members if m.name in reports for row in _rows(m, reports[m.name]))

    def _shares(self, count: int, size: Callable[[Account], float] | None = None) -> tuple[Share, ...]:
        """Return the devices, each with the `count` members that take most of it."""
        found: dict[str, list[tuple[float, str]]] = {}
        usable: dict[str, float | None] = {}
        for member in self.members:
            for place, account in by_place(member.asked):
                found.setdefault(place, []).append(((size or _surely)(account), member.name))
                usable[place] = account.device.usable
        shares = []
        for place, sizes in found.items():
            worst = sorted(sizes, key=lambda s: -s[0])[:count]
            total = sum(s for s, _ in worst)
            shares.append(Share(place.partition("\n")[0], usable[place], total, tuple(name for _, name in worst)))
        host = shares[-1]  # the RAM is the last account, or the only device
        return (*shares[:-1], replace(host, bytes=host.bytes + ROUTER))


def _rows(member: Member, report: ServerReport) -> Iterable[BufferComparison]:
    return (replace(row, model=member.name) for row in compare_deployment(member.asked, report))


def by_place(asked: Deployment) -> Iterable[tuple[str, Account]]:
    """Yield the accounts with a name for each device: of several cards of one name the number of the card, too."""
    seen: Counter[str] = Counter()
    for account in asked.ledger.accounts:
        name = account.device.name
        yield (f"{name}\n{seen[name]}" if seen[name] else name), account
        seen[name] += 1


def _surely(account: Account) -> float:
    return float(account.at_most)


def _full(account: Account) -> float:
    """Return an account with all that grows, but for idle conversations, at its limit [B]."""
    return sum(float(_grown(line)) for line in account.lines)


def _grown(line: Line) -> float:
    return float(line.bytes if line.part == "overhead.prompt_cache" else line.greatest)


def _fits(shares: Iterable[Share]) -> bool:
    return all(share.spare >= 0 for share in shares)


def _router(members: Sequence[Member]) -> RouterModule:
    """Return the module of the engine that all members share. Raises BadSetting."""
    engines = sorted({m.asked.engine for m in members})
    if len(engines) > 1:
        raise BadSetting(
            "The models have different servers: {engines}.", engines=", ".join(engines),
            mend="Serve each by its own command, on its own --port.",
        )  # fmt: skip
    module = members[0].asked.rules.router()
    if module is None:
        raise BadSetting(
            "{engine} serves one model at an address.", engine=engines[0], default=DEFAULT,
            mend="Serve each by its own command, on its own --port, or with --engine {default} all together.",
        )  # fmt: skip
    return module


def planned_memory(deployment: Deployment | ModelGroup) -> dict[tuple[str, str], float]:
    """Return the lines of a deployment's ledger, by device and part; of several models those of the worst set [B]."""
    return {place: sum(float(line.bytes) for line in lines) for place, lines in _lines(deployment).items()}


def growing_memory(deployment: Deployment | ModelGroup) -> dict[tuple[str, str], float]:
    """Return the lines that grow with use, each with the limit that it may reach, by device and part [B]."""
    return {
        place: sum(float(line.greatest if line.grows else line.bytes) for line in lines)
        for place, lines in _lines(deployment).items()
        if any(line.grows for line in lines)
    }


def most_memory(deployment: Deployment | ModelGroup) -> float:
    """Return planned memory once all that grows with use has reached its limit, on all devices [B]."""
    return sum((planned_memory(deployment) | growing_memory(deployment)).values())


def _lines(deployment: Deployment | ModelGroup) -> dict[tuple[str, str], list[Line]]:
    """Return the lines of the ledgers that hold anything, now or with use, by device and part."""
    asked = [m.asked for m in deployment.worst] if isinstance(deployment, ModelGroup) else [deployment]
    found: dict[tuple[str, str], list[Line]] = {}
    for account in (a for one in asked for a in one.ledger.accounts):
        for line in account.lines:
            if float(line.bytes) or line.grows:
                found.setdefault((account.device.name, line.part), []).append(line)
    return found


def names_for(wanted: Sequence[str]) -> tuple[str, ...]:
    """Return names by which requests choose: without blanks and brackets, each once."""
    found: list[str] = []
    for text in wanted:
        plain = re.sub(r"[^\w.-]+", "-", text).strip("-.")[:100] or "model"
        plain = f"{plain}-model" if plain == "default" else plain  # a section of llama-server's own
        name = next(n for n in (plain, *(f"{plain}-{i}" for i in range(2, len(wanted) + 2))) if n not in found)
        found.append(name)
    return tuple(found)


def _gib(size: float) -> str:
    return f"{size / GIB:,.2f}"
