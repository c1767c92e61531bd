"""A deployment on Ray Serve: started, looked at, scaled, deleted.

Source: Ray 2.60 documentation, Serve: deployment options, autoscaling, serve.run, serve.status, serve.delete.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import time
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

from msgspec import Struct

from gyakusan.deploying.order import Order, order_of
from gyakusan.deploying.replica import Replica
from gyakusan.doors.files import text
from gyakusan.engines.deployment import Deployment
from gyakusan.errors import BadReference, GyakusanError, ServerError
from gyakusan.exports.pod_resources import pod_bytes
from gyakusan.exports.ray_serve import GRACE, HEALTH_PATIENCE, HEALTH_PERIOD, LLM_EXTRA, arguments, is_llm
from gyakusan.exports.settings import ExportSettings, check, service_name
from gyakusan.message import quoted

EXTRA = "pip install 'gyakusan[ray]'"
INGRESS = "OpenAiIngress"
"""What passes requests on to the servers of Ray Serve LLM: it counts as no replica."""
LONGEST_ROUTES = 2**20
"""Of the list of Ray's routes. [B]"""
PROXY_PATIENCE = 20.0
"""How long Ray's proxy may take to listen and to hear of an application that is ready. [s]"""

CONNECT_PATIENCE = 5.0
"""How long a cluster may take to accept a connection. [s]"""
LONGEST_ADDRESS = 300
"""Of what Ray wrote down. [B]"""


class Scale(Struct, frozen=True):
    """How many replicas, and where they are reached.

    replicas: at least
    most_replicas: up to how many where requests wait
    port: of Ray's proxy, on every computer of the cluster
    path: below which the application answers, "/" for the only one
    """

    replicas: int = 1
    most_replicas: int = 1
    port: int = 8000
    path: str = "/"


class Replicas(Struct, frozen=True):
    """An application as Ray sees it.

    name: of the application
    state: RUNNING, DEPLOYING, UNHEALTHY ...
    replicas: state -> how many
    message: what Ray says of it, "" for nothing
    """

    name: str
    state: str
    replicas: dict[str, int]
    message: str


def connect(address: str) -> Any:
    """Return Ray's `serve`, connected to a cluster. Raises ServerError without Ray or without a cluster."""
    try:
        import ray
        from ray import serve
    except ImportError as error:
        raise ServerError("Ray is not installed here.", command=EXTRA, mend="Run: {command}") from error
    if not ray.is_initialized():
        check_listening(address)
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise _no_cluster(address) from error
    return serve


def check_listening(address: str) -> None:
    """Raise ServerError where nothing listens at a cluster's address: Ray itself would ask it for a quarter of an hour.

    address: "HOST:PORT" or "auto", as Ray finds it: RAY_ADDRESS, else what `ray start` wrote down here, which stays behind
    where Ray was killed. Another notation is left to Ray.
    """
    named = address if address != "auto" else os.environ.get("RAY_ADDRESS", "") or _written_address()
    host, _, port = named.rpartition(":")
    if "/" in host or not host or not (port.isascii() and port.isdecimal()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_PATIENCE).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise _no_cluster(named) from error


def _written_address() -> str:
    """Return the address of the cluster that was started last on this computer, "" for none.

    Source: Ray 2.60, _common/utils.py, get_ray_address_file.
    """
    folders = (os.environ.get("RAY_TMPDIR"), os.environ.get("TMPDIR") if sys.platform.startswith("linux") else None)
    file = Path(next(filter(None, folders), "/tmp"), "ray", "ray_current_cluster")
    try:
        return text(file, LONGEST_ADDRESS).strip()
    except GyakusanError:
        return ""


def _no_cluster(address: str) -> ServerError:
    return ServerError(
        "No Ray cluster answers at {address}.", address=address,
        mend="Start one: ray start --head, and on the other computers ray start --address=HOST:6379",
    )  # fmt: skip


def computers() -> int:
    """Return how many computers the cluster has: several nodes of Ray may be one. At least 1."""
    import ray

    nodes: Any = ray.nodes
    return max(1, len({node.get("NodeManagerHostname") for node in nodes() if node.get("Alive")}))


