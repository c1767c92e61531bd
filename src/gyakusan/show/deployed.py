"""What runs on a cluster: each application with its replicas."""

from __future__ import annotations

from collections.abc import Sequence

from gyakusan.deploying.cluster import Replicas
from gyakusan.message import say
from gyakusan.planning.predict.speed import Estimate
from gyakusan.show.tree import Address, Column, Pause, Table, Text, Tree, whole


def screen(found: Sequence[Replicas], url: str | None = None, expected: Estimate | None = None) -> Tree:
    """Return a row for each application, where the new one is reached, and what its replicas should answer together."""
    if not found:
        return (Text(say("Nothing is deployed.")),)
    rows = tuple((whole(a.name), a.state, _replicas(a), a.message) for a in found)
    columns = (Column(say("application")), Column(say("state")), Column(say("replicas")), Column(kind="reason"))
    told = (Pause(), Address(say("OpenAI base URL: {url}", url=url))) if url is not None else ()
    return (Table(columns, rows), *told, *_expected(expected))


def _expected(figure: Estimate | None) -> Tree:
    if figure is None:
        return ()
    told = {"speed": f"{figure.value:.0f}", "low": f"{figure.low:.0f}", "high": f"{figure.high:.0f}"}
    sentence = say(
        "Expected of all replicas together: {speed} tokens/s ({low}-{high}, 80 %); bench measures it.", **told
    )
    return (Text(sentence),)


def _replicas(application: Replicas) -> str:
    return ", ".join(f"{n} {state}" for state, n in application.replicas.items())
