"""Catalogue and accuracy: facts with source and date, and how right the forecasts are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from msgspec import structs
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
from gyakusan.show.tree import Table, Tree
from gyakusan.web import answers
from gyakusan.web.problems import Refused
from gyakusan.web.queries import CatalogQuery, NameQuery, read, typed
from gyakusan.web.rendering import address, page

Kind = Literal["devices", "machines", "models"]
KINDS: tuple[Kind, ...] = get_args(Kind)
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
    pages = [[r.record.name] if has_page(r.record.name) else plannable(r.entry) for r in records]
    drawn = _linked(getattr(shown, kind)(found), [_page_of(names) for names in pages])
    return page(
        request, "listing.html", say("Catalogue: {kind}", kind=say(KIND_TEXTS[kind])), kind=kind, query=query, records=drawn,
        refused=None, names=list(dict.fromkeys(r.name for r in found)), offered=list(dict.fromkeys(n for p in pages for n in p)),
    )  # fmt: skip


def _page_of(names: Sequence[str]) -> str:
    """Return where a record has its page, with all its sources: the same one for each of its sizes."""
    return address("/catalogue/record", name=names[0])


def _linked(parts: Tree, to: Sequence[str]) -> Tree:
    """Return a list of records whose names lead to their pages. to: of each record, in order."""
    return tuple(structs.replace(p, hrefs=tuple(to)) if isinstance(p, Table) else p for p in parts)


def listing_refused(kind: Kind, refused: Refused, request: Request) -> Response:
    """Return the page of a search that cannot be read, with what was typed. Raises GyakusanError."""
    return page(
        request, "listing.html", refused.title, heading=say("Catalogue: {kind}", kind=say(KIND_TEXTS[kind])), kind=kind,
        status=refused.status, refused=refused, names=(), offered=(),
        query=typed(CatalogQuery, request.query_params.multi_items()),
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
