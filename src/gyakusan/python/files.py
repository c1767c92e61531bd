"""Files of a person's own that a request or records are read from."""

from __future__ import annotations

from pathlib import Path

from gyakusan.errors import BadSetting, GyakusanError, SourceError


def text_of(file: Path) -> str:
    """Return what a file says. Raises SourceError."""
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        _no_file_but_a_device(str(file))
        problem = getattr(error, "strerror", None) or str(error)
        raise SourceError(
            "{file} cannot be read: {problem}.", file=str(file), problem=problem, mend="Name a TOML or JSON file."
        ) from error


def _no_file_but_a_device(text: str) -> None:
    """Raise BadSetting if a device was named where a file is expected."""
    from gyakusan import machines

    try:
        machines.parse(text)
    except GyakusanError:
        return
    raise BadSetting(
        "{name} is a device, and a file with a question is expected here.", name=f'"{text}"',
        mend="Type: gyakusan plan --device {name}",
    )  # fmt: skip
