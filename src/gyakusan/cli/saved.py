"""The last answer, and answers that are saved in files: the question as it was typed, the day, and what was recommended.

A question that is asked again has the same answer while catalogue and machine stay as they are; what was recommended is
kept beside it to notice when they do not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from gyakusan.catalog.places import state, write_named, write_private
from gyakusan.doors import files
from gyakusan.errors import BadSetting, GyakusanError
from gyakusan.message import Message, say
from gyakusan.planning.request.parse_request import SAVED_KEYS, file_values
from gyakusan.text import Language, tell

if TYPE_CHECKING:
    from gyakusan.planning.select.plan import Plan

LARGEST = 1024 * 1024
"""No saved answer is larger. [B]"""
NUMBERING = ("fleet", "upgrade")
"""Commands that number rows of their own, and keep no answer."""
_NODES = "nodes"
"""What is kept of an answer over several computers."""
AHEAD = timedelta(days=1)
"""Where the day begins first, it is tomorrow."""
WEEK = 7
"""After this long an answer is old. [days]"""


class SavedPlan(Struct, frozen=True):
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


def saved_plan(plan: Plan) -> SavedPlan:
    """Return what is kept of a plan."""
    return SavedPlan(plan.name, plan.quantization, plan.engine, plan.offer.machine.name)


class SavedAnswer(Struct, frozen=True):
    """A question and what was recommended for it.

    values: keys of the question, as they were typed
    day: of the answer
    plans: what was recommended, plan 1 first; none where options changed the question
    lan: colleagues are to reach the server
    since: command that was asked after it and numbers its own rows, "" = none
    """

    values: Mapping[str, Any]
    day: date
    plans: tuple[SavedPlan, ...]
    lan: bool = False
    since: str = ""

    @property
    def old(self) -> bool:
        """True if it is older than a week."""
        return (today() - self.day).days > WEEK


def for_question(answer: SavedAnswer, values: Mapping[str, Any]) -> SavedAnswer:
    """Return a saved answer beside the question that is asked now: another question's plans are not compared."""
    same = _key(answer.values) == _key(values)
    return answer if same else structs.replace(answer, plans=())


def _key(values: Mapping[str, Any]) -> str:
    """Return a text that is the same for the same question. A date of TOML is no value of a question, and is refused later."""
    return json.dumps(dict(values), sort_keys=True, default=str)


def today() -> date:
    """Return the day of an answer."""
    return date.today()


def last_path() -> Path:
    """Return where the last answer is kept."""
    return state() / "last-plan.json"


def keep(answer: SavedAnswer) -> None:
    """Keep the last answer, whole or not at all, readable by its owner only. A full or read-only disk is no failure.

    What cannot be kept is forgotten: its numbers would start the plans of an older question.
    """
    text = json.dumps(_table(answer), ensure_ascii=False, indent=1)
    try:
        state().mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(last_path(), text)
    except (OSError, ValueError):
        forget()


def forget() -> None:
    """Forget the last answer: another question was asked since, and its plans have no numbers."""
    with suppress(OSError):
        last_path().unlink(missing_ok=True)


def keep_nodes(asked: str, computers: Sequence[Sequence[str]]) -> None:
    """Keep that nodes were asked about last: the plans of their answer are of several computers, which have no number alone.

    asked: the question as it was typed, without a form of its answer; computers: names of those of each plan
    """
    try:
        state().mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(last_path(), json.dumps({"saved": _NODES, "asked": asked, "computers": computers}))
    except (OSError, ValueError):
        forget()


def asked_since(command: str) -> None:
    """Note that a command was asked whose rows have numbers, too: who types a number of the last answer is told."""
    with suppress(ValueError, KeyError, TypeError, GyakusanError):
        keep(structs.replace(_last(), since=command))


def keep_fleet(values: Mapping[str, Any]) -> None:
    """Keep the last question about fleets, readable by its owner only. A full or read-only disk is no failure."""
    try:
        state().mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(state() / "last-fleet.json", json.dumps(dict(values), ensure_ascii=False, default=str))
    except (OSError, ValueError):
        with suppress(OSError):
            (state() / "last-fleet.json").unlink(missing_ok=True)


