"""Small things that several screens say the same way: figures, machines, roles, commands, what to know of an engine."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from gyakusan.engines.base import Command
from gyakusan.engines.registry import engine
from gyakusan.show.wrapping import Text
from gyakusan.text import Language, tell

MAKERS = ("NVIDIA GeForce ", "NVIDIA ", "AMD Radeon ", "AMD ", "Intel ", "Apple ")
SERIES = (" Workstation Edition", " Blackwell")


def short(value: float) -> str:
    """Two digits at least: "12", "4.2"."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def brief(machine: str, *, series: bool = True) -> str:
    """A name without its maker, as people say it. series: with what every such card is called."""
    for word in MAKERS if series else (*MAKERS, *SERIES):
        machine = machine.replace(word, "")
    return machine


def listed(names: Iterable[str], texts: Mapping[str, str], language: Language) -> str:
    """What a plan is best at, in words."""
    return ("、" if language == "ja" else ", ").join(tell(texts[n], language) for n in names)


def command(found: Command) -> str:
    """Environment, program and arguments as one types them."""
    environment = [f"{k}={shlex.quote(v)}" for k, v in found.environment.items()]
    return " ".join([*environment, shlex.join(found.argv)])


def caveat(name: str, language: Language) -> list[Text]:
    """A line with what people should know of an engine before they choose it; none where there is nothing."""
    known = engine(name).CAVEAT
    return [] if known is None else [Text("  " + tell(known, language), style="yellow")]
