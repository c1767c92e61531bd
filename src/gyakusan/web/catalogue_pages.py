"""Catalogue and accuracy: facts with source and date, and how right the forecasts are."""

from __future__ import annotations

from typing import Literal, get_args

from starlette.requests import Request
from starlette.responses import Response

from gyakusan.catalog import accuracy as recorded
from gyakusan.errors import UnknownName
from gyakusan.message import say
from gyakusan.show import accuracy as accuracies
from gyakusan.show import catalog as shown
from gyakusan.web import answers
from gyakusan.web.queries import CatalogQuery, NameQuery, read
from gyakusan.web.rendering import page

Kind = Literal["devices", "machines", "models"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_LINKS = 60
"""Records of a page of its own that a list still names one by one."""
KIND_TEXTS = {"devices": "Devices", "machines": "Computers", "models": "Models"}


def overview(request: Request) -> Response:
    """Return the page with what the catalogue holds."""
    counts = [
        (kind, KIND_TEXTS[kind], f"{len(answers.records(kind, CatalogQuery(every=True)).records):,}") for kind in KINDS
    ]
    return page(request, "catalogue.html", say("Catalogue"), counts=counts)


def listing(kind: Kind, request: Request) -> Response:
    """Return the page with the records of a kind. Raises GyakusanError."""
    query = read(CatalogQuery, request.query_params.multi_items())
    found = [r.record for r in answers.records(kind, query).records]
    drawn, every = getattr(shown, kind)(found), bool(request.app.state.exported)
    return page(
        request, "listing.html", say("Catalogue: {kind}", kind=say(KIND_TEXTS[kind])), kind=kind, query=query, records=drawn,
        names=list(dict.fromkeys(r.name for r in found)),
        links=[n for n in dict.fromkeys(r.name for r in found) if has_page(n)] if every or len(found) <= MOST_LINKS else (),
    )  # fmt: skip


def has_page(name: str) -> bool:
    """Return True for a name that means one record: some computers are sold with several memory sizes."""
    try:
        answers.record(NameQuery(name=name))
    except UnknownName:
        return False
    return True


def record(request: Request) -> Response:
    """Return the page of one record. Raises UnknownName."""
    found = answers.record(read(NameQuery, request.query_params.multi_items()))
    model = found.entry.kind == "model"
    return page(
        request, "record.html", say("{name}", name=found.record.name), name=found.record.name, model=model,
        record=shown.record(found.record, found.entry, found.tags),
    )  # fmt: skip


def accuracy(request: Request) -> Response:
    """Return the page with the errors on recorded measurements."""
    return page(
        request, "accuracy.html", say("How right it is"), memory=accuracies.memory(recorded.memory()),
        speed=accuracies.speed(recorded.speed()),
    )  # fmt: skip
