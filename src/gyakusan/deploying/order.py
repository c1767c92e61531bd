"""What every computer of a cluster is told, so that it starts the same server with its own files and devices."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.engines.deployment import Deployment
from gyakusan.serving.model_files import model_file


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
    model = str(Path(model).resolve()) if Path(model).exists() else model
    named = deployment.quantization if deployment.model.catalogue_name else None
    load = deployment.load
    return Order(model, named, deployment.engine, int(load.users), int(load.context), dict(deployment.changes))


def deployed(order: Order) -> Deployment:
    """Return the deployment of an order on this computer. Raises GyakusanError."""
    return api.deployment(
        order.model, quantization=order.quantization, load=Load(order.users, order.context),
        settings=dict(order.changes), server=order.engine, offline=True,
    )  # fmt: skip


def file_of(deployment: Deployment, order: Order) -> Path:
    """Return what the server of this computer is given as its model. Raises BadReference where it has none."""
    return Path(model_file(deployment, order.model, f"gyakusan get {order.model} --engine {order.engine}"))
