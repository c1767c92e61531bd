"""Every exception of gyakusan.

GyakusanError                 one line for the user, and how to mend it
├── UsageError                what was asked for is wrong (exit code 2)
│   ├── BadQuantity           "24", "-1", "12 parsecs"
│   ├── UnknownName           no such device, model, quantisation ...; carries the nearest names
│   ├── BadSetting            a setting that the engine refuses, or two that contradict
│   ├── BadReference          a model reference that names nothing readable
│   ├── BadRecord             a catalogue record that breaks its schema
│   └── BadModel              bytes that are no model
│       ├── Truncated         the file ends before what it promises
│       ├── Malformed         the file contradicts itself or the format
│       └── Unsupported       well-formed, but of a kind that we do not know
└── Failure                   the world did not co-operate (exit code 3)
    ├── SourceError           a file or an address could not be read
    │   └── Unreachable       no answer came from an address: no network, no name, no proxy
    ├── DetectError           the computer could not be asked
    └── ServerError           a server did not start, died, or answered nonsense
        └── UnknownBuild      a build of the server whose library is laid out in another way
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import Any

from gyakusan.message import Choices, Message, quoted


class GyakusanError(Exception):
    """Base of all. `message` and `mend` are data, so that they can be shown in the reader's language.

    template: one English sentence with {fields}, which the facts fill
    mend: a second sentence that says what to do
    """

    exit_code = 3

    def __init__(self, template: str, /, *, mend: str | Message | None = None, **facts: Any) -> None:
        self.message = Message(template, facts)
        self.mend = Message(mend, facts) if isinstance(mend, str) else mend
        super().__init__(str(self))

    def __str__(self) -> str:
        return str(self.message) if self.mend is None else f"{self.message} {self.mend}"


class UsageError(GyakusanError):
    """A wrong request."""

    exit_code = 2


class BadQuantity(UsageError):
    """A quantity that cannot be read, or that makes no sense."""


class UnknownName(UsageError):
    """A name that is in no table. Use `unknown` to build one with the nearest names."""


class BadSetting(UsageError):
    """A setting that the engine refuses, or two that contradict."""


class BadReference(UsageError):
    """A model reference that names nothing readable."""


class BadRecord(UsageError):
    """A catalogue record that breaks its schema."""


class BadModel(UsageError):
    """Bytes that are no model."""


class Truncated(BadModel):
    """A file that ends before what it promises."""


class Malformed(BadModel):
    """A file that contradicts itself or the format."""


class Unsupported(BadModel):
    """A well-formed file of an unknown kind."""


class Failure(GyakusanError):
    """A failure of the world around us: network, disk, driver, server."""


class SourceError(Failure):
    """A file or an address that could not be read."""


class Unreachable(SourceError):
    """No answer came from an address: there is no network, no such name, or a proxy that lets nothing through."""


class DetectError(Failure):
    """A computer that could not be asked."""


class ServerError(Failure):
    """A server that did not start, died, or answered nonsense."""


class UnknownBuild(ServerError):
    """A build of the server whose library is laid out in another way."""


_ASKED, _KNOWN = 100, 5_000
"""Most characters that are compared, and most names: the work grows with their product."""


_WORD = 3
"""Letters of a first word that tells a line of names."""


_SURELY = 0.75
"""Likeness of two names that is none by chance, even where their first letters differ."""


def did_you_mean(name: str, known: Iterable[str], n: int = 5, *, begun: bool = False) -> list[str]:
    """Return the known names most like `name`, best first, whatever the case.

    begun: leave out names with another first letter that are not surely alike: short names are half alike by chance
    """
    import difflib  # only where something was misspelt

    asked = name.casefold()[:_ASKED]
    table = {k[:_ASKED].casefold(): k for k in islice(known, _KNOWN)}
    inside = sorted((k for k in table if asked and asked in k), key=len)
    close = difflib.get_close_matches(asked, list(table), n=n, cutoff=0.51)  # half alike is by chance
    if begun:
        sure = difflib.get_close_matches(asked, close, n=n, cutoff=_SURELY)
        close = [k for k in close if k[:1] == asked[:1] or k in sure]
    word = _first_word(asked)
    kin = [k for k in table if len(word) >= _WORD and _first_word(k) == word] if not inside else []
    alike = [k for k in close if k in kin] + [k for k in kin if k not in close][:n] if kin else []
    return [table[k] for k in dict.fromkeys(inside[:n] + alike + close)][:n]


def _first_word(name: str) -> str:
    """Return "bge" for "bge-small-en-v1.5": names of one line share it."""
    return re.split(r"[-_.:/ ]", name, maxsplit=1)[0]


def unknown(
    kind: Message,
    name: str,
    known: Iterable[str],
    *,
    choices: bool = False,
    option: str = "",
    otherwise: str | None = None,
) -> UnknownName:
    """Return UnknownName for `name`, with the nearest of `known`. kind: what was looked for, e.g. say("device").

    choices: name all of them where none is near
    option: that takes them, where they have Japanese names: see choices.CHOICE_WORDS
    otherwise: what to do where none is near and they are too many to be named, e.g. where they are listed
    """
    known = tuple(known)
    shown = name if len(name) <= 80 else name[:77] + "..."
    near = did_you_mean(name, known)
    if near:
        return UnknownName(
            "No {kind} is called {name}.",
            kind=kind,
            name=quoted(shown),
            near=", ".join(near),
            mend="Did you mean {near}?",
        )
    if choices:
        every = Choices(option, tuple(sorted(known, key=str.casefold)))
        mend = "Choose one of: {choices}."
        return UnknownName("No {kind} is called {name}.", kind=kind, name=quoted(shown), choices=every, mend=mend)
    return UnknownName("No {kind} is called {name}.", kind=kind, name=quoted(shown), mend=otherwise)
