"""The user's own defaults: a file of settings, and how a command line without an option takes them.

The file is $XDG_CONFIG_HOME/gyakusan/config.toml. What is typed wins over it, and so does a request in a file.
GYAKUSAN_DEFAULTS=off passes it by: for scripts that have to answer the same everywhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gyakusan.catalog import places
from gyakusan.errors import BadSetting, GyakusanError, unknown
from gyakusan.message import Message, say

LONGEST = 64 * 1024
"""No more is read of the file. [B]"""
LONGEST_VALUE = 400
"""Characters of a value."""


def _known_device(text: str) -> str:
    from gyakusan.machines import parse

    parse(text)
    return text


def _known_currency(text: str) -> str:
    from gyakusan.planning.request.money import parse_currency

    return parse_currency(text)


def _known_language(text: str) -> str:
    from gyakusan.text import LANGUAGES

    if text not in LANGUAGES:
        raise BadSetting("{value} is no language.", value=f'"{text[:40]}"', mend="Choose one of: en, ja.")
    return text


def _private_file(text: str) -> str:
    from gyakusan.python.files import key_of
    from gyakusan.serving.key_files import check_private

    file = os.path.abspath(os.path.expanduser(text))
    check_private(file)
    key_of(file)
    return file


@dataclass(frozen=True, slots=True)
class Default:
    """A setting.

    option: what it stands for on a command line
    commands: where it does
    unless: options that contradict it: where one is given, it does not count
    checked: the value as it is kept; raises a GyakusanError for one that cannot be
    """

    option: str
    commands: tuple[str, ...]
    unless: tuple[str, ...]
    checked: Callable[[str], str]


_OF_A_PLAN = ("--details", "--command", "--compose", "--systemd")
"""Options that are about the last answer where nothing else is asked."""
DEFAULTS: Mapping[str, Default] = {
    "device": Default(
        "--device",
        ("inspect", "plan", "upgrade", "export"),
        ("--memory", "--budget", "--computer", "--gpus", "--brand", "--os", "--bandwidth", *_OF_A_PLAN),
        _known_device,
    ),
    "currency": Default("--currency", ("plan", "fleet", "upgrade"), _OF_A_PLAN, _known_currency),
    "language": Default("--lang", (), (), _known_language),
    "key_file": Default("--key-file", ("serve",), ("--people-keys",), _private_file),
}
"""A key is only for one's own servers: to a server that is named by its address none is sent unasked."""


def place() -> Path:
    """Return the file."""
    return places.settings() / "config.toml"


def read() -> dict[str, str]:
    """Return the settings as they stand in the file; none where there is no file. Raises BadSetting, SourceError."""
    found = _table()
    for key, value in found.items():
        if key not in DEFAULTS:
            raise BadSetting(
                "{file}: there is no setting {name}.", file=str(place()), name=key[:40],
                mend="gyakusan config unset {name} removes it. Settings: {known}.", known=", ".join(DEFAULTS),
            )  # fmt: skip
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST_VALUE or not value.isprintable():
            raise _refused(say("{name} is no text on one line", name=key))
    return found


def _table() -> dict[str, Any]:
    """The file as it is."""
    if os.environ.get("GYAKUSAN_DEFAULTS") == "off" or not os.path.lexists(place()):
        return {}
    from gyakusan.doors import files, parse

    return parse.toml_value(files.text(place(), LONGEST), _refused)


def _refused(why: Message) -> BadSetting:
    return BadSetting("{file}: {problem}.", file=str(place()), problem=why, mend="Mend the file, or remove it.")


def find(key: str) -> Default:
    """Return a setting. Raises UnknownName."""
    if key not in DEFAULTS:
        raise unknown(say("setting"), key, DEFAULTS, choices=True)
    return DEFAULTS[key]


def keep(key: str, value: str) -> None:
    """Set one. Raises UnknownName, or what is wrong with the value."""
    checked = find(key).checked(value)
    _write({**read(), key: checked})


def forget(key: str) -> None:
    """Remove a line, also one that stands for nothing. Raises UnknownName."""
    table = _table()
    if key not in table:
        find(key)
    _write({k: v for k, v in table.items() if k in DEFAULTS and k != key and isinstance(v, str)})


def _write(values: Mapping[str, str]) -> None:
    """Replace the file. Raises SourceError."""
    lines = [f"{key} = {json.dumps(values[key], ensure_ascii=False)}\n" for key in DEFAULTS if key in values]
    with suppress(OSError):  # the writer says why
        place().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    places.write_named(place(), "".join(lines), 0o600)


def kept_language() -> str | None:
    """Return the language of the file, None where it names none or cannot be read: the command that runs says so."""
    try:
        return read().get("language")
    except (GyakusanError, OSError):
        return None


def fill(_app: object, commands: tuple[str, ...], arguments: Any) -> None:
    """Put what the file says where a command line says nothing. Called by cyclopts for each command (App.config).

    Raises what `read` does, and what a value raises that is not right any more.
    """
    if not commands or not any(commands[0] in known.commands for known in DEFAULTS.values()):
        return
    for key, value in read().items():
        default = DEFAULTS[key]
        if commands[0] in default.commands and not _is_decided(default, commands[0], arguments):
            from cyclopts.token import Token

            found = arguments.get(default.option, None)
            if found is not None:
                found.append(Token(keyword=default.option, value=default.checked(value), source=str(place())))


def _is_decided(default: Default, command: str, arguments: Any) -> bool:
    """Return True where the command line says it, or says what leaves no room for it: a request or a plan in a file."""
    for argument in arguments:
        if argument.tokens and {default.option, *default.unless} & set(argument.names):
            return True
        words = [token.value for token in argument.tokens if token.keyword is None]
        if words and (command == "plan" or any(w.isdecimal() or w.endswith((".toml", ".json")) for w in words)):
            return True
    return False
