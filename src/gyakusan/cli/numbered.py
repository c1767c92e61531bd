"""Plans by their number: `1` is plan 1 of the last answer, `office.toml` plan 1 of a saved one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from gyakusan.errors import BadReference, BadSetting

if TYPE_CHECKING:
    from gyakusan.planning.select.plan import Plan

_NUMBER = re.compile(r"[1-9]\d{0,3}")


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

    plans = recommend(parse_request(saved.last().values)).plans
    if int(text) > len(plans):
        raise BadSetting(
            "The last answer has no plan {number}.", number=text, count=len(plans), mend="Its plans are 1 to {count}."
        )
    return plans[int(text) - 1]
