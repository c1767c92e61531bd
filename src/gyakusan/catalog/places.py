"""Where records may stand besides ours: the user's own, and a newer release that was fetched."""

from __future__ import annotations

import os
from pathlib import Path

DATA = Path(__file__).parent / "data"
"""The records that came with this version."""


def own() -> Path:
    """The folder of the user's own records: $XDG_CONFIG_HOME/gyakusan/catalog, usually ~/.config/gyakusan/catalog."""
    return _home("XDG_CONFIG_HOME", ".config") / "gyakusan" / "catalog"


def own_files() -> tuple[Path, ...]:
    """The user's own files, by name."""
    try:
        return tuple(sorted(Path(own(), n) for n in os.listdir(own()) if n.endswith(".toml")))
    except OSError:
        return ()


def fetched() -> Path:
    """The folder of a fetched release: $XDG_DATA_HOME/gyakusan/catalog, usually ~/.local/share/gyakusan/catalog."""
    return _home("XDG_DATA_HOME", ".local/share") / "gyakusan" / "catalog"


def released() -> Path | None:
    """A fetched release that is newer than ours, None without one. Each has its date as its name."""
    from gyakusan.catalog import RELEASE

    try:
        newest = max((n for n in os.listdir(fetched()) if n[:1].isdigit()), default="")
    except OSError:
        return None
    return fetched() / newest if newest > RELEASE else None


def _home(variable: str, usual: str) -> Path:
    said = os.environ.get(variable, "")
    return Path(said) if os.path.isabs(said) else Path(os.path.expanduser("~"), usual)
