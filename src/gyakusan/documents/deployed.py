"""The JSON of `gyakusan deploy`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct, field

from gyakusan.deploying.cluster import Replicas
from gyakusan.documents.common import FigureJson, catalogue_date, figure
from gyakusan.planning.predict.speed import Estimate


class ApplicationJson(Struct, frozen=True, kw_only=True):
    """An application as Ray sees it.

    name: of the application
    state: RUNNING, DEPLOYING, UNHEALTHY ...
    replicas: state -> how many
    message: what Ray says of it, "" for nothing
    """

    name: str
    state: str
    replicas: Mapping[str, int]
    message: str


class DeployJson(Struct, frozen=True, kw_only=True):
    """What runs on a cluster: `gyakusan deploy --json`.

    schema: name and version of this form
    catalogue: date of the catalogue
    url: of the API of what was just deployed, null where nothing was
    throughput: output tokens of all people that the replicas serve, each asking again at once, prompts included: predicted,
        null where the speed of these computers is not known, and where nothing was deployed [tokens/s]
    applications: everything that Ray Serve runs
    """

    url: str | None
    throughput: FigureJson | None
    applications: tuple[ApplicationJson, ...]
    schema: Literal["gyakusan/deploy/1"] = "gyakusan/deploy/1"
    catalogue: str = field(default_factory=catalogue_date)


def deployed(found: Sequence[Replicas], url: str | None = None, expected: Estimate | None = None) -> DeployJson:
    """Return the document of what runs."""
    rows = tuple(ApplicationJson(name=a.name, state=a.state, replicas=a.replicas, message=a.message) for a in found)
    return DeployJson(url=url, throughput=None if expected is None else figure(expected), applications=rows)
