"""gyakusan serve A B ...: several models behind one address."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gyakusan.cli.dry_run import check_front, print_unit, warn_of_refusals
from gyakusan.cli.numbered import is_plan
from gyakusan.cli.starting import told
from gyakusan.cli.writing import draw, terminal, write_json
from gyakusan.errors import BadReference

if TYPE_CHECKING:
    from gyakusan.cli.options import Output, People, Server, Sharing, Where, Which
    from gyakusan.cli.starting import Life, Listen
    from gyakusan.cli.workers import Lent
    from gyakusan.engines.deployment import Deployment
    from gyakusan.serving.model_group import Member, ModelGroup
    from gyakusan.serving.service import Service
    from gyakusan.serving.tls import Tls

PRESET = "gyakusan-models.ini"
"""Name of the preset in what --dry-run prints."""
NOT_FETCHED = "not-fetched"
"""Folder that stands in the preset of --dry-run for files that are not on this computer."""


def members_of(typed: Sequence[str], asked: Sequence[Deployment], paths: Sequence[str]) -> tuple[Member, ...]:
    """Return the models with the names by which requests choose: of a file its name, else that of the catalogue."""
    from gyakusan.serving.model_group import Member, names_for

    wanted = [
        Path(text).stem if text.endswith(".gguf") and not is_plan(text) else one.name
        for text, one in zip(typed, asked, strict=True)
    ]
    found = zip(names_for(wanted), asked, paths, strict=True)
    return tuple(Member(name, one, Path(path)) for name, one, path in found)


@dataclass(frozen=True, slots=True)
class Several:
    """What is asked of several models.

    typed: the models, as they were typed
    parts: options of people, machine, model and server
    sharing: options of the front
    lent: whether a setting may name workers beyond loopback
    anyway: True starts them also where they do not fit
    """

    typed: tuple[str, ...]
    parts: tuple[People, Where, Which, Server]
    sharing: Sharing
    lent: Lent
    anyway: bool


def serve_several(several: Several, listen: Listen, life: Life, key: str | None, output: Output) -> int:
    """Start several models behind one address, or show how they would be started; the exit code."""
    from gyakusan.cli.starting import asked_for, check_sense, model_file, refuse
    from gyakusan.serving.front.people import place
    from gyakusan.serving.model_group import ModelGroup
    from gyakusan.serving.service import default_limits

    asked = [asked_for(text, *several.parts) for text in several.typed]
    refused = 0
    for text, one in zip(several.typed, asked, strict=True):
        several.lent.check(one)
        if life.dry_run:
            refused |= warn_of_refusals(one, text, output, anyway=several.anyway) or not one.ledger.fits
            continue
        if not several.anyway:
            check_sense(one, text)
        if not several.anyway and not one.ledger.fits:
            return refuse(one, output)
    path = _path_if_here if life.dry_run else model_file
    paths = [path(one, text) for text, one in zip(several.typed, asked, strict=True)]
    members = members_of(several.typed, asked, paths)
    group = ModelGroup(members, listen.models_max, anyway=several.anyway)
    tls = check_front(listen, several.sharing)
    if life.dry_run:
        if life.systemd and not output.json:
            print_unit("models", life)
            return max(int(refused), 0 if group.fitting else 1)
        return max(int(refused), dry_run(group, listen, tls, output))
    limits = default_limits(group, **several.sharing.changes)
    people_keys = place() if several.sharing.people_keys else None
    options = {
        "key": key,
        "limits": limits,
        "names": several.sharing.allow_host,
        "people_keys": people_keys,
        "tls": tls,
    }
    return start(group, listen, life, options, output)


def _path_if_here(asked: Deployment, typed: str) -> str:
    """Return the path of a model, or one that says that its files are not fetched: where they will be is not known."""
    from gyakusan.cli.starting import model_file

    try:
        return model_file(asked, typed)
    except BadReference:
        return f"{NOT_FETCHED}/{asked.name}.gguf"


def dry_run(group: ModelGroup, listen: Listen, tls: Tls | None, output: Output) -> int:
    """Show the preset and the command. 0 if every model has room."""
    from gyakusan.serving.access import free_port
    from gyakusan.serving.dry_run import LOOPBACK, front_url

    port = listen.port or free_port(listen.host)
    url = front_url(listen.host, port, tls)
    command = group.module.command(Path(PRESET), group.routed, LOOPBACK, port)
    health = f"http://{LOOPBACK}:{port}{group.module.HEALTH}"
    if output.json:
        from gyakusan.documents.served import group_dry_run

        write_json(group_dry_run(group, command, health, url), output)
    else:
        from gyakusan.show import served, served_models

        front = served.behind_front(listen.host, url, encrypted=tls is not None)
        draw(*served_models.dry_run(group, command, PRESET, health), *front, output=output)
    return 0 if group.fitting else 1


def start(group: ModelGroup, listen: Listen, life: Life, options: dict[str, Any], output: Output) -> int:
    """Start the models behind one address. options: further fields of ServiceOptions."""
    from gyakusan.cli.detach import start_detached
    from gyakusan.cli.unit import write_unit
    from gyakusan.serving.background import Named
    from gyakusan.serving.registration import entry_of_group
    from gyakusan.serving.server import ServerOptions
    from gyakusan.serving.service import ServiceOptions

    named = Named.of("models", life.name, life.log_file)
    with closing(named):
        if life.systemd:
            return write_unit(named, output)
        if life.detach:
            return start_detached(named, output)
        key = options.pop("key")
        inner = ServerOptions(key=key, log_file=named.log, append_log=named.appends, **listen.place)
        entry = entry_of_group(named.name, group, listen.key_file, named.log)
        return run(group, ServiceOptions(inner, entry=entry, **options), output, once=life.once)


def run(group: ModelGroup, options: Any, output: Output, *, once: bool) -> int:
    """Start the models, say how they are reached, and look after them."""
    import gc
    from dataclasses import replace

    gc.enable()  # a server runs for days
    from gyakusan.serving.service import Service

    progress = terminal(output, stderr=output.json).progress()
    with closing(progress):
        server = replace(options.server, on_progress=progress)
        with Service(group, replace(options, server=server, on_event=told(output))) as running:
            progress.close()
            _ready(group, running, output, once=once)
            if not once:
                running.watch()
    return 0


def _ready(group: ModelGroup, running: Service, output: Output, *, once: bool) -> None:
    if output.json:
        from gyakusan.documents.served import served_group

        write_json(served_group(group, running), output, indent=None)
        return
    from gyakusan.show import served_models

    terminal(output).show(*served_models.ready(group, running, once=once))