def last_fleet() -> dict[str, Any]:
    """Return the last question about fleets, {} where none can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError, GyakusanError):
        return dict(file_values(files.text(state() / "last-fleet.json", LARGEST), "last-fleet.json"))
    return {}


def _last() -> SavedAnswer:
    return _answer(file_values(files.text(last_path(), LARGEST), "last-plan.json"))


def last() -> SavedAnswer:
    """Return the last answer; a notice says if another command was asked since. Raises BadSetting where none can be read."""
    from gyakusan.doors.notices import notice
    from gyakusan.planning.request.parse_request import parse_request

    try:
        answer = _last()
        parse_request(answer.values)
    except (ValueError, KeyError, TypeError, GyakusanError) as error:
        if _of_nodes():
            raise BadSetting(
                "The last answer was over several computers, and a number alone is none of its plans.",
                mend="Ask it again: gyakusan plan --nodes FILE, with --details N or --command N.",
            ) from error
        raise BadSetting(
            "There is no last answer to number plans by.",
            mend='Ask first, for example: gyakusan plan --device "RTX 4090"',
        ) from error
    if answer.since in NUMBERING:  # a file is no place for other words
        note = "The number is of the last gyakusan plan ({date}), not of gyakusan {command}, which was asked since."
        notice(Message(note, {"date": str(answer.day), "command": answer.since}))
    return answer


def _of_nodes() -> dict[str, Any]:
    """Return what was kept of an answer over several computers, nothing where the last answer is another."""
    try:
        found = file_values(files.text(last_path(), LARGEST), "last-plan.json")
    except GyakusanError:
        return {}
    return dict(found) if found.get("saved") == _NODES else {}


def check_alone(number: int) -> None:
    """Raise BadSetting for a plan of an answer over several computers, with the commands that print what is typed on each."""
    found = _of_nodes()
    try:
        asked, computers = str(found["asked"]), [[str(name) for name in names] for names in found["computers"]]
    except (KeyError, TypeError):
        return
    if not 1 <= number <= len(computers):
        raise BadSetting(
            "The last answer has no plan {number}.", number=number, count=len(computers), command=asked,
            mend="Its plans are 1 to {count}: {command}",
        )  # fmt: skip
    raise BadSetting(
        "Plan {number} of the last answer is for {computers}, each with commands of its own.",
        number=number, computers=", ".join(computers[number - 1]), command=f"{asked} --command {number}",
        details=f"{asked} --details {number}",
        mend="What to type on each, a line for each command: {command} - what else to do: {details}",
    )  # fmt: skip


def save(path: Path, answer: SavedAnswer, language: Language = "en") -> None:
    """Save an answer in a file, JSON if it is called so. Raises SourceError, BadSetting for a file of another kind."""
    place = Path(os.path.realpath(path))
    text = (
        json.dumps(_table(answer), ensure_ascii=False, indent=1)
        if path.suffix == ".json"
        else saved_text(answer, language)
    )
    if os.path.lexists(place) and not _was_saved(place):
        raise BadSetting(
            "{file} exists, and gyakusan did not save it.", file=str(path), mend="Give another name to --save."
        )
    write_named(place, text, os.stat(place).st_mode & 0o777 if os.path.exists(place) else 0o644)


def _was_saved(path: Path) -> bool:
    """Return True for a file that holds an answer which gyakusan saved."""
    try:
        return "saved" in file_values(files.text(path, LARGEST), path.name)
    except GyakusanError:
        return False


def saved_text(answer: SavedAnswer, language: Language = "en") -> str:
    """Return a TOML file that `gyakusan plan FILE` and `gyakusan serve FILE --dry-run` read.

    language: of the line for people
    """
    table = _table(answer)
    note = say("gyakusan plan FILE asks this again, gyakusan serve FILE --dry-run shows how plan 1 is started.")
    lines = [f"# {tell(note, language)}"]
    lines += [f"{key} = {_toml(value)}" for key, value in table.items() if key != "plans"]
    for plan in table["plans"]:
        lines += ["", "[[plans]]", *(f"{key} = {_toml(value)}" for key, value in plan.items())]
    return "\n".join(lines) + "\n"


def answer_in(text: str, name: str) -> SavedAnswer | None:
    """Return the saved answer in a file, None where it holds a question alone. Raises BadSetting."""
    found = file_values(text, name)
    if "plans" not in found:
        return None
    try:
        answer = _answer(found)
    except (ValueError, KeyError, TypeError) as error:
        raise BadSetting(
            "{file} is not an answer that gyakusan saved.",
            file=name,
            mend="Save it anew: gyakusan plan ... --save FILE",
        ) from error
    if not answer.plans:
        raise BadSetting(
            "{file} holds an answer without a plan.", file=name,
            mend='Leave out "plans" and "saved" to ask the question again, or save it anew: gyakusan plan ... --save FILE',
        )  # fmt: skip
    if answer.day > today() + AHEAD:
        raise BadSetting(
            "{file} was saved on {day}, which is yet to come.", file=name, day=str(answer.day),
            mend="Set this computer's date, or save it anew: gyakusan plan ... --save FILE",
        )  # fmt: skip
    return answer


def _table(answer: SavedAnswer) -> dict[str, Any]:
    plans: Sequence[SavedPlan] = answer.plans
    rows = [{"model": p.model, "quantization": p.quantization, "engine": p.engine, "machine": p.machine} for p in plans]
    more = ({"lan": True} if answer.lan else {}) | ({"since": answer.since} if answer.since else {})
    return {**answer.values, "saved": str(answer.day), **more, "plans": rows}


def _answer(found: Any) -> SavedAnswer:
    """Return the answer in a table. Raises ValueError, KeyError or TypeError for what is none."""
    if not isinstance(found, dict) or not isinstance(found["plans"], list):
        raise TypeError(found)
    values = {k: v for k, v in found.items() if k not in SAVED_KEYS}
    rows = [(p["model"], p["quantization"], p["engine"], p["machine"]) for p in found["plans"]]
    if not all(isinstance(word, str) for row in rows for word in row):
        raise TypeError(rows)
    day, plans = date.fromisoformat(str(found["saved"])), tuple(SavedPlan(*row) for row in rows)
    return SavedAnswer(values, day, plans, found.get("lan") is True, str(found.get("since", "")))


def _toml(value: Any) -> str:
    """Return a value of a question as TOML. A JSON string is a TOML string."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
