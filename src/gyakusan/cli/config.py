"""gyakusan config: the user's own defaults, e.g. the device that is meant where none is named."""

from __future__ import annotations

import json
from typing import Annotated

from cyclopts import App, Parameter

from gyakusan.cli import defaults
from gyakusan.cli.options import _
from gyakusan.cli.writing import warn
from gyakusan.text import choose, tell

app = App(name="config", help="Keep defaults: device, currency, language, key file.", help_format="plaintext")
Key = Annotated[str, Parameter(help=_("Which: device, currency, language or key_file."))]


@app.command(name="show", help="Print the defaults, as they stand in the file.")
def show() -> int:
    """Run `gyakusan config show` and return its exit code."""
    found = defaults.read()
    if not found:
        warn(tell("No defaults are kept.", choose()))
    for key, value in found.items():
        print(f"{key} = {json.dumps(value, ensure_ascii=False)}")
    return 0


@app.command(name="set", help="Keep a default, after a check.")
def set_(key: Key, value: Annotated[str, Parameter(help=_("What it is from now on, e.g. 'RTX 4090'."))]) -> int:
    """Run `gyakusan config set` and return its exit code."""
    defaults.keep(key, value)
    return 0


@app.command(name="unset", help="Forget a default.")
def unset(key: Key) -> int:
    """Run `gyakusan config unset` and return its exit code."""
    defaults.forget(key)
    return 0


@app.command(name="path", help="Print where the file is.")
def path() -> int:
    """Run `gyakusan config path` and return its exit code."""
    print(defaults.place())
    return 0
