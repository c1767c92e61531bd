"""Caddy: https for one server, or one address for several, each below a path of its own.

Source: Caddy 2.11 documentation: bind, handle_path, reverse_proxy, request_body. The servers check the keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gyakusan.engines.deployment import Deployment
from gyakusan.engines.service_files import EVERYWHERE, HERE, port_of
from gyakusan.errors import BadSetting
from gyakusan.exports.reach import PORT
from gyakusan.exports.settings import Comment, ExportSettings, Written, check, key_variable, service_name
from gyakusan.message import say

BODY = "64MB"
"""The largest request: a prompt that fills a long context, with images; each server has a smaller limit of its own."""


def caddyfile(deployments: Sequence[Deployment], settings: ExportSettings) -> Written:
    """Return a Caddyfile. Raises BadSetting for a bad name, and for servers without a key that should be open."""
    check(settings)
    for d in deployments:
        key_variable(d, settings)
    keyed = any(d.rules.KEY for d in deployments) and settings.keyed
    places = _places(deployments, settings.port)
    return tuple(_head(places, keyed=keyed)), "\n".join(_lines(places, settings.host)) + "\n"


def _places(deployments: Sequence[Deployment], first: int) -> list[tuple[str, int]]:
    """Return name and port of each server; servers of one engine take ports one after the other, from `first` if not 0."""
    taken: set[int] = set()
    found = []
    for d in deployments:
        port = first or port_of(d.command, d.rules.PORT)
        while port in taken:
            port += 1
        taken.add(port)
        found.append((service_name(d.name), port))
    names = [name for name, _ in found]
    if len(set(names)) < len(names):
        raise BadSetting("A model is named twice.", mend="Name each model once.")
    return found


def _head(places: Sequence[tuple[str, int]], *, keyed: bool) -> Iterator[Comment]:
    if keyed:
        yield say("Caddy checks no key: start each server with its own (gyakusan export --to systemd does).")
    for name, port in places:
        yield say("{name} has to listen on {address} (--port {port}).", name=name, address=f"{HERE}:{port}", port=port)


def _lines(places: Sequence[tuple[str, int]], host: str) -> Iterator[str]:
    yield from ("{", "\tadmin off", *([] if host else ["\tauto_https off"]), "}", "")
    yield from (f"{f'https://{host}' if host else f'http://:{PORT}'} {{", f"\tbind {EVERYWHERE if host else HERE}")
    yield from ("\trequest_body {", f"\t\tmax_size {BODY}", "\t}")
    if len(places) == 1:
        yield from _proxy(places[0][1], "\t")
    else:
        for name, port in places:
            yield from (f"\thandle_path /{name}/* {{", *_proxy(port, "\t\t"), "\t}")
        yield "\trespond 404"
    yield "}"


def _proxy(port: int, indent: str) -> Iterator[str]:
    """Yield the lines that pass requests on; an answer that streams is passed on at once."""
    yield from (f"{indent}reverse_proxy {HERE}:{port} {{", f"{indent}\tflush_interval -1", f"{indent}}}")