def up(serve: Any, deployment: Deployment, typed: str, scale: Scale) -> str:
    """Start an application, or replace it replica by replica where it runs. Returns its name.

    A plan on vLLM is one of Ray Serve LLM, whose workers Ray places; another server is started by each replica itself.
    Raises BadSetting, ServerError.
    """
    settings = ExportSettings(scale.replicas, scale.most_replicas)
    check(settings)
    order = order_of(deployment, typed)
    name = service_name(Path(order.model).stem if order.model.endswith(".gguf") else order.model)
    build = llm_builder() if is_llm(deployment) else None
    serve.start(http_options={"host": "127.0.0.1", "port": scale.port, "location": "EveryNode"})
    try:
        if build is not None:
            application = build(arguments(deployment, settings))
        else:
            application = serve.deployment(Replica).options(**options_of(deployment, order, scale)).bind(order)
        serve.run(application, name=name, route_prefix=scale.path)
    except (RuntimeError, ValueError) as error:
        raise ServerError(
            "Ray did not start {name}: {error}", name=name, error=str(error).splitlines()[0][:300] if str(error) else "?",
            mend="See: gyakusan deploy status",
        ) from error  # fmt: skip
    _check_port(scale)
    return name


def llm_builder() -> Any:
    """Return what builds an application of Ray Serve LLM. Raises ServerError where it or vLLM is missing."""
    try:
        from ray.serve.llm import build_openai_app
    except ImportError as error:
        raise ServerError(
            "Ray Serve LLM cannot be used here: {problem}", problem=str(error).splitlines()[0][:200], command=LLM_EXTRA,
            mend="Run on every computer of the cluster: {command}",
        ) from error  # fmt: skip
    return build_openai_app


def _check_port(scale: Scale) -> None:
    """Raise ServerError where Ray Serve listens elsewhere: a cluster that serves already keeps its port."""
    end = time.monotonic() + PROXY_PATIENCE
    while scale.path not in (routes := _routes(scale.port)) and time.monotonic() < end:
        time.sleep(0.2)
    if scale.path not in routes:
        raise ServerError(
            "Ray Serve does not answer on port {port}: it runs already, on another one.", port=scale.port,
            mend="Give that port (--port), or end Ray Serve first: serve shutdown",
        )  # fmt: skip


def _routes(port: int) -> Mapping[str, Any]:
    """Return the paths that the proxy of this computer knows; none where it does not listen, or answers nonsense."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/routes", timeout=10) as answer:
            found = json.loads(answer.read(LONGEST_ROUTES))
    except (OSError, ValueError, HTTPException):
        return {}
    return found if isinstance(found, dict) else {}


def options_of(deployment: Deployment, order: Order, scale: Scale) -> dict[str, Any]:
    """Return what Ray is told: requests of one replica, its resources by the ledger, how it scales, its health."""
    gpus = len(deployment.machine.gpus)
    actor = {"num_cpus": 1, "num_gpus": gpus, "memory": pod_bytes(deployment, 1).request}
    found: dict[str, Any] = {
        "max_ongoing_requests": order.users,
        "ray_actor_options": actor,
        "health_check_period_s": HEALTH_PERIOD,
        "health_check_timeout_s": HEALTH_PATIENCE,
        "graceful_shutdown_timeout_s": GRACE,
    }
    if scale.most_replicas > 1:
        bounds = {"min_replicas": scale.replicas, "max_replicas": scale.most_replicas}
        return {**found, "autoscaling_config": {**bounds, "target_ongoing_requests": order.users}}
    return {**found, "num_replicas": scale.replicas}


def status(serve: Any) -> tuple[Replicas, ...]:
    """Return every application."""
    found = []
    for name, application in serve.status().applications.items():
        states: dict[str, int] = {}
        for part, deployment in application.deployments.items():
            if part == INGRESS:
                continue
            for state, count in deployment.replica_states.items():
                key = str(getattr(state, "value", state))
                states[key] = states.get(key, 0) + count
        found.append(
            Replicas(name, str(getattr(application.status, "value", application.status)), states, application.message)
        )
    return tuple(found)


def delete(serve: Any, name: str) -> None:
    """End an application and all its servers. Raises BadReference for a name that no application has."""
    names = [a.name for a in status(serve)]
    if name not in names:
        raise BadReference(
            "No application is called {name}.", name=quoted(name, 80), known=", ".join(names) or "-",
            mend="There are: {known}",
        )  # fmt: skip
    serve.delete(name)
