"""Small things that several screens say alike: figures, machines, roles, commands, what to know of an engine."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping

from gyakusan.core.quality import Score
from gyakusan.engines import base
from gyakusan.engines.registry import engine
from gyakusan.message import Listed, Message, say
from gyakusan.planning.predict.speed import SpeedEstimate
from gyakusan.show.tree import FIXED, Command, Text

MAKERS = ("NVIDIA GeForce ", "NVIDIA ", "AMD Radeon ", "AMD ", "Intel ", "Apple ")
SERIES = (" Workstation Edition", " Blackwell")


def short(value: float) -> str:
    """Return at least two digits: "12", "4.2"."""
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"


def figure(value: float) -> str:
    """Return at least two digits, thousands apart: "15,400", "87", "4.2"."""
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}"


def interval(pace: SpeedEstimate | None, name: str) -> str:
    """Return a figure and the interval that holds four of five: "145 (122-172)"; "?" where it is not known."""
    if pace is None:
        return "?"
    figure = getattr(pace, name)
    return f"{short(figure.value)} ({short(figure.low)}-{short(figure.high)})"


def points(score: Score) -> str:
    """Return a score with one standard error: "79±4"."""
    return f"{score.value:.0f}±{score.error:.0f}"


def quality(score: Score) -> str:
    """Return a score with one standard error, as a table shows it: "79 ±4"."""
    return f"{score.value:.0f} ±{score.error:.0f}"


def brief(machine: str, *, series: bool = True) -> str:
    """Return a name without its maker, as people say it. series: with what every such card is called."""
    for word in MAKERS if series else (*MAKERS, *SERIES):
        machine = machine.replace(word, "")
    return re.sub(r"\b(\d+GB) \1\b", r"\1", machine)


def the(machine: str) -> Message:
    """Return a machine as a sentence names it: "the RTX 5090", "2x RTX 3090"."""
    name = brief(machine).replace(" ", FIXED)
    return Message(name) if name[:1].isdigit() else say("the {name}", name=name)


def listed(names: Iterable[str], texts: Mapping[str, str]) -> Listed:
    """Return what a plan is best at, in words."""
    return Listed(tuple(Message(texts[n]) for n in names))


def command(start: base.Command, label: Message | str = "") -> Command:
    """Return environment, program and arguments as one types them."""
    environment = [f"{k}={shlex.quote(v)}" for k, v in start.environment.items()]
    return Command(" ".join([*environment, shlex.join(start.argv)]), label)


def caveat(name: str) -> tuple[Text, ...]:
    """Return what people should know of an engine before they choose it."""
    known = engine(name).CAVEAT
    return () if known is None else (Text(known, "caution"),)
