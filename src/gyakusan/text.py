"""Translate sentences into the reader's language. Only show/, web/ and cli/ use this.

A translation is found by its English template in locale/<language>.json; facts that are sentences are translated too.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from gyakusan.message import Listed, Message

Language = Literal["en", "ja"]
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What moves the cursor, changes colours or turns the direction of writing."""
LANGUAGES: tuple[Language, ...] = ("en", "ja")


def choose(asked: str | None = None, environment: Mapping[str, str] | None = None) -> Language:
    """Return the language asked for, else that of GYAKUSAN_LANG, LC_ALL, LC_MESSAGES or LANG, else English."""
    env = os.environ if environment is None else environment
    for value in (asked, *(env.get(k) for k in ("GYAKUSAN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"))):
        if value:
            return "ja" if value.casefold().startswith("ja") else "en"
    return "en"


def tell(message: Message | str, language: Language) -> str:
    """Return the sentence in `language`; English where there is no translation."""
    if isinstance(message, str):
        message = Message(message)
    template = message.template if language == "en" else _table(language).get(message.template, message.template)
    facts = {k: _fact(v, language) for k, v in message.facts.items()}
    return template.format(**facts) if facts else template.replace("{{", "{").replace("}}", "}")


def without_controls(text: str) -> str:
    """Return text in which no control character steers the reader's terminal."""
    return _CONTROL.sub("?", text)


def _fact(value: Any, language: Language) -> Any:
    if isinstance(value, Listed):
        return ("、" if language == "ja" else ", ").join(tell(m, language) for m in value.messages)
    return tell(value, language) if isinstance(value, Message) else value


def knows(template: str, language: Language) -> bool:
    """Return True if there is a translation."""
    return language == "en" or template in _table(language)


@cache
def _table(language: Language) -> Mapping[str, str]:
    from importlib.resources import files  # costs 5 ms, and English needs no table

    found: Mapping[str, str] = json.loads((files("gyakusan") / "locale" / f"{language}.json").read_text("utf-8"))
    return found
