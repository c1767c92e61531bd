"""gyakusan deploy: a plan on Ray Serve, over the computers of a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from gyakusan.cli.options import Output, People, Server, Where, Which, _, whole
from gyakusan.cli.starting import asked_for, check_sense
from gyakusan.cli.writing import draw, write_json
from gyakusan.errors import BadSetting
from gyakusan.message import quoted

if TYPE_CHECKING:
    from gyakusan.deploying.cluster import Replicas, Scale
    from gyakusan.engines.deployment import Deployment
    from gyakusan.planning.predict.speed import Estimate

app = App(name="deploy", help="Run a plan on a Ray cluster: start, look, scale, delete.", help_format="plaintext")
Cluster = Annotated[str, Parameter(help=_("Address of the Ray cluster, HOST:PORT; auto: the one that runs here."))]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Replicated:
    """How many replicas, and where they are reached."""

    replicas: Annotated[
        int, Parameter(converter=whole, help=_("Servers that answer the same; deploy again to change it."))
    ] = 1
    most_replicas: Annotated[int, Parameter(converter=whole, help=_("Up to so many where requests wait."))] = 1
    port: Annotated[int, Parameter(converter=whole, help=_("Port of Ray's proxy, on loopback of every computer."))] = (
        8000
    )
    path: Annotated[str, Parameter(help=_("Path below which it answers, for several models."))] = "/"

    @property
    def scale(self) -> Scale:
        """Return it for Ray. Raises BadSetting."""
        from gyakusan.deploying.cluster import Scale

        if not 1 <= self.port <= 65535:
            raise BadSetting("{key} cannot be {value}.", key="--port", value=self.port, mend="Give 1 to 65535.")
        if not self.path.startswith("/"):
            raise BadSetting(
                "{key} cannot be {value}.", key="--path", value=quoted(self.path, 80), mend="Begin with /."
            )
        return Scale(self.replicas, self.most_replicas, self.port, self.path)


@app.default
def deploy(
    model: Annotated[
        str, Parameter(help=_("A model of the catalogue, owner/name:TAG, or a plan: its number or file."))
    ],
    *,
    on: Annotated[Literal["ray"], Parameter(help=_("Engine that runs it on several computers."))] = "ray",
    replicated: Replicated = Replicated(),
    address: Cluster = "auto",
    people: People = People(),
    where: Where = Where(),
    which: Which = Which(),
    server: Server = Server(),
    output: Output = Output(),
) -> int:
    """Run `gyakusan deploy` and return its exit code."""
    from gyakusan.deploying import cluster
    from gyakusan.exports.ray_serve import check_copies, is_llm

    asked, scale = asked_for(model, people, where, which, server), replicated.scale
    if where != Where() and not is_llm(asked):
        raise BadSetting("Each computer of a cluster has its own devices.", mend="Leave out --device and the like.")
    check_sense(asked, model)
    if not asked.ledger.fits:
        raise BadSetting(
            "{model} does not fit on {machine}.", model=asked.name, machine=asked.machine.name,
            mend="See: gyakusan inspect, with the same options.",
        )  # fmt: skip
    if is_llm(asked):
        check_copies(asked)
    serve = cluster.connect(address)
    cluster.up(serve, asked, model, scale)
    base = scale.path.rstrip("/")
    url = f"http://127.0.0.1:{scale.port}{base}/v1"
    return _shown(cluster.status(serve), output, url, _expected(asked, scale.replicas, cluster.computers()))


@app.command(name="status", help="Show what Ray Serve runs.")
def status(*, address: Cluster = "auto", output: Output = Output()) -> int:
    """Run `gyakusan deploy status` and return its exit code."""
    from gyakusan.deploying import cluster

    return _shown(cluster.status(cluster.connect(address)), output)


@app.command(name="delete", help="End an application and all its servers.")
def delete(
    name: Annotated[str, Parameter(help=_("Name of the application, as status shows it."))],
    *,
    address: Cluster = "auto",
    output: Output = Output(),
) -> int:
    """Run `gyakusan deploy delete` and return its exit code."""
    from gyakusan.deploying import cluster

    serve = cluster.connect(address)
    cluster.delete(serve, name)
    return _shown(cluster.status(serve), output)


def _expected(asked: Deployment, replicas: int, computers: int) -> Estimate | None:
    """Return what the replicas answer together where each has as many people as the plan."""
    from gyakusan.api import assess
    from gyakusan.deploying.throughput import throughput

    turn = assess(asked).turn
    people = replicas * int(asked.load.users)
    return throughput(
        asked, replicas, people, prompt=turn.prompt, answer=turn.answer, computers=min(replicas, computers)
    )


def _shown(
    found: tuple[Replicas, ...], output: Output, url: str | None = None, expected: Estimate | None = None
) -> int:
    if output.json:
        from gyakusan.documents.deployed import deployed

        write_json(deployed(found, url, expected), output)
    else:
        from gyakusan.show.deployed import screen

        draw(*screen(found, url, expected), output=output)
    return 0 if all(a.state == "RUNNING" for a in found) else 1
