"""The one table of the API: path, question, document. The server, OpenAPI and the tests read it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Struct

from gyakusan.documents.memory_map import memory_map
from gyakusan.web import answers
from gyakusan.web.article import claims
from gyakusan.web.queries import CatalogQuery, CompareQuery, InspectQuery, NameQuery, NoQuery, PlanQuery

PREFIX = "/api/v1"


class ApiRoute(Struct, frozen=True):
    """One question that programs ask.

    name: of the operation
    query: struct of its parameters
    documents: names of the documents in docs/schemas; a list holds documents of any of them
    listed: True if the answer is a list
    about: one sentence for the description, in English
    ask: query -> the document, or a list of documents
    heavy: True where it may take a second
    """

    name: str
    query: type[Struct]
    documents: tuple[str, ...]
    listed: bool
    about: str
    ask: Callable[[Any], object]
    heavy: bool = False

    @property
    def path(self) -> str:
        """The path of the route."""
        return f"{PREFIX}/{self.name}"


def _records(kind: str, query: CatalogQuery) -> object:
    return answers.records(kind, query).document()


ROUTES = (
    ApiRoute(
        "inspect", InspectQuery, ("inspect",), False,
        "What a model takes on a machine by line, whether it fits, how fast and how good it is.",
        lambda query: answers.inspect(query).document(), heavy=True,
    ),
    ApiRoute(
        "memory-map", InspectQuery, ("memory-map",), False,
        "The memory for every stop of context and users, for each type of KV cache.",
        lambda query: memory_map(answers.memory_map(query)), heavy=True,
    ),
    ApiRoute(
        "plan", PlanQuery, ("plan",), False,
        "The best models, quantisations, machines and servers for people, with the command of each.",
        lambda query: answers.plan(query).document(), heavy=True,
    ),
    ApiRoute(
        "compare", CompareQuery, ("compare", "compare-plans"), True, "Models on devices side by side, or whole plans.",
        lambda query: answers.compare(query).document(), heavy=True,
    ),
    ApiRoute(
        "devices", CatalogQuery, ("catalog-device",), True, "Devices of the catalogue, with sources.",
        partial(_records, "devices"),
    ),
    ApiRoute(
        "machines", CatalogQuery, ("catalog-machine",), True, "Complete computers of the catalogue, with sources.",
        partial(_records, "machines"),
    ),
    ApiRoute(
        "models", CatalogQuery, ("catalog-model",), True, "Models of the catalogue, with sources.",
        partial(_records, "models"),
    ),
    ApiRoute(
        "record", NameQuery, ("catalog-device", "catalog-machine", "catalog-model"), False,
        "One record of the catalogue, each value with source and date.",
        lambda query: answers.record(query).document(),
    ),
    ApiRoute(
        "accuracy", NoQuery, ("accuracy-memory", "accuracy-speed"), True,
        "How right memory and speed are, on recorded measurements.", lambda query: answers.accuracy(),
    ),
    ApiRoute(
        "article", NoQuery, ("article",), False, "The claims of the article that gyakusan comes from, checked.",
        lambda query: claims.document(), heavy=True,
    ),
)  # fmt: skip
"""Every question of the API."""
