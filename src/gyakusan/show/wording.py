"""Small things that several screens say alike: figures, machines, roles, commands, what to know of an engine."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from gyakusan.core.ledger import Account
from gyakusan.core.machine import Machine
from gyakusan.core.quality import BOTTOM, TOP, Score
from gyakusan.doors.files import expanded
from gyakusan.doors.shell import shell_word
from gyakusan.engines import base
from gyakusan.engines.registry import engine
from gyakusan.message import Listed, Message, duration, say
from gyakusan.planning.predict.speed import SpeedEstimate
from gyakusan.show.tree import Command, Text, Words, whole
from gyakusan.units import GIB

MAKERS = ("NVIDIA GeForce ", "NVIDIA ", "AMD Radeon ", "AMD ", "Intel ", "Apple ")
SERIES = (" Workstation Edition", " Blackwell")


def short(value: float) -> str:
    """Return at least two digits, thousands apart: "12", "4.2", "4,668"."""
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}"


def figure(value: float) -> str:
    """Return at least two digits, thousands apart: "15,400", "87", "4.2"."""
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}"


def typed(value: float) -> str:
    """Return a figure that somebody typed, with all its digits, thousands apart: "10", "0.25", "100,000"."""
    return f"{value:,.12g}"


def interval(pace: SpeedEstimate | None, name: str) -> str:
    """Return a figure and the interval that holds four of five: "145 (122-172)"; "?" where it is not known."""
    if pace is None:
        return "?"
    figure = getattr(pace, name)
    return f"{short(figure.value)} ({short(figure.low)}-{short(figure.high)})"


def first_token(pace: SpeedEstimate | None) -> Words:
    """Return the time to the first token: "1.8 s", "6 min 52 s"; "?" where it is not known."""
    if pace is None:
        return "?"
    return duration(pace.ttft.value)


SCALE = say("Llama 3.1 8B = 35, gpt-oss-120b = 70")
"""The two fixed points of the scale of quality; it is said so wherever it is said."""


def quality(score: Score) -> str:
    """Return a score with one standard error, as a table shows it: "79 ±4"; at the ends of the scale "≥100 ±4", "≤0 ±5"."""
    mark = "≥" if score.value >= TOP else "≤" if score.value <= BOTTOM else ""
    return f"{mark}{score.value:.0f} ±{score.error:.0f}"


def counted_later(unstreamed: int) -> Message:
    """Return that tokens of so many answers count at their end."""
    return say("at the end of answers that are not streamed: {n}", n=str(unstreamed))


def brief(machine: str, *, series: bool = True) -> str:
    """Return a name without its maker, as people say it. series: with what every such card is called."""
    for word in MAKERS if series else (*MAKERS, *SERIES):
        machine = machine.replace(word, "")
    return re.sub(r"\b(\d+GB) \1\b", r"\1", machine)


def the(machine: str) -> Message:
    """Return a machine as a sentence names it: "the RTX 5090", "2x RTX 3090"."""
    name = whole(brief(machine))
    return counted(machine) if name[:1].isdigit() else say("the {name}", name=name)


def counted(machine: str, *, series: bool = True) -> Message:
    """Return a machine's name with the number of its cards as the language has it: "2x RTX 3090". series: as for `brief`."""
    name = brief(machine, series=series)
    if several := re.fullmatch(r"(\d+)x ([^+]+)", name):
        return say("{n}x {name}", n=several[1], name=whole(several[2]))
    return Message("{name}", {"name": whole(name)})


def listed(names: Iterable[str], texts: Mapping[str, str]) -> Listed:
    """Return what a plan is best at, in words."""
    return Listed(tuple(Message(texts[n]) for n in names))


def command(start: base.Command, label: Message | str = "") -> Command:
    """Return environment, program and arguments as one types them."""
    environment = [f"{k}={shell_word(v)}" for k, v in start.environment.items()]
    return Command(" ".join([*environment, *map(shell_word, start.argv)]), label)


def caveat(name: str) -> tuple[Text, ...]:
    """Return what people should know of an engine before they choose it."""
    known = engine(name).CAVEAT
    return () if known is None else (Text(known, "caution"),)


def gib(size: float) -> str:
    """Return GiB with two decimals, as ledgers have them: "10.69"; "<0.01" for less. size in bytes."""
    value = size / GIB
    return "<0.01" if 0 < value < 0.01 else f"{value:,.2f}"


def spare_gib(size: float) -> str:
    """Return GiB that are to spare, rounded down: "1.1", "0.02". size in bytes."""
    value = max(size, 0.0) / GIB
    digits = 1 if value >= 0.1 else 2
    return f"{math.floor(value * 10**digits) / 10**digits:,.{digits}f}"


def needed_gib(size: float) -> str:
    """Return GiB that are needed, rounded up: "31.8". size in bytes."""
    return f"{math.ceil(size / GIB * 10) / 10:,.1f}"


def may_not_fit(account: Account) -> Message:
    """Return by how much a memory may be short, rounded up as tables round it; the RAM beside GPUs is named.

    account: the one with least to spare
    """
    n = needed_gib(max(0.0, -float(account.spare or 0)))
    if account.device.kind == "host":
        return say("may not fit: RAM short by up to {n} GiB", n=n)
    return say("may not fit: short by up to {n} GiB", n=n)


def rate(value: float) -> str:
    """Return tokens per second: "9.4", "87", "10,200"."""
    if value < 9.95:
        return f"{value:.1f}"
    digits = max(0, len(str(int(value))) - 3)
    return f"{round(value / 10**digits) * 10**digits:,.0f}"


def seconds(value: float) -> str:
    """Return a time: "<0.1", "1.8", "12"."""
    return "<0.1" if value < 0.05 else f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"


def machine_words(machine: Machine) -> Message:
    """Return a machine as a sentence names it: "an RTX 5080", "2x RTX 3090"."""
    names = {g.name for g in machine.gpus}
    if len(machine.gpus) > 1 and len(names) == 1 and machine.gpus[0].kind == "gpu":
        return say("{n}x {name}", n=len(machine.gpus), name=whole(brief(machine.gpus[0].name)))
    if len(machine.gpus) == 1 and machine.gpus[0].source == "--memory":
        return say("a GPU of {size} GiB", size=gib(machine.gpus[0].memory or 0))
    first = brief(machine.name).split("(")[0].split(" + ")[0]
    name = whole(brief(machine.name))
    if re.match(r"\d", first):
        return Message("{name}", {"name": name})
    return say("an {name}", name=name) if begins_with_vowel(first) else say("a {name}", name=name)


def begins_with_vowel(name: str) -> bool:
    """Return True if a name begins with the sound of a vowel: "RTX" is read letter by letter, "Radeon" is not."""
    word = name.split()[0] if name.split() else name
    spelled = not any(c.islower() for c in word[:3])
    return word[:1] in "AEFHILMNORSX" if spelled else word[:1] in "AEIOaeio"


def format_name(quantization: str) -> str:
    """Return a quantisation as people say it: "MXFP4" for llama.cpp's "MXFP4_MOE"."""
    name = quantization.removesuffix("_MOE")
    return name.upper() if name.islower() and len(name) <= 5 else name


def home(path: Path) -> str:
    """Return a path with ~ for the home folder."""
    try:
        return str(Path("~") / path.relative_to(expanded("~")))
    except ValueError:
        return str(path)
