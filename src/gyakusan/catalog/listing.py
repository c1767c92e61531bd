"""Which models are proposed where nobody names one, and why each of the others is not. Facts: data/listing.json.

tools/listed_models.py writes the file: listing_rule.py decides, from what listing_facts.py gathers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal

import msgspec
from msgspec import Struct

from gyakusan.catalog.places import DATA
from gyakusan.doors.files import packaged
from gyakusan.message import Message, say

FILE = DATA / "listing.json"
Why = Literal["base", "toy", "files", "shape", "unknown", "replaced", "stale", "own"]
"""A part of the rule; own: the user's own record says it."""
SMALLEST = 1.5e9
"""Smaller models follow instructions too rarely to be proposed. [values]"""
LARGER = 1.15
"""How much larger a model may be that stands for another one. [ratio]"""


class Unlisted(Struct, frozen=True):
    """Why a model is not proposed.

    why: which part of the rule, see listing_rule.py
    other: the model that stands for it, "" = none
    mine: its score, that the rule compared [points]
    its: score of the other model [points]
    scores: published scores of it that are known
    mode: "off" where the other model thinks and was compared without, else ""
    """

    why: Why
    other: str = ""
    mine: int = 0
    its: int = 0
    scores: int = 0
    mode: str = ""


def unlisted(name: str) -> Unlisted | None:
    """Return why a model of the catalogue is not proposed, None if it is, or if the rule does not know it."""
    found = _stored().get(name)
    return None if found is None else Unlisted(*found)


@cache
def _stored() -> Mapping[str, tuple[Why, str, int, int, int, str]]:
    stored: Mapping[str, tuple[Why, str, int, int, int, str]] = msgspec.json.decode(packaged(FILE))["unlisted"]
    return stored


def explain(verdict: Unlisted) -> Message:
    """Return the reason as the end of a sentence."""
    match verdict.why:
        case "base":
            return say("a base model, an experiment or made for one task; --model plans it")
        case "toy":
            return say("models below {n} billion weights are not proposed; --model plans it", n=f"{SMALLEST / 1e9:g}")
        case "files":
            return say("no published file of it is known; --model plans it")
        case "shape":
            return say("its memory is not known: our count of its weights is not the published one; --model plans it")
        case "own":
            return say("your own record of it says listed = false; --model plans it")
        case "unknown":
            return _unknown(verdict.scores)
        case "replaced":
            return _replaced(verdict)
        case "stale":
            return _stale(verdict)


def _replaced(verdict: Unlisted) -> Message:
    if verdict.mode == "off":
        return say(
            "{other} of the same maker replaces it, with quality {its} against {mine} without thinking; --model plans it",
            **_compared(verdict),
        )
    return say(
        "{other} of the same maker replaces it, with quality {its} against {mine}; --model plans it",
        **_compared(verdict),
    )


def _stale(verdict: Unlisted) -> Message:
    percent = round(100 * LARGER - 100)
    if verdict.mode == "off":
        return say(
            "{other} is a generation younger, at most {n} % larger and better, with quality {its} against {mine} "
            "without thinking; --model plans it",
            n=percent,
            **_compared(verdict),
        )
    return say(
        "{other} is a generation younger, at most {n} % larger and better, with quality {its} against {mine}; "
        "--model plans it",
        n=percent,
        **_compared(verdict),
    )


def _unknown(scores: int) -> Message:
    if scores:
        return say("it is old, little used and has {n} published scores at most; --model plans it", n=scores)
    return say("no published score of it is known, and it is old or little used; --model plans it")


def _compared(verdict: Unlisted) -> dict[str, str]:
    return {"other": verdict.other, "its": str(verdict.its), "mine": str(verdict.mine)}
