"""Groups of pods in which a server computes on the GPUs of workers that take no part in anything else.

The leader is the server; it finds its workers by the names of the group's pods and is the only one that may reach them: their
protocol has no password and no encryption. Source: kubernetes-sigs/lws 060ab4d; llama.cpp b11434, ggml-rpc.cpp.
"""

from __future__ import annotations

from typing import Any

from gyakusan.engines.server import WorkerModule
from gyakusan.engines.service_files import EVERYWHERE
from gyakusan.errors import BadSetting
from gyakusan.exports.pod_resources import group_memory
from gyakusan.exports.pods import (
    LEADER_ROLE,
    UNPRIVILEGED,
    about,
    chosen,
    environment,
    literal,
    pod_of,
    probes,
    resources,
)
from gyakusan.exports.settings import POD, Exported, worker_addresses
from gyakusan.units import MIB

WORKER_ROLE = {"role": "worker"}
_WAIT = 'for a in "$@"; do until (exec 3<>"/dev/tcp/${a%:*}/${a##*:}") 2>/dev/null; do sleep 2; done; done'
"""Waits until every address listens: a server that finds no worker ends, and the whole group is made anew. Needs bash."""
_WAITING = 64 * MIB
"""Memory of what waits. [B]"""


def template(server: Exported) -> dict[str, Any]:
    """Return the leaderWorkerTemplate. When a pod of a group ends, all of it starts again. Raises BadSetting."""
    module = server.workers
    assert module is not None  # the caller has asked
    if server.settings.nodes > module.MOST + 1:
        raise BadSetting(
            "{n} RPC workers are too many.", n=server.settings.nodes - 1, most=module.MOST, nodes=module.MOST + 1,
            mend="A server takes up to {most}: --nodes {nodes}.",
        )  # fmt: skip
    leader = {"metadata": {"labels": {**chosen(server), **LEADER_ROLE}}, "spec": _leader(server, module)}
    worker = {"metadata": {"labels": {**chosen(server), **WORKER_ROLE}}, "spec": _worker(server, module)}
    return {
        "size": server.settings.nodes,
        "restartPolicy": "RecreateGroupOnPodRestart",
        "leaderTemplate": leader,
        "workerTemplate": worker,
    }


def _leader(server: Exported, module: WorkerModule) -> dict[str, Any]:
    """Return the pod of the server, which starts once its workers listen."""
    name = {"name": POD[2:-1], "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    addresses = worker_addresses(server.deployment, server.settings, module.PORT)
    words = [literal(w) for w in (_WAIT, "wait", *addresses)]
    small = {"cpu": "100m", "memory": f"{_WAITING // MIB}Mi"}
    waiting = {
        "name": "wait-for-workers",
        "image": server.container.image,
        "command": ["bash", "-c"],
        "args": words,
        "env": [name],
        "resources": {"requests": small, "limits": small},
        "securityContext": UNPRIVILEGED,
    }
    container = {
        "name": "server",
        "image": server.container.image,
        "command": [module.PLACE + module.SERVER],
        "args": [literal(w) for w in server.words],
        "env": [name, *environment(server, server.command)],
        "ports": [{"name": "http", "containerPort": server.port}],
        **probes(server),
        "resources": resources(server, group_memory(server)[0]),
        "securityContext": UNPRIVILEGED,
        "volumeMounts": [{"name": "models", "mountPath": server.container.folder}],
    }
    volumes = [{"name": "models", "persistentVolumeClaim": {"claimName": server.name}}]
    return {"initContainers": [waiting], **pod_of(server, [container], volumes)}


def _worker(server: Exported, module: WorkerModule) -> dict[str, Any]:
    """Return the pod of a worker: no key, no model, no service. It takes one connection, so that no probe may take it."""
    program, *words = module.words(EVERYWHERE, module.PORT)
    listens = {"exec": {"command": ["grep", "-q", f":{module.PORT:04X} 00000000:0000 0A", "/proc/net/tcp"]}}
    container = {
        "name": "worker",
        "image": server.container.image,
        "command": [module.PLACE + program],
        "args": words,
        "ports": [{"name": "rpc", "containerPort": module.PORT}],
        "startupProbe": {**listens, "periodSeconds": 5, "failureThreshold": 60},
        "readinessProbe": {**listens, "periodSeconds": 10},
        "livenessProbe": {**listens, "periodSeconds": 30, "failureThreshold": 6},
        "resources": resources(server, group_memory(server)[1]),
        "securityContext": UNPRIVILEGED,
    }
    return pod_of(server, [container], [])


def policies(server: Exported, door: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return who may reach the pods: the leader's port those of the namespace, a worker's only a leader.

    door: rules for an ingress controller
    """
    module = server.workers
    assert module is not None  # the caller has asked
    ports = [{"port": server.port, "protocol": "TCP"}]
    inside = {"from": [{"podSelector": {}}], "ports": ports}
    leads = {"podSelector": {"matchLabels": {**chosen(server), **LEADER_ROLE}}}
    computes = {"podSelector": {"matchLabels": {**chosen(server), **WORKER_ROLE}}}
    rule = {"from": [leads], "ports": [{"port": module.PORT, "protocol": "TCP"}]}
    return [
        _policy(about(server), {**leads, "ingress": [inside, *door]}),
        _policy(about(server, name=f"{server.name}-workers"), {**computes, "ingress": [rule]}),
    ]


def _policy(metadata: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    kind = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
    return {**kind, "metadata": metadata, "spec": {**spec, "policyTypes": ["Ingress"]}}
