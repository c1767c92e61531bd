"""The user's own defaults: a file of settings, and how a command line without an option takes them.

The file is $XDG_CONFIG_HOME/gyakusan/config.toml. What is typed wins over it, and so does a request in a file.
GYAKUSAN_DEFAULTS=off passes it by: for scripts that have to answer the same everywhere.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from gyakusan import posix
from gyakusan.catalog import places
from gyakusan.choices import choice
from gyakusan.doors.notices import notice
from gyakusan.errors import BadSetting, GyakusanError, SourceError, unknown
from gyakusan.message import Choices, Message, quoted, say
from gyakusan.text import LANGUAGES

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
    text = choice("lang", text)
    if text not in LANGUAGES:
        raise BadSetting(
            "{value} is no language.", value=quoted(text, 40, mark='"'), choices=Choices("lang", LANGUAGES),
            mend="Choose one of: {choices}.",
        )  # fmt: skip
    return text


def _private_file(text: str) -> str:
    from gyakusan.cli.starting import key_in

    file = os.path.abspath(os.path.expanduser(text))
    key_in(file)
    return file


class Default(Struct, frozen=True):
    """A setting.

    option: what it stands for on a command line
    commands: where it does
    unless: options that contradict it: where one is given, it does not count
    in_requests: a request or a plan in a file says it too: with one, it does not count
    checked: the value as it is kept; raises a GyakusanError for one that cannot be
    """

    option: str
    commands: tuple[str, ...]
    unless: tuple[str, ...]
    in_requests: bool
    checked: Callable[[str], str]


_OF_A_PLAN = ("--details", "--command", "--compose", "--systemd")
"""Options that are about the last answer where nothing else is asked."""
DEFAULTS: Mapping[str, Default] = {
    "device": Default(
        "--device",
        ("inspect", "plan", "upgrade", "export"),
        ("--memory", "--budget", "--computer", "--gpus", "--brand", "--os", "--bandwidth", "--cpu", *_OF_A_PLAN),
        True,
        _known_device,
    ),
    "currency": Default("--currency", ("plan", "fleet", "upgrade", "compare"), _OF_A_PLAN, True, _known_currency),
    "language": Default("--lang", (), (), False, _known_language),
    "key_file": Default("--key-file", ("serve",), ("--people-keys",), False, _private_file),
}
"""A key is only for one's own servers: to a server that is named by its address none is sent unasked."""


def place() -> Path:
    """Return the file."""
    return places.settings() / "config.toml"


def read() -> dict[str, str]:
    """Return the settings as they stand in the file; none where there is no file. Raises BadSetting, SourceError."""
    return _checked(_table(_text()))


def _checked(found: Mapping[str, Any]) -> dict[str, str]:
    """The settings of a table. Raises BadSetting for what is none; other values are checked where they count."""
    for key, value in found.items():
        if key not in DEFAULTS:
            raise BadSetting(
                "{file}: there is no setting {name}.", file=str(place()), name=key[:40],
                mend="gyakusan config unset {name} removes it. Settings: {known}.", known=", ".join(DEFAULTS),
            )  # fmt: skip
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST_VALUE or not value.isprintable():
            raise _refused(say("{name} is no text on one line", name=key))
    if "language" in found and found["language"] not in LANGUAGES:
        raise BadSetting(
            "{file}: {value} is no language.", file=str(place()), value=quoted(found["language"], 40, mark='"'),
            mend="Choose one of: {choices}.", choices=Choices("lang", LANGUAGES),
        )  # fmt: skip
    return dict(found)


def _text() -> str:
    """The file as it is, "" where there is none."""
    if not os.path.lexists(place()):
        return ""
    from gyakusan.doors import files

    return files.text(place(), LONGEST)


def _table(text: str) -> dict[str, Any]:
    if not text:
        return {}
    from gyakusan.doors import parse

    return parse.toml_value(text, _refused)


def _refused(why: Message) -> BadSetting:
    return BadSetting("{file}: {problem}.", file=str(place()), problem=why, mend="Mend the file, or remove it.")


