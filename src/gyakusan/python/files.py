"""Files of a person's own that a request or records are read from."""

from __future__ import annotations

from pathlib import Path

from gyakusan.errors import SourceError


def text_of(file: Path) -> str:
    """Return what a file says. Raises SourceError."""
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise SourceError(
            "{file} cannot be read: {problem}", file=str(file), problem=problem, mend="Name a TOML or JSON file."
        ) from error
