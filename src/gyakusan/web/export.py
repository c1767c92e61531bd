"""The read-only pages as files: article, accuracy and catalogue in both languages, for any static host and for a folder.

Addresses are relative, so that a page is read from a file, from the root of a host and below any path of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape, unescape
from pathlib import Path, PurePosixPath
from posixpath import relpath
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request

from gyakusan.catalog.places import write_private
from gyakusan.doors.files import whole
from gyakusan.doors.parse import json_value
from gyakusan.doors.scope import catalogue_only
from gyakusan.errors import BadSetting, GyakusanError, SourceError
from gyakusan.text import LANGUAGES, Language
from gyakusan.web import answers, catalogue_pages, pages, start_page
from gyakusan.web.control import Control, seen
from gyakusan.web.queries import CatalogQuery
from gyakusan.web.rendering import EXPORTED, MADE

NOTE = ".gyakusan-export.json"
"""Names the files that an export wrote, so that the next one replaces them and nothing else."""
MOST_NOTE = 8 * 2**20
"""No more is read of it. [B]"""
_ADDRESS = re.compile(r'(?<= )(href|src)="(/[^"]*)"')
_STRANGE = re.compile(r"[^a-z0-9.]+")
_SHEETS = tuple(MADE)


class Site(Struct, frozen=True):
    """What is written.

    app: that pages are drawn with
    records: name of a record of the catalogue -> name of its file
    """

    app: Starlette
    records: dict[str, str]


def export(folder: Path) -> int:
    """Write the pages into a folder that is empty, new, or holds an export; return how many files. Raises GyakusanError."""
    try:
        before = _before(folder)
        made = dict(files())
        _check_places(folder, before, made)
        _write(folder, before, made)
    except (OSError, ValueError) as error:
        raise SourceError(
            "{file} cannot be written: {problem}.", file=str(folder),
            problem=getattr(error, "strerror", None) or str(error), mend="Name a folder that you can write.",
        ) from error  # fmt: skip
    return len(made)


def _before(folder: Path) -> list[str]:
    """Return the files of the last export. Raises BadSetting for a folder that holds anything else, OSError."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return []
    refused = BadSetting(
        "{folder} is not empty, and no export wrote it.", folder=str(folder), mend="Name a new folder, or an empty one."
    )
    try:
        found = json_value(whole(folder / NOTE, MOST_NOTE), lambda why: refused)
    except (GyakusanError, OSError):
        raise refused from None
    if not isinstance(found, list) or not all(isinstance(name, str) and _is_inside(name) for name in found):
        raise refused
    return found


def _is_inside(name: str) -> bool:
    """Return True for a relative path that no system reads as one that leads out of the folder."""
    strange = name.startswith("/") or any(mark in name for mark in ("\\", ":", "\0"))
    return not strange and name != NOTE and not {"..", "", "."} & set(name.split("/"))


def _check_places(folder: Path, before: Iterable[str], made: Iterable[str]) -> None:
    """Raise BadSetting where a page would replace a file that no export wrote, or stand outside of the folder."""
    ours, root = set(before), folder.resolve()
    for name in (*ours, *made):
        place = folder / name
        if not place.parent.resolve().is_relative_to(root):
            raise BadSetting(
                "{file} leads out of the folder.",
                file=str(place.parent),
                mend="Remove that link, or name a new folder.",
            )
        if name not in ours and os.path.lexists(place):
            raise BadSetting(
                "{file} is there already, and no export wrote it.", file=str(place),
                mend="Move it away, or name a new folder.",
            )  # fmt: skip


def _write(folder: Path, before: Iterable[str], made: Mapping[str, bytes]) -> None:
    """Write the files and remove those that are pages no more. The note comes first: an export that ends early is taken up."""
    folder.mkdir(parents=True, exist_ok=True)
    _note(folder, {*before, *made})
    for name, body in made.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_symlink():
            place.unlink()
        place.write_bytes(body)
    for name in set(before) - set(made):
        (folder / name).unlink(missing_ok=True)
    _note(folder, made)


def _note(folder: Path, names: Iterable[str]) -> None:
    write_private(folder / NOTE, msgspec.json.format(msgspec.json.encode(sorted(names))), 0o644)


def files() -> Iterator[tuple[str, bytes]]:
    """Yield each file's name in the folder, with its bytes: the same ones for the same catalogue."""
    with catalogue_only(computer=False):
        site = Site(_application(), _names())
    yield "index.html", _drawn(site, "/", LANGUAGES[0], "index.html")
    for sheet in _SHEETS:
        yield f"static/{sheet}", MADE[sheet]().encode()
    for language in LANGUAGES:
        for address in _addresses(site):
            name = file_of(site, address, language)
            yield name, _drawn(site, address, language, name)


def _application() -> Starlette:
    """Return what pages are drawn with: a public copy without actions, that knows it is a file."""
    app = Starlette()
    app.state.public, app.state.acts, app.state.exported = True, False, True
    app.state.control = Control.new()
    return app


def _names() -> dict[str, str]:
    """Return a file's name for each record: what every file system and host takes, and no two alike."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for kind in catalogue_pages.KINDS:
        for row in answers.records(kind, CatalogQuery(every=True)).records:
            shown = (
                row.record.name
                if catalogue_pages.has_page(row.record.name)
                else catalogue_pages.plannable(row.entry)[0]
            )
            plain = _STRANGE.sub("-", row.record.name.casefold()).strip("-.") or "record"
            name, n = plain, 1
            while name in taken:
                n += 1
                name = f"{plain}-{n}"
            taken.add(name)
            found.setdefault(shown, name)
    return found


def _addresses(site: Site) -> Iterator[str]:
    yield "/"
    yield from EXPORTED
    yield from (f"/catalogue/{kind}?every=1" for kind in catalogue_pages.KINDS)
    yield from (f"/catalogue/record?{urlencode({'name': name})}" for name in site.records)


def file_of(site: Site, address: str, language: Language) -> str:
    """Return the file of an address of a page. Raises KeyError for a page that is not written."""
    found = urlsplit(address)
    query = parse_qs(found.query)
    said = query.get("lang", [language])[0]
    if found.path == "/":
        return f"{said}/index.html"
    if found.path == "/catalogue/record":
        return f"{said}/catalogue/record/{site.records[query['name'][0]]}.html"
    if found.path not in {*EXPORTED, *pages.KINDS}:
        raise KeyError(found.path)
    return f"{said}{found.path}.html"


def _drawn(site: Site, address: str, language: Language, name: str) -> bytes:
    """Return a page with relative addresses. name: of its file."""
    found = urlsplit(address)
    scope = {
        "type": "http", "method": "GET", "path": found.path, "root_path": "", "scheme": "http", "headers": [], "app": site.app,
        "query_string": f"{found.query}&lang={language}".encode(), "server": ("127.0.0.1", 80), "client": None,
    }  # fmt: skip
    request = Request(scope)
    draw = {**pages.PAGES, **pages.KINDS, "/": start_page.exported}[found.path]
    with seen(request):
        text = bytes(draw(request).body).decode()

    def relative(match: re.Match[str]) -> str:
        to = urlsplit(unescape(match[2]))
        target = to.path.removeprefix("/") if to.path.startswith("/static/") else file_of(site, to.geturl(), language)
        path = quote(relpath(target, str(PurePosixPath(name).parent)))
        version = f"?{to.query}" if to.path.startswith("/static/") else ""
        return f'{match[1]}="{escape(path + version + ("#" + to.fragment if to.fragment else ""))}"'

    return _ADDRESS.sub(relative, text).encode()
