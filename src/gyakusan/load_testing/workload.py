"""What a bench asks for: lengths, how many people or requests, for how long, and the limit that ends a ramp."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from gyakusan.errors import BadQuantity, BadSetting
from gyakusan.planning.request.request import WORKLOADS
from gyakusan.units import parse_count

Metric = Literal["ttft", "tpot", "itl", "e2e"]
"""A time that a limit can be set for: to the first token, of each further token, between pieces, of the whole answer."""
SECONDS = 30.0
"""How long each step is measured where nobody says. [s]"""
SILENCE = 120.0
"""Longest silence of a server. [s]"""
LONGEST = 900.0
"""Longest time of one answer. [s]"""
MOST_USERS = 4096
MOST_STEPS = 32
SLOWEST = 95.0
"""Percentile of a time that a limit is for where nobody says."""
_OBJECTIVE = re.compile(r"(?:p(\d{2}(?:\.\d{1,2})?)\s+)?([a-z0-9]+)\s*<=?\s*(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s)")


@dataclass(frozen=True, slots=True)
class Shape:
    """Lengths of one request.

    prompt: of the text that is sent, with what all requests share, without `depth` [tokens]
    answer: most tokens of the answer [tokens]
    shared: tokens at the begin of the prompt that all requests share, so that the server's cache can hold them [tokens]
    depth: tokens of a conversation before the prompt, which the server's cache can hold [tokens]
    """

    prompt: int = 1000
    answer: int = 400
    shared: int = 0
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a step is measured, and how long a server may take.

    seconds: of each step [s]
    requests: that end a step, None = the time alone does
    silence: longest silence of the server [s]
    longest: longest time of one answer [s]
    """

    seconds: float = SECONDS
    requests: int | None = None
    silence: float = SILENCE
    longest: float = LONGEST


USUAL_LIMITS = Limits()
"""Where nobody says."""


@dataclass(frozen=True, slots=True)
class Step:
    """One load that is kept up and measured.

    shape: lengths of the requests
    users: people of whom each asks again as soon as the answer is there; 0 in an open loop
    rate: mean requests of everyone together, at random times; 0 in a closed loop [1/s]
    """

    shape: Shape
    users: int = 0
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Objective:
    """A limit for one time: what a ramp ends at, and what a good request keeps.

    metric: which time
    seconds: the limit [s]
    percentile: of the requests of a step that must keep it, in a ramp
    """

    metric: Metric
    seconds: float
    percentile: float = SLOWEST

    @property
    def text(self) -> str:
        """As it is typed."""
        at = "" if self.percentile == SLOWEST else f"p{self.percentile:g} "
        return f"{at}{self.metric}<{self.seconds:g}s"


def parse_objectives(text: str) -> tuple[Objective, ...]:
    """Return the limits of "ttft<2s, p99 tpot<50ms". Raises BadSetting."""
    found = []
    for part in text.casefold().split(","):
        match = _OBJECTIVE.fullmatch(part.strip())
        if match is None or match[2] not in get_args(Metric) or float(match[3]) <= 0:
            raise BadSetting(
                '"{text}" is not a limit of a time.',
                text=part.strip()[:60],
                metrics=", ".join(get_args(Metric)),
                mend='Write for example "ttft<2s" or "p99 tpot<50ms"; the times are {metrics}.',
            )
        seconds = float(match[3]) / (1000 if match[4] == "ms" else 1)
        metric = next(m for m in get_args(Metric) if m == match[2])
        found.append(Objective(metric, seconds, float(match[1] or SLOWEST)))
    return tuple(found)


def parse_users(text: str) -> tuple[int, ...]:
    """Return the numbers of people of "1,2,4,8", smallest first. Raises BadQuantity."""
    parts = [p.strip() for p in text.split(",")]
    if (
        not all(p.isascii() and p.isdecimal() and 1 <= int(p[:9]) <= MOST_USERS for p in parts)
        or len(parts) > MOST_STEPS
    ):
        raise BadQuantity(
            '--users takes whole numbers from 1 to {most}, not "{text}".',
            text=text[:60],
            most=f"{MOST_USERS:,}",
            mend="Write for example --users 1,2,4,8.",
        )
    return tuple(sorted({int(p) for p in parts}))


def parse_depths(text: str) -> tuple[int, ...]:
    """Return the lengths of "0,4k,16k", smallest first. Raises BadQuantity."""
    parts = [p.strip() for p in text.split(",")][:MOST_STEPS]
    return tuple(sorted({parse_count(p, at_least=0, at_most=2**24) for p in parts}))


def parse_seconds(text: str) -> float:
    """Return the seconds of "30", "30s" or "2min" [s]. Raises BadQuantity."""
    match = re.fullmatch(r"\s*(\d{1,6}(?:\.\d{1,3})?)\s*(s|min)?\s*", text)
    value = float(match[1]) * (60 if match[2] == "min" else 1) if match else 0.0
    if not 0 < value <= 86400:
        raise BadQuantity('"{text}" is not a time.', text=text[:40], mend="Write for example 30s or 2min.")
    return value


def shape_of(task: str, prompt: int | None, answer: int | None, shared: int, depth: int = 0) -> Shape:
    """Return lengths: those of a task in planning, with what was said in their place. Raises BadSetting."""
    usual = next((w for name, w in WORKLOADS.items() if name == task and name != "embedding"), None)
    if usual is None:
        raise BadSetting(
            'No task is called "{name}".',
            name=task[:40],
            choices=", ".join(n for n in WORKLOADS if n != "embedding"),
            mend="Choose one of: {choices}.",
        )
    shape = Shape(prompt or usual.prompt_tokens, answer or usual.output_tokens, shared, depth)
    if shape.shared >= shape.prompt:
        raise BadSetting(
            "A prompt of {prompt} tokens cannot share {shared} tokens with all others.",
            prompt=f"{shape.prompt:,}",
            shared=f"{shape.shared:,}",
            mend="Share fewer, or make the prompt longer.",
        )
    return shape
