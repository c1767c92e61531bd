"""The JSON of the page "The article, checked"."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from gyakusan.documents.common import catalogue_date
from gyakusan.message import Message


class ClaimJson(Struct, frozen=True, kw_only=True):
    """One claim of the article.

    name: of its place on the page
    said: what the article says
    judged: right, conditions (right under conditions) or corrected
    found: what today's figures say, a sentence each
    try_it: address of the page on which the same can be asked
    """

    name: str
    said: Message
    judged: Literal["right", "conditions", "corrected"]
    found: tuple[Message, ...]
    try_it: str


class ArticleJson(Struct, frozen=True, kw_only=True):
    """The claims of the article that gyakusan comes from, checked.

    schema: name and version of this form
    catalogue: date of the catalogue
    verdict: how many claims hold
    claims: in the order of the article
    """

    verdict: Message
    claims: tuple[ClaimJson, ...]
    schema: Literal["gyakusan/article/1"] = "gyakusan/article/1"
    catalogue: str = field(default_factory=catalogue_date)
