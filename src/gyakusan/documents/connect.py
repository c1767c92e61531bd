"""The JSON of `gyakusan connect`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct, field

from gyakusan.documents.common import catalogue_date
from gyakusan.serving.endpoints import Endpoint
from gyakusan.serving.snippets import Snippet, key_command


class SnippetJson(Struct, frozen=True):
    """What one program reads.

    program: its name, as --for takes it
    language: of the text: shell, python, javascript, yaml, text
    place: the file that it goes to, "" for what is typed or run
    text: to be pasted as it stands; never with a key
    key_command: what gives the program the key, or prints it to be pasted; "" if the text reads it or there is none
    """

    program: str
    language: str
    place: str
    text: str
    key_command: str


class ConnectJson(Struct, frozen=True, kw_only=True):
    """What other programs need to use a running server: `gyakusan connect`.

    schema: name and version of this form
    catalogue: date of the catalogue
    url: base URL of the OpenAI API
    key_file: file with the API key, null if no file is known
    snippets: one for each program
    """

    url: str
    key_file: str | None
    snippets: tuple[SnippetJson, ...]
    schema: Literal["gyakusan/connect/1"] = "gyakusan/connect/1"
    catalogue: str = field(default_factory=catalogue_date)


def connect(endpoint: Endpoint, found: Sequence[Snippet]) -> ConnectJson:
    """Return what other programs need."""
    texts = tuple(SnippetJson(s.program, s.language, s.place, s.text, key_command(endpoint, s.key)) for s in found)
    return ConnectJson(
        url=endpoint.url, key_file=None if endpoint.key_file is None else str(endpoint.key_file), snippets=texts
    )
