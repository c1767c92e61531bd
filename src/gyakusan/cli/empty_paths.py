"""A file without a name: `--save ""` would be the folder in which the command runs."""

from __future__ import annotations

from typing import Any

from gyakusan.errors import BadSetting


def check(_app: object, commands: tuple[str, ...], arguments: Any) -> None:
    """Raise BadSetting for an option or an argument that names a file, and whose value is empty. Called by cyclopts."""
    for one in arguments if commands else ():
        if "Path" in str(one.hint) and any(not token.value.strip() for token in one.tokens):
            raise BadSetting("{key} is empty.", key=one.name, mend="Give it a value, or leave it out.")
