"""Catalogue and accuracy: facts with source and date, and how right the forecasts are."""

from __future__ import annotations

from typing import Literal, get_args

from starlette.requests import Request
from starlette.responses import Response

from gyakusan.catalog import accuracy as recorded
from gyakusan.catalog.devices import DeviceMatch
from gyakusan.catalog.entry import Entry
from gyakusan.catalog.names import parse_device_name
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
    records = answers.records(kind, query).records
    found = [r.record for r in records]
    pages = [n for r in records for n in ([r.record.name] if has_page(r.record.name) else plannable(r.entry))]
    drawn, every = getattr(shown, kind)(found), bool(request.app.state.exported)
    return page(
        request, "listing.html", say("Catalogue: {kind}", kind=say(KIND_TEXTS[kind])), kind=kind, query=query, records=drawn,
        names=list(dict.fromkeys(r.name for r in found)), offered=list(dict.fromkeys(pages)),
        links=[n for n in dict.fromkeys(r.name for r in found) if has_page(n)] if every or len(found) <= MOST_LINKS else (),
    )  # fmt: skip


def has_page(name: str) -> bool:
    """Return True for a name that means one record: some computers are sold with several memory sizes."""
    try:
        answers.record(NameQuery(name=name))
    except UnknownName:
        return False
    return True


def plannable(entry: Entry, asked: str = "") -> list[str]:
    """Return the names that mean a device or a computer with its memory: one for each size, or that of the asked name."""
    size = parse_device_name(asked).size
    sizes = [size] if size in entry.sizes else entry.sizes
    return [DeviceMatch("", n, entry).title for n in sizes]


def record(request: Request) -> Response:
    """Return the page of one record. Raises UnknownName."""
    query = read(NameQuery, request.query_params.multi_items())
    found = answers.record(query)
    model = found.entry.kind == "model"
    return page(
        request, "record.html", say("{name}", name=found.record.name), name=found.record.name, model=model,
        sizes=() if model else plannable(found.entry, query.name),
        record=shown.record(found.record, found.entry, found.tags),
    )  # fmt: skip


def accuracy(request: Request) -> Response:
    """Return the page with the errors on recorded measurements."""
    return page(
        request, "accuracy.html", say("How right it is"), memory=accuracies.memory(recorded.memory()),
        speed=accuracies.speed(recorded.speed()),
    )  # fmt: skip