def find(key: str) -> Default:
    """Return a setting. Raises UnknownName."""
    if key not in DEFAULTS:
        raise unknown(say("setting"), key, DEFAULTS, choices=True)
    return DEFAULTS[key]


def keep(key: str, value: str) -> None:
    """Set one; other lines stay as they are. Raises UnknownName, SourceError, or what is wrong with the value or the file."""
    kept = find(key).checked(value)
    with _changing() as text:
        wanted = _checked({**_table(text), key: kept})
        _write(_edited(text, key, f"{key} = {json.dumps(kept, ensure_ascii=False)}"), wanted, key)


def forget(key: str) -> None:
    """Remove a line, also one that stands for nothing. Raises UnknownName, BadSetting, SourceError."""
    with _changing() as text:
        table = _table(text)
        if key in table:
            _write(_edited(text, key, None), {k: v for k, v in table.items() if k != key}, key)
        else:
            find(key)


@contextmanager
def _changing() -> Iterator[str]:
    """Yield the file as it is; nobody else changes it meanwhile. Raises SourceError."""
    try:
        place().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with posix.locked(place().with_suffix(".lock")):
            yield _text()
    except OSError as error:
        raise SourceError(
            "{file} cannot be written: {problem}.", file=str(place()), problem=error.strerror or "?",
            mend="Set XDG_CONFIG_HOME to a folder that you can write.",
        ) from error  # fmt: skip


def _edited(text: str, key: str, line: str | None) -> str:
    """The file with a line in place of that of a key, or at the end. None: without that of the key."""
    own = re.compile(rf"""[ \t]*(["']?){re.escape(key)}\1[ \t]*=""")
    before = text.removesuffix("\n").split("\n") if text else []
    lines = [line if own.match(one) else one for one in before]
    if line is not None and line not in lines:
        lines.append(line)
    return "".join(f"{one}\n" for one in lines if one is not None)


def _write(text: str, wanted: Mapping[str, Any], key: str) -> None:
    """Replace the file, if it then says what it should. Raises BadSetting, SourceError."""
    if _table(text) != wanted:
        raise _refused(say("{name} does not stand on a line of its own", name=key[:40]))
    places.write_named(place(), text, 0o600)


def _is_off() -> bool:
    return os.environ.get("GYAKUSAN_DEFAULTS") == "off"


def kept_language() -> str | None:
    """Return the language of the file, None where it names none or is wrong: `fill` says so."""
    try:
        return None if _is_off() else read().get("language")
    except (GyakusanError, OSError):
        return None


def fill(_app: object, commands: tuple[str, ...], arguments: Any) -> None:
    """Put what the file says where a command line says nothing. Called by cyclopts for each command (App.config).

    Raises what `read` does, and what a value raises that is not right any more. Where a command takes none of the settings,
    a wrong file only costs the language: that is a notice.
    """
    if not commands or _is_off() or commands[0] == "config":
        return
    if not any(commands[0] in known.commands for known in DEFAULTS.values()):
        try:
            read()
        except GyakusanError as error:
            notice(
                error.message if error.mend is None else say("{problem} {mend}", problem=error.message, mend=error.mend)
            )
        return
    for key, value in read().items():
        default = DEFAULTS[key]
        if commands[0] in default.commands and not _is_decided(default, commands[0], arguments):
            from cyclopts.token import Token

            found = arguments.get(default.option, None)
            if found is not None:
                found.append(Token(keyword=default.option, value=default.checked(value), source=str(place())))


def _is_decided(default: Default, command: str, arguments: Any) -> bool:
    """Return True where the command line says it, or says what leaves no room for it."""
    if default.in_requests and _is_in_a_file(command, arguments):
        return True
    return any(one.tokens and {default.option, *default.unless} & set(one.names) for one in arguments)


def _is_in_a_file(command: str, arguments: Any) -> bool:
    """Return True where a request in a file is asked, or a plan exported."""
    from gyakusan.cli.numbered import is_plan

    if command == "export":
        return any(is_plan(t.value) for one in arguments for t in one.tokens if t.keyword in (None, "--model"))
    return any(one.tokens and "--file" in one.names for one in arguments)
