"""What every computer of a cluster is told, so that it starts the same server with its own files and devices."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.engines.deployment import Deployment
from gyakusan.errors import BadReference
from gyakusan.fetching.find import PACKAGED, find_files


class Order(Struct, frozen=True):
    """A deployment in plain values.

    model: as a person names it: of the catalogue, a reference, or a file that every computer has at the same place
    quantization: the engine's name of the format, None for the model's own
    engine: its name
    users: people whom one server answers at once
    context: of each of them [tokens]
    changes: settings that were given
    """

    model: str
    quantization: str | None
    engine: str
    users: int
    context: int
    changes: Mapping[str, object]


def order_of(deployment: Deployment, typed: str) -> Order:
    """Return the order of a deployment. typed: the model as it was named, or a plan."""
    model = deployment.model.catalogue_name or typed
    named = deployment.quantization if deployment.model.catalogue_name else None
    load = deployment.load
    return Order(model, named, deployment.engine, int(load.users), int(load.context), dict(deployment.changes))


def deployed(order: Order) -> Deployment:
    """Return the deployment of an order on this computer. Raises GyakusanError."""
    return api.deployment(
        order.model, quantization=order.quantization, load=Load(order.users, order.context),
        settings=dict(order.changes), server=order.engine, offline=True,
    )  # fmt: skip


def file_of(deployment: Deployment) -> Path:
    """Return where this computer keeps the model's files. Raises BadReference where it has none."""
    source = Path(deployment.model.source)
    if source.is_file() or source.is_dir():
        return source
    if deployment.model.name == PACKAGED:
        from gyakusan.models.embedded import embedded

        return embedded()
    found = find_files(deployment)
    if found is None:
        raise BadReference(
            "The files of {name} are not on this computer.", name=deployment.name,
            command=f"gyakusan get {deployment.name}", mend="Fetch them: {command}",
        )  # fmt: skip
    return found.path
