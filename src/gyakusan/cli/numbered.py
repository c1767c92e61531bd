"""Plans by their number: `1` is plan 1 of the last answer, `office.toml` plan 1 of a saved one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from gyakusan.errors import BadReference, BadSetting
from gyakusan.message import Message

if TYPE_CHECKING:
    from gyakusan.core.machine import Machine
    from gyakusan.engines.deployment import Deployment
    from gyakusan.planning.select.plan import Plan

_NUMBER = re.compile(r"-?\d{1,9}")


def is_plan(text: str) -> bool:
    """Return True for the number of a plan and for the file of a saved answer."""
    return bool(_NUMBER.fullmatch(text)) or text.endswith((".toml", ".json"))


def numbered_plan(text: str) -> Plan:
    """Return the plan that a number or a file means, asked again. Raises BadSetting, BadReference."""
    from gyakusan.planning.request.parse_request import parse_request
    from gyakusan.planning.select.recommend import recommend
    from gyakusan.python.files import question_of

    if text.endswith((".toml", ".json")):
        found = recommend(parse_request(question_of(Path(text)))).plans
        if not found:
            raise BadReference("The question in {file} has no plan.", file=text, mend="See `gyakusan plan {file}`.")
        return found[0]
    from gyakusan.cli import saved

    if int(text) < 1:
        raise BadSetting("No plan has the number {number}.", number=text, mend="Plans are numbered from 1.")
    plans = recommend(parse_request(saved.last().values)).plans
    if not 1 <= int(text) <= len(plans):
        raise BadSetting(
            "The last answer has no plan {number}.", number=text, count=len(plans), mend="Its plans are 1 to {count}."
        )
    return plans[int(text) - 1]


def check_machine(deployment: Deployment, typed: str) -> None:
    """Raise BadSetting for a plan whose GPUs are not those of this computer. typed: the plan."""
    if not is_plan(typed):
        return
    from gyakusan import machines
    from gyakusan.show.wording import machine_words

    planned, here = deployment.machine, machines.this_computer()
    if _gpus(planned) != _gpus(here):
        raise BadSetting(
            "Plan {number} is for {planned}; this computer has {here}.", number=typed, planned=_plain(machine_words(planned)),
            here=_plain(machine_words(here)), mend="gyakusan plan proposes for this computer; --anyway starts it as it is.",
        )  # fmt: skip


def _gpus(machine: Machine) -> list[str]:
    return sorted(g.name for g in machine.gpus)


def _plain(words: Message) -> Message:
    """Return words for a line that is not broken: with usual blanks."""
    from gyakusan.show.tree import FIXED

    return Message(words.template, {k: str(v).replace(FIXED, " ") for k, v in words.facts.items()})
