"""Plans by their number: `1` is plan 1 of the last answer, `office.toml` plan 1 of a saved one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gyakusan.doors.notices import notice
from gyakusan.doors.text import line
from gyakusan.errors import BadReference, BadSetting
from gyakusan.message import Message, quoted, say

if TYPE_CHECKING:
    from gyakusan.cli.saved import SavedAnswer, SavedPlan
    from gyakusan.core.machine import Machine
    from gyakusan.engines.deployment import Deployment
    from gyakusan.planning.select.plan import Plan

_NUMBER = re.compile(r"-?\d{1,9}")


def is_plan(text: str) -> bool:
    """Return True for the number of a plan and for the file of a saved answer."""
    return bool(_NUMBER.fullmatch(text)) or text.endswith((".toml", ".json"))


def numbered_plan(text: str) -> Plan:
    """Return the plan that a number or a file means, asked again; a notice says where it was another one when it was saved.

    Raises BadSetting, BadReference.
    """
    from gyakusan.planning.request.parse_request import parse_request
    from gyakusan.planning.select.listed_plans import last_number, listed_plan
    from gyakusan.planning.select.recommend import recommend

    if text.endswith((".toml", ".json")):
        (values, kept), number = _in_file(Path(text)), 1
    else:
        from gyakusan.cli import saved

        number = int(text)
        if number < 1:
            raise BadSetting("No plan has the number {number}.", number=text, mend="Plans are numbered from 1.")
        saved.check_alone(number)
        kept = saved.last()
        values = kept.values
    answer = recommend(parse_request(values))
    plan = listed_plan(answer, number)
    if plan is None:
        raise _no_number(text, last_number(answer))
    _compare(kept, plan, number)
    return plan


def _in_file(file: Path) -> tuple[Mapping[str, Any], SavedAnswer | None]:
    """Return the question in a file, and the answer that was saved with it."""
    from gyakusan.cli import saved
    from gyakusan.planning.request.parse_request import question_values
    from gyakusan.python.files import text_of

    text = text_of(file)
    return question_values(text, file.name), saved.answer_in(text, file.name)


def _no_number(text: str, count: int) -> BadSetting | BadReference:
    if text.endswith((".toml", ".json")):
        return BadReference("The question in {file} has no plan.", file=text, mend="See `gyakusan plan {file}`.")
    return BadSetting(
        "The last answer has no plan {number}.",
        number=text,
        count=count,
        mend="Its plans are 1 to {count}; plan --all lists them.",
    )


def _compare(kept: SavedAnswer | None, plan: Plan, number: int) -> None:
    """Say where a plan is not the one that was saved under its number."""
    from gyakusan.cli.saved import saved_plan

    now = saved_plan(plan)
    if kept is None or len(kept.plans) < number or kept.plans[number - 1] == now:
        return
    then = kept.plans[number - 1]
    notice(
        say(
            "Plan {number} was {then} on {date}, and is {now} now: the machine, the catalogue or the file changed.",
            number=number, then=_words(then), now=_words(now), date=str(kept.day),
        )
    )  # fmt: skip


def _words(plan: SavedPlan) -> str:
    return line(f"{plan.model} {plan.quantization} ({plan.engine}, {plan.machine})", 160)


def check_machine(deployment: Deployment, typed: str) -> None:
    """Raise BadSetting for a plan whose GPUs are not those of this computer. typed: the plan."""
    other = other_machine(deployment, typed)
    if other is not None:
        mend = "gyakusan plan proposes for this computer; --anyway starts it as it is."
        raise BadSetting(other.template, **other.facts, mend=mend)


def other_machine(deployment: Deployment, typed: str) -> Message | None:
    """Return that a plan's GPUs are not those of this computer, None where they are. typed: the plan."""
    if not is_plan(typed):
        return None
    from gyakusan import machines
    from gyakusan.show.wording import machine_words

    planned, here = deployment.machine, machines.this_computer()
    if _gpus(planned) == _gpus(here):
        return None
    facts = {"planned": _plain(machine_words(planned)), "here": _plain(machine_words(here))}
    if typed.isdigit():
        return say("Plan {number} is for {planned}; this computer has {here}.", number=typed, **facts)
    return say("The plan in {file} is for {planned}; this computer has {here}.", file=quoted(typed, 120), **facts)


def _gpus(machine: Machine) -> list[str]:
    return sorted(g.name for g in machine.gpus)


def _plain(words: Message) -> Message:
    """Return words for a line that is not broken: with usual blanks."""
    from gyakusan.show.tree import FIXED

    return Message(words.template, {k: str(v).replace(FIXED, " ") for k, v in words.facts.items()})
