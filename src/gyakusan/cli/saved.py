"""The last answer, and answers that are saved in files: the question as it was typed, the day, and what was recommended.

A question that is asked again has the same answer while catalogue and machine stay as they are; what was recommended is
kept beside it to notice when they do not.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from gyakusan.catalog.places import state
from gyakusan.errors import BadSetting
from gyakusan.planning.request.parse_request import file_values

KEPT = ("saved", "plans")
"""Keys of a saved answer that are no keys of a question."""
WEEK = 7
"""After this long an answer is old. [days]"""


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What was recommended.

    model: its name
    quantization: as the engine calls it
    engine: its name
    machine: its name
    """

    model: str
    quantization: str
    engine: str
    machine: str


@dataclass(frozen=True, slots=True)
class SavedAnswer:
    """A question and what was recommended for it.

    values: keys of the question, as they were typed
    day: of the answer
    plans: what was recommended, plan 1 first; none where options changed the question
    """

    values: Mapping[str, Any]
    day: date
    plans: tuple[SavedPlan, ...]

    @property
    def old(self) -> bool:
        """True if it is older than a week."""
        return (today() - self.day).days > WEEK


def for_question(answer: SavedAnswer, values: Mapping[str, Any]) -> SavedAnswer:
    """Return a saved answer beside the question that is asked now: another question's plans are not compared."""
    same = json.dumps(dict(answer.values), sort_keys=True) == json.dumps(dict(values), sort_keys=True)
    return answer if same else replace(answer, plans=())


def today() -> date:
    """Return the day of an answer."""
    return date.today()


def last_path() -> Path:
    """Return where the last answer is kept."""
    return state() / "last-plan.json"


def keep(answer: SavedAnswer) -> None:
    """Keep the last answer, whole or not at all, readable by its owner only. A full or read-only disk is no failure."""
    text = json.dumps(_table(answer), ensure_ascii=False, indent=1)
    try:
        state().mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(last_path(), text)
    except (OSError, ValueError):
        return


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, whole or not at all. Raises OSError."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def last() -> SavedAnswer:
    """Return the last answer. Raises BadSetting where there is none that can be read."""
    try:
        found = json.loads(last_path().read_text("utf-8"))
        return _answer(found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadSetting(
            "There is no last answer to number plans by.",
            mend='Ask first, for example: gyakusan plan --device "RTX 4090"',
        ) from error


def saved_text(answer: SavedAnswer) -> str:
    """Return a TOML file that `gyakusan plan FILE` and `gyakusan serve FILE` read."""
    table = _table(answer)
    lines = ["# gyakusan plan FILE asks this again, gyakusan serve FILE starts plan 1."]
    lines += [f"{key} = {_toml(value)}" for key, value in table.items() if key != "plans"]
    for plan in table["plans"]:
        lines += ["", "[[plans]]", *(f"{key} = {_toml(value)}" for key, value in plan.items())]
    return "\n".join(lines) + "\n"


def read_values(text: str, name: str) -> tuple[dict[str, Any], SavedAnswer | None]:
    """Return the question in a file, and the saved answer in it if it has one. Raises BadSetting."""
    found = dict(file_values(text, name))
    values = {k: v for k, v in found.items() if k not in KEPT}
    if "plans" not in found:
        return values, None
    try:
        return values, _answer(found)
    except (ValueError, KeyError, TypeError) as error:
        raise BadSetting(
            "{file} is not an answer that gyakusan saved.",
            file=name,
            mend="Save it anew: gyakusan plan ... --save FILE",
        ) from error


def _table(answer: SavedAnswer) -> dict[str, Any]:
    plans: Sequence[SavedPlan] = answer.plans
    rows = [{"model": p.model, "quantization": p.quantization, "engine": p.engine, "machine": p.machine} for p in plans]
    return {**answer.values, "saved": str(answer.day), "plans": rows}


def _answer(found: Mapping[str, Any]) -> SavedAnswer:
    values = {k: v for k, v in found.items() if k not in KEPT}
    plans = tuple(SavedPlan(p["model"], p["quantization"], p["engine"], p["machine"]) for p in found["plans"])
    return SavedAnswer(values, date.fromisoformat(str(found["saved"])), plans)


def _toml(value: Any) -> str:
    """Return a value of a question as TOML. A JSON string is a TOML string."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
