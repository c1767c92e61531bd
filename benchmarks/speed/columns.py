"""Observations as columns of numbers and labels, ready for the arithmetic of core.roofline."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from msgspec import structs

from benchmarks.speed.observation import Observation
from benchmarks.speed.resolve import SERVERS
from gyakusan.catalog.speed_constants import Situation, device_rates, labels, together
from gyakusan.core.arrays import Array, IntArray
from gyakusan.core.records import field_names
from gyakusan.core.roofline import DeviceRates, ModelDemand

T = TypeVar("T")
SOURCE = "source"
"""Level of what one campaign has of its own (builds, flags, cooling): fitted, so that devices don't take it for theirs."""

HARNESS = "harness"
"""Level of the prompts that one campaign sends to a server: tokens drawn at random choose experts one by one, those of a text
alike, and sources seldom say which they send. Other engines are mostly timed by benchmarks of their own."""


@dataclass(frozen=True, slots=True)
class Columns:
    """One entry for each observation. log: of the measured seconds; weight: of its square error; labels: by level;

    server: True where prompts are computed between the steps of others; cells: number of the cell of each entry;
    started: True where a prompt was timed from the request to the first token; together: of the constants [tokens];
    opening, even: see Observation.
    """

    observations: Sequence[Observation]
    demand: ModelDemand
    device: DeviceRates
    users: Array
    prompt: Array
    answer: Array
    piece: Array
    attention: Array
    log: Array
    weight: Array
    labels: dict[str, Array]
    server: Array
    absorbed: Array
    cells: Array
    started: Array
    together: Array
    opening: Array
    even: Array

    def __len__(self) -> int:
        return len(self.log)

    def some(self, places: IntArray) -> Columns:
        """The entries at `places`, weighed among themselves."""
        seen = [self.observations[i] for i in places]
        cells = np.unique(self.cells[places], return_inverse=True)[1]
        return Columns(
            observations=seen,
            demand=_taken(self.demand, places),
            device=_taken(self.device, places),
            users=self.users[places],
            prompt=self.prompt[places],
            answer=self.answer[places],
            piece=self.piece[places],
            attention=self.attention[places],
            log=self.log[places],
            weight=weights(cells, [o.source for o in seen]),
            labels={level: values[places] for level, values in self.labels.items()},
            server=self.server[places],
            absorbed=self.absorbed[places],
            cells=cells,
            started=self.started[places],
            together=self.together[places],
            opening=self.opening[places],
            even=self.even[places],
        )


def situation(seen: Observation) -> Situation:
    """What the constants depend on."""
    s = seen.subject
    return Situation(
        engine=s.engine,
        api=s.api,
        family=s.chip.family,
        device=s.chip.name,
        quant=s.quant.group,
        model=s.model,
        link=s.chip.link,
        style=seen.style,
        build=build(seen.backend),
        era=seen.era,
    )


def build(backend: str) -> str:
    """What is known of how llama.cpp was built: rocwmma, amdvlk, radv, else nothing."""
    found = re.search(r"rocwmma|amdvlk|radv", backend.casefold())
    return found[0] if found else ""


def merged(observations: Sequence[Observation]) -> list[Observation]:
    """Repetitions of one configuration as one observation, with the median."""
    groups: dict[tuple[Any, ...], list[Observation]] = defaultdict(list)
    for o in observations:
        key = (o.kind, o.cell, o.users, round(o.context), o.prompt, o.depth, o.answer, o.piece, o.parallel, o.cache)
        groups[(*key, build(o.backend), round(o.subject.bytes / 1e7))].append(o)
    return [replace(g[0], seconds=float(np.median([o.seconds for o in g]))) for g in groups.values()]


def columns(observations: Sequence[Observation]) -> Columns:
    """All columns. Entries of crowded cells and sources weigh less."""
    seen = list(observations)
    cells = [o.cell for o in seen]
    numbers = {c: i for i, c in enumerate(dict.fromkeys(cells))}
    codes = np.array([numbers[c] for c in cells])
    reads = [o.subject.traffic for o in seen]
    absorbed = np.array([o.subject.engine not in SERVERS for o in seen])
    demand, device = _demand(seen), _device(seen)
    named = [labels(situation(o)) for o in seen]
    attention = [
        r.attention(o.prompt, o.depth, absorbed=bool(a)) for r, o, a in zip(reads, seen, absorbed, strict=True)
    ]
    return Columns(
        observations=seen,
        demand=demand,
        device=device,
        users=np.array([o.users for o in seen]),
        prompt=np.array([max(1.0, o.prompt) for o in seen]),
        answer=np.array([o.answer for o in seen]),
        piece=np.array([o.piece for o in seen]),
        attention=np.array(attention, float),
        log=np.log([o.seconds for o in seen]),
        weight=weights(codes, [o.source for o in seen]),
        labels=_levels(named, seen),
        server=np.array([o.subject.engine in SERVERS and o.users > 1 and o.prompt > 0 for o in seen]),
        absorbed=absorbed,
        cells=codes,
        started=np.array([o.kind == "ttft" or o.subject.engine in SERVERS for o in seen]),
        together=np.array([together(o.subject.engine) for o in seen]),
        opening=np.array([o.opening for o in seen], float),
        even=np.array([o.even for o in seen], bool),
    )


def _levels(named: Sequence[dict[str, str]], seen: Sequence[Observation]) -> dict[str, Array]:
    """Labels by level; the source and its prompts, whose own habits are fitted and never kept, are among them."""
    if not named:
        return {}
    return {
        **{level: np.array([n.get(level, "") for n in named]) for level in named[0]},
        SOURCE: np.array([o.source for o in seen]),
        HARNESS: np.array([o.source if o.subject.engine in SERVERS else "" for o in seen]),
    }


def _demand(seen: Sequence[Observation]) -> ModelDemand:
    return _stacked(
        [
            ModelDemand(
                shape=r.shape,
                dense_bytes=r.dense_bytes,
                expert_bytes=r.expert_bytes,
                cache=r.cache(o.context, o.cache),
                attend=r.attention(1, o.context),
                state=r.state * (o.conversations or o.users) / o.users,
            )
            for o in seen
            for r in (o.subject.traffic,)
        ]
    )


def _device(seen: Sequence[Observation]) -> DeviceRates:
    stages = [1 if o.subject.engine in SERVERS else o.devices for o in seen]
    rates = zip(seen, stages, strict=True)
    return _stacked([device_rates(o.subject.chip, situation(o), o.parallel, n) for o, n in rates])


def _stacked(records: Sequence[T]) -> T:
    """Turn records of numbers into one record of arrays (records,)."""
    first: Any = records[0]
    columns = {name: [getattr(r, name) for r in records] for name in field_names(first)}
    stacked: T = structs.replace(
        first, **{n: _stacked(c) if field_names(c[0]) else np.array(c, float) for n, c in columns.items()}
    )
    return stacked


def _taken(record: T, places: IntArray) -> T:
    """The entries at `places` of a record of arrays."""
    fields = {name: getattr(record, name) for name in field_names(record)}
    kept: T = structs.replace(
        record, **{n: v[places] if isinstance(v, np.ndarray) else _taken(v, places) for n, v in fields.items()}
    )
    return kept


def weights(cells: Array, sources: Sequence[str], power: float = 0.7, cap: float = 120.0) -> Array:
    """1 / (size of the cell)^power, and no source more than `cap` in all."""
    size = np.bincount(cells)[cells] if len(cells) else np.array([])
    weight = size ** (-power)
    names = np.array(sources)
    for source in set(sources):
        inside = names == source
        weight[inside] *= min(1.0, cap / weight[inside].sum())
    return weight
