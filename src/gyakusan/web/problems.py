"""What an error is in HTTP: its status, and its sentences in the reader's language."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gyakusan.errors import Failure, GyakusanError, UnknownName
from gyakusan.message import Message, say
from gyakusan.text import Language, tell


class Busy(Failure):
    """More questions than the page answers at the same time."""


class NotYours(Failure):
    """What only the account that runs the page may read."""


class Broken(Failure):
    """An answer that failed for a reason nobody thought of."""


def status_of(error: GyakusanError) -> int:
    """Return the status of an error."""
    match error:
        case Busy():
            return 429
        case Broken():
            return 500
        case NotYours():
            return 403
        case UnknownName():
            return 404
        case Failure():
            return 422
        case _:
            return 400


class Refused(Struct, frozen=True):
    """A question without an answer, as its page says it above the form with what was typed.

    lines: what is wrong, and what mends it
    status: of the answer in HTTP
    names: True where a name of the catalogue was meant
    """

    lines: tuple[Message, ...]
    status: int
    names: bool = False

    @property
    def title(self) -> Message:
        """Title of the page."""
        return say("Error: {what}", what=self.lines[0])


def refused(error: GyakusanError) -> Refused:
    """Return what a page says of an error."""
    lines = (error.message,) if error.mend is None else (error.message, error.mend)
    return Refused(lines, status_of(error), isinstance(error, UnknownName) and "choices" not in error.message.facts)


_TITLES = {
    400: "Bad question",
    403: "Not yours",
    404: "Unknown name",
    422: "Not answered here",
    429: "Busy",
    500: "Failed",
}


def problem_of(error: GyakusanError, language: Language) -> dict[str, Any]:
    """Return the members of a problem document. Source: RFC 9457, 3.1."""
    status = status_of(error)
    return {
        "title": _TITLES[status],
        "status": status,
        "detail": tell(error.message, language),
        "mend": None if error.mend is None else tell(error.mend, language),
        "kind": type(error).__name__,
    }
