"""Who reads a page: language and theme, from the address, a cookie or the browser."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from starlette.requests import Request

from gyakusan.message import Message
from gyakusan.text import LANGUAGES, Language
from gyakusan.web.field_words import say_on
from gyakusan.web.understood import understood

Theme = Literal["auto", "light", "dark"]
THEMES: tuple[Theme, ...] = ("auto", "light", "dark")
LANGUAGE_COOKIE, THEME_COOKIE = "lang", "theme"


class Reader(Struct, frozen=True):
    """Who reads.

    language: of every sentence
    theme: auto follows the system
    path: of the page that is read
    """

    language: Language = "en"
    theme: Theme = "auto"
    path: str = "/"

    def tell(self, words: Message | str) -> str:
        """Return words in the reader's language, and in the page's."""
        return say_on(self.path, words, self.language)


def reader_of(request: Request) -> Reader:
    """Return the reader of a request."""
    return Reader(language_of(request), _theme(request), request.url.path)


def language_of(request: Request) -> Language:
    """Return the language: of ?lang=, of the cookie, else the first known one that the browser names."""
    for value in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        named = named_language(value or "")
        if named is not None:
            return named
    return _accepted(request.headers.get("accept-language", ""))


def named_language(text: str) -> Language | None:
    """Return the language that an address names, en or 英語, None for a word that names none."""
    word = understood("lang", text.strip())
    return next((language for language in LANGUAGES if word == language), None)


def _accepted(header: str) -> Language:
    """Return the known language that is liked best."""
    known = (tag.casefold().split("-")[0] for tag in liked_tags(header))
    return next((language for name in known for language in LANGUAGES if name == language), "en")


def liked_tags(header: str) -> tuple[str, ...]:
    """Return the languages that a browser names, e.g. en-US, the most liked first. Source: RFC 9110, 12.5.4."""
    found: list[tuple[float, str]] = []
    for part in header[:500].split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            found.append((float(weight or 1), tag.strip()))
        except ValueError:
            continue
    return tuple(tag for liked, tag in sorted(found, key=lambda pair: -pair[0]) if liked > 0)


def _theme(request: Request) -> Theme:
    for value in (request.query_params.get("theme"), request.cookies.get(THEME_COOKIE)):
        for theme in THEMES:
            if value == theme:
                return theme
    return "auto"
