"""What thinking costs by model, task and effort, and what a chat template takes for it. Facts: data/quality/thinking.json.

One figure serves the speed of the answer, the time to the whole answer, throughput, queues and the comparison with an API:
tokens that are generated for each token that people see.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

import msgspec
from msgspec import Struct

from gyakusan.catalog.quality_names import EFFORTS, QUALITY, short_name
from gyakusan.doors.files import packaged

Basis = Literal["measured", "family", "assumed"]
"""Of this very model; of another of its family, or at another effort; of models in general."""


class Thinking(Struct, frozen=True):
    """Tokens that a model generates for each token of its visible answer.

    factor: usual [ratio]
    low: lowest seen [ratio]
    high: highest seen [ratio]
    basis: measured, family or assumed
    source: where the figures come from
    """

    factor: float
    low: float
    high: float
    basis: Basis
    source: str

    def at_effort(self, scale: float) -> Thinking:
        """Return the same with `scale` times as many tokens of thinking; the answer is as long as before."""
        factor, low, high = (round(1 + (x - 1) * scale, 2) for x in (self.factor, self.low, self.high))
        return Thinking(factor, low, high, "family" if self.basis == "measured" else self.basis, self.source)


NO_THINKING = Thinking(1.0, 1.0, 1.0, "measured", "")
"""The model answers at once."""


class EffortControl(Struct, frozen=True):
    """How a model is told how much to think.

    default: effort where nothing is said
    efforts: efforts that the chat template takes besides, or as well
    source: where that is read
    """

    default: str
    efforts: tuple[str, ...]
    source: str


@cache
def thinking(name: str, mode: str, task: str) -> Thinking:
    """Return the tokens that a model generates for each visible one.

    name: of the catalogue, or a repository
    mode: off, on (the model's default effort), low, medium or high
    task: chat, coding, rag, agents or translation
    """
    if mode not in ("on", *EFFORTS):
        return NO_THINKING
    short, kind = short_name(name), str(_facts()["kinds"].get(task, "chat"))
    row = next(r for r in _facts()["tokens"] if r[1] == kind and _compiled(r[0]).search(short))
    usual, low, high = (float(x) for x in row[2:5])
    found = Thinking(usual, low, high, row[5], str(row[6]))
    control = effort_control(name)
    if mode == "on" or control is None or mode == control.default:
        return found
    scale = _facts()["effort"]
    return found.at_effort(scale[mode] / scale[control.default])


@cache
def effort_control(name: str) -> EffortControl | None:
    """Return how a model is told how much to think, None if it only thinks or does not."""
    row = _first("efforts", short_name(name))
    return None if row is None else EffortControl(str(row[1]), tuple(row[2]), str(row[3]))


@cache
def always_thinks(name: str) -> bool:
    """Return True if a model cannot answer without thinking."""
    return _first("always", short_name(name)) is not None


def effort_of(name: str, mode: str) -> str:
    """Return the effort of a model in a mode, "" if it has no efforts or does not think."""
    control = effort_control(name)
    if control is None or mode == "off":
        return ""
    return control.default if mode == "on" else mode


def usual_name(name: str, mode: str) -> str | None:
    """Return the mode of a model by its one name: "on" for its default effort; None for an effort that it does not take."""
    control = effort_control(name)
    if mode not in EFFORTS:
        return mode
    if control is None or mode not in control.efforts:
        return None
    return "on" if mode == control.default else mode


def template_arguments(name: str, mode: str) -> Mapping[str, object]:
    """Return what the chat template of a model takes to think in a mode, nothing where that is its default."""
    _, switch, thinks, _ = _first("switches", short_name(name)) or _facts()["switches"][-1]
    if mode == "off":
        return {str(switch): False}
    own: dict[str, object] = {} if thinks else {str(switch): True}
    return own | {"reasoning_effort": mode} if mode in EFFORTS else own


_compiled = cache(re.compile)
"""A plan asks for every model of the catalogue, and the cache of `re` itself is slower."""


@cache
def _facts() -> Mapping[str, Any]:
    document: Mapping[str, Any] = msgspec.json.decode(packaged(QUALITY / "thinking.json"))
    return document


def _first(table: str, name: str) -> list[Any] | None:
    """Return the first row of a table whose pattern is in a short name."""
    return next((row for row in _facts()[table] if _compiled(row[0]).search(name)), None)
