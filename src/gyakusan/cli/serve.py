"""gyakusan serve: start the planned endpoint and check the prediction."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from msgspec import structs

from gyakusan.cli.dry_run import check_front, name_of, print_unit, warn_of_refusals
from gyakusan.cli.options import Output, People, Server, Sharing, Where, Which, _
from gyakusan.cli.starting import Life, Listen, asked_for, check_sense, key_in, model_file, refuse, told
from gyakusan.cli.workers import Lent, with_workers
from gyakusan.cli.writing import draw, terminal, write_json
from gyakusan.message import say

if TYPE_CHECKING:
    from gyakusan.engines.deployment import Deployment
    from gyakusan.serving.running_servers import RunningServer
    from gyakusan.serving.server import ServerOptions
    from gyakusan.serving.service import Service, ServiceOptions
    from gyakusan.serving.tls import Tls
    from gyakusan.serving.workers import Workers

app = App(name="serve", help="Start the planned endpoint and check the prediction.", help_format="plaintext")


What = Annotated[
    str,
    Parameter(
        help=_(
            "A model of the catalogue, owner/name:TAG, a GGUF file, a checkpoint's folder, or a plan: its number or file."
        )
    ),
]


More = Annotated[
    str, Parameter(help=_("Further models behind the same address; requests name the one that they want."))
]


@app.default
def serve(
    model: What = "smollm2",
    *more: More,
    listen: Listen = Listen(),
    anyway: Annotated[bool, Parameter(help=_("Start even if the plan does not fit."), negative="")] = False,
    life: Life = Life(),
    people: People = People(),
    where: Where = Where(),
    which: Which = Which(),
    server: Server = Server(),
    sharing: Sharing = Sharing(),
    lent: Lent = Lent(),
    output: Output = Output(),
) -> int:
    """Run `gyakusan serve` and return its exit code."""
    listen.check(several=bool(more))
    life.check()
    key = key_in(listen.key_file)
    if more:
        lent.check_one()
        from gyakusan.cli.serve_several import Several, serve_several

        several = Several((model, *more), (people, where, which, server), sharing, lent, anyway)
        return serve_several(several, listen, life, key, output)
    with lent.workers(which.engine, model) as workers:
        asked = asked_for(model, people, where, which, server)
        if workers is not None:
            asked = with_workers(asked, workers, where, life, output)
        lent.check(asked)
        if life.dry_run:
            tls = check_front(listen, sharing)
            refused = warn_of_refusals(asked, model, output, anyway=anyway)
            return max(int(refused), _dry_run(asked, model, listen, life, workers, tls, output))
        if not anyway:
            check_sense(asked, model)
        path = model_file(asked, model)
        if not anyway and not asked.ledger.fits:
            return refuse(asked, output)
        return _start(Start(asked, model, path, key, workers), listen, life, sharing, output)


@dataclass(frozen=True, slots=True)
class Start:
    """One model to start.

    asked: what is planned for it
    typed: as it was typed
    path: of its files
    key: that clients have to show, None for none
    workers: that lend devices of other computers, None for none
    """

    asked: Deployment
    typed: str
    path: str
    key: str | None = field(repr=False)
    workers: Workers | None = None

    def noted(self, entry: RunningServer) -> RunningServer:
        """Return what is written down of the server, with its workers."""
        return entry if self.workers is None else structs.replace(entry, workers=self.workers.names)


def _start(one: Start, listen: Listen, life: Life, sharing: Sharing, output: Output) -> int:
    from gyakusan.cli.detach import start_detached
    from gyakusan.cli.unit import write_unit
    from gyakusan.serving.background import Named
    from gyakusan.serving.server import ServerOptions

    asked, tls = one.asked, listen.tls
    named = Named.of(name_of(asked, one.typed), life.name, life.log_file)
    with closing(named):
        if life.systemd:
            return write_unit(named, output)
        if life.detach:
            return start_detached(named, output)
        inner = ServerOptions(key=one.key, log_file=named.log, append_log=named.appends, **listen.place)
        entry = one.noted(named.entry(asked, listen.key_file))
        options = _service_options(one, inner, sharing, entry, tls)
        return _run(asked, one.path, options, output, once=life.once)


def _service_options(
    one: Start, inner: ServerOptions, sharing: Sharing, entry: RunningServer, tls: Tls | None
) -> ServiceOptions:
    from gyakusan.serving.front.people import place
    from gyakusan.serving.service import ServiceOptions, default_limits

    people_keys = place() if sharing.people_keys else None
    limits = default_limits(one.asked, **sharing.changes)
    return ServiceOptions(
        inner, limits, sharing.allow_host, people_keys=people_keys, entry=entry, tls=tls, workers=one.workers
    )


def _dry_run(
    asked: Deployment, typed: str, listen: Listen, life: Life, workers: Workers | None, tls: Tls | None, output: Output
) -> int:
    """Show what would be started, with --systemd its unit. 0 if it runs and has room. A port of 0 is one that is free now."""
    if life.systemd and not output.json:
        print_unit(name_of(asked, typed), life)
        return 0 if asked.ledger.fits and not asked.refusals else 1
    from gyakusan.serving.access import free_port
    from gyakusan.serving.dry_run import dry_run, front_url

    found = dry_run(asked, listen.port or free_port(listen.host))
    url = front_url(listen.host, found.port, tls)
    first = () if workers is None else workers.commands
    if output.json:
        from gyakusan.documents.served import dry_run as document

        write_json(document(found, url, first), output)
    else:
        from gyakusan.show import served

        shown = (
            *served.started_first(first),
            *served.dry_run(found),
            *served.behind_front(listen.host, url, encrypted=tls is not None),
        )
        draw(*shown, output=output)
    return 0 if found.ready else 1


def _run(asked: Deployment, path: str, options: ServiceOptions, output: Output, *, once: bool) -> int:
    import gc
    from dataclasses import replace

    gc.enable()  # a server runs for days
    from gyakusan.serving.service import Service

    progress = terminal(output, stderr=output.json).progress()
    with closing(progress):
        server = replace(options.server, on_progress=progress)
        with Service(asked, replace(options, server=server, on_event=told(output)), path) as running:
            progress.close()
            _ready(asked, running, output, once=once)
            if not once:
                running.watch()
    return 0


def _ready(asked: Deployment, running: Service, output: Output, *, once: bool) -> None:
    """Print how the server is reached, and what its memory is beside the prediction."""
    from gyakusan.serving.buffer_comparison import compare_deployment

    rows, entry = compare_deployment(asked, running.report), running.entry
    assert entry is not None
    if output.json:
        from gyakusan.documents.served import served

        document = served(running.url, rows, running.report, asked.rules.VERSION, entry.bytes, running.resident)
        write_json(document, output, indent=None)
        return
    from gyakusan.serving.model_group import growing_memory, planned_memory
    from gyakusan.show.served import build, growth, memory, unencrypted
    from gyakusan.show.servers import steps
    from gyakusan.show.tree import Address, Next, Text

    screen = terminal(output)
    screen.show(build(running.report.version, asked.rules.VERSION))
    screen.show(memory(rows, entry.bytes, running.resident), *growth(planned_memory(asked), growing_memory(asked)))
    screen.show(Address(say("OpenAI base URL: {url}", url=running.url)))
    if running.lan_url:
        screen.show(Address(say("Other computers reach it at {url}", url=running.lan_url)))
        screen.show(*(() if running.options.tls is not None else (unencrypted(),)))
    if running.key_path:
        screen.show(Address(say("The API key is in {path}", path=running.key_path)))
    screen.show(Address(running.curl()))
    if not once:
        screen.show(Text(say("Ctrl-C stops it.")), Next(steps(entry)))
