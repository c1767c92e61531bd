"""Translate sentences into the reader's language. Only show/, web/ and cli/ use this.

A translation is found by its English template in locale/<language>.json; facts that are sentences are translated too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from gyakusan.doors.files import packaged
from gyakusan.doors.text import line
from gyakusan.message import Listed, Message

Language = Literal["en", "ja"]
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


def _fact(value: Any, language: Language) -> Any:
    if isinstance(value, Listed):
        return ("、" if language == "ja" else ", ").join(tell(m, language) for m in value.messages)
    if isinstance(value, Message):
        return tell(value, language)
    return line(value) if isinstance(value, str) else value


def knows(template: str, language: Language) -> bool:
    """Return True if there is a translation."""
    return language == "en" or template in _table(language)


@cache
def _table(language: Language) -> Mapping[str, str]:
    found: Mapping[str, str] = json.loads(packaged(Path(__file__).parent / "locale" / f"{language}.json"))
    return found
