"""Kubernetes: a Deployment with its Service, storage and policy; a LeaderWorkerSet where several machines are one server.

Source: Kubernetes 1.37 API reference; kubernetes-sigs/lws 060ab4d, v1, and its documentation of LWS_LEADER_ADDRESS and
LWS_WORKER_INDEX; labels of NVIDIA's GPU feature discovery.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any

from gyakusan.engines.container import QueueMetric
from gyakusan.engines.yaml_text import documents
from gyakusan.errors import BadSetting
from gyakusan.exports import worker_set
from gyakusan.exports.pods import LEADER, LEADER_ROLE, WORKER, about, chosen, pod
from gyakusan.exports.settings import NEW_KEY, Comment, Exported, Written, arguments
from gyakusan.message import say
from gyakusan.units import GIB

LWS = "https://lws.sigs.k8s.io/docs/installation/"
QUEUED = 2
"""Waiting requests of a replica beyond which another one is started."""


def kubernetes(server: Exported) -> Written:
    """Return the manifests as one text. Raises BadSetting for a GPU without device plugin, and nodes that cannot be one."""
    if server.workers is not None:
        body = _set_of(server, worker_set.template(server))
        policies = worker_set.policies(server, _door(server))
    else:
        body = _leader_worker_set(server) if server.settings.nodes > 1 else _deployment(server)
        policies = [_policy(server)]
    more = [_autoscaler(server)] if server.settings.most_replicas > 1 else []
    more += [_ingress(server)] if server.settings.host else []
    return _head(server), documents(_claim(server), body, _service(server), *policies, *more)


def _head(server: Exported) -> tuple[Comment, ...]:
    """Return comments: what has to be there before."""
    d, space = server.deployment, server.settings.namespace
    lines: list[Comment] = [say("{model} on {engine}, written by gyakusan export.", model=d.name, engine=d.engine)]
    if server.key:
        lines += [say("The key has to be there first: {command}", command=NEW_KEY)]
        names = f"{server.secret} --namespace {space}"
        lines += [f"  kubectl create secret generic {names} --from-file=key=api-key.txt"]
    if server.settings.nodes > 1:
        lines += [say("The cluster needs LeaderWorkerSet: {address}", address=LWS)]
    if server.settings.most_replicas > 1:
        metric = server.queue
        assert metric is not None  # _autoscaler has refused it
        lines += [
            say(
                "The autoscaler needs prometheus-adapter, which has to offer {metric} as {name}.",
                metric=metric.name, name=_metric(metric),
            ),
            say("Prometheus has to show the key, and to be in {namespace} or admitted by the policy below.", namespace=space),
        ]  # fmt: skip
    if host := server.settings.host:
        lines += [
            say("{secret} has to hold the certificate of {host}: cert-manager makes it, or", secret=server.tls_secret, host=host),
            f"  kubectl create secret tls {server.tls_secret} --namespace {space} --cert=FILE --key=FILE",
            say("An answer flows for as long as it takes: the ingress controller has limits of its own."),
        ]  # fmt: skip
    return (*lines, *server.after("kubectl", "exec", "--namespace", space, f"deployment/{server.name}", "--"))


def _claim(server: Exported) -> dict[str, Any]:
    """Return the storage for the model's files: one and a half times their size, for a newer revision beside the old."""
    size = max(ceil(1.5 * server.deployment.model.bytes / GIB), 1)
    readers = 1 if server.workers is not None else server.settings.nodes  # workers are sent their part
    mode = "ReadWriteMany" if max(server.settings.most_replicas, readers) > 1 else "ReadWriteOnce"
    mode = "ReadWriteMany" if server.settings.replicas > 1 else mode
    spec = {"accessModes": [mode], "resources": {"requests": {"storage": f"{size}Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": about(server), "spec": spec}


def _deployment(server: Exported) -> dict[str, Any]:
    scaled = server.settings.most_replicas > 1
    spec = {
        **({} if scaled else {"replicas": server.settings.replicas}),
        "selector": {"matchLabels": chosen(server)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
        "template": {"metadata": {"labels": chosen(server)}, "spec": pod(server, server.words, server.command)},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": about(server), "spec": spec}


def _leader_worker_set(server: Exported) -> dict[str, Any]:
    """Return groups of pods that are one server each: the leader answers, the others compute."""
    rules, nodes = server.deployment.rules, server.settings.nodes
    commands = rules.spanning_commands(server.command, nodes, LEADER)
    leader, worker = (arguments(c, server.container) for c in commands[:2])
    ranked = tuple(WORKER if (mine, yours) == ("1", "0") else mine for mine, yours in _pairs(worker, leader))
    template = {
        "size": nodes,
        "restartPolicy": "RecreateGroupOnPodRestart",
        "leaderTemplate": {
            "metadata": {"labels": {**chosen(server), **LEADER_ROLE}},
            "spec": pod(server, leader, commands[0]),
        },
        "workerTemplate": {
            "metadata": {"labels": chosen(server)},
            "spec": pod(server, ranked, commands[1], answers=False),
        },
    }
    return _set_of(server, template)


def _set_of(server: Exported, template: dict[str, Any]) -> dict[str, Any]:
    spec = {"replicas": server.settings.replicas, "leaderWorkerTemplate": template}
    kind = {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet"}
    return {**kind, "metadata": about(server), "spec": spec}


def _pairs(worker: tuple[str, ...], leader: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield each word of a worker with the leader's word in its place."""
    for i, word in enumerate(worker):
        yield word, leader[i] if i < len(leader) else ""


def _service(server: Exported) -> dict[str, Any]:
    selector = {**chosen(server), **(LEADER_ROLE if server.settings.nodes > 1 else {})}
    spec = {"selector": selector, "ports": [{"name": "http", "port": server.port, "targetPort": "http"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": about(server, name=_service_name(server)), "spec": spec}


def _service_name(server: Exported) -> str:
    """Return the name of the service: another one than that of a LeaderWorkerSet.

    Under its own name the controller makes a headless service, by which the pods of a group find each other, but only
    where none has that name. Source: kubernetes-sigs/lws 060ab4d, pkg/utils/controller (CreateHeadlessServiceIfNotExists).
    """
    return f"{server.name}-leader" if server.settings.nodes > 1 else server.name


def _policy(server: Exported) -> dict[str, Any]:
    """Return who may reach the pods: those of the same namespace, and with an Ingress its controller, wherever it is."""
    ports = [] if server.settings.nodes > 1 else [{"port": server.port, "protocol": "TCP"}]
    inside = {"from": [{"podSelector": {}}], **({"ports": ports} if ports else {})}
    allowed = [inside, *_door(server)]
    spec = {"podSelector": {"matchLabels": chosen(server)}, "policyTypes": ["Ingress"], "ingress": allowed}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": about(server), "spec": spec}


def _door(server: Exported) -> list[dict[str, Any]]:
    """Return the rule that lets an ingress controller in, nothing without an Ingress."""
    if not server.settings.host:
        return []
    return [{"from": [{"namespaceSelector": {}}], "ports": [{"port": server.port, "protocol": "TCP"}]}]


def _ingress(server: Exported) -> dict[str, Any]:
    """Return how others reach the service by its name, encrypted only: a key is sent with each request."""
    host = server.settings.host
    backend = {"service": {"name": _service_name(server), "port": {"name": "http"}}}
    spec = {
        "tls": [{"hosts": [host], "secretName": server.tls_secret}],
        "rules": [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}],
    }
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": about(server), "spec": spec}


def _autoscaler(server: Exported) -> dict[str, Any]:
    """Return replicas that follow the queue. Raises BadSetting for an engine that does not tell its queue."""
    metric = server.queue
    if not metric or server.settings.nodes > 1:
        raise BadSetting(
            "{engine} does not tell how many requests wait, or spans machines here.", engine=server.deployment.engine,
            mend="Leave out --most-replicas and give --replicas.",
        )  # fmt: skip
    target = {"type": "AverageValue", "averageValue": str(QUEUED)}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": server.name},
        "minReplicas": server.settings.replicas,
        "maxReplicas": server.settings.most_replicas,
        "metrics": [{"type": "Pods", "pods": {"metric": {"name": _metric(metric)}, "target": target}}],
    }
    kind = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"}
    return {**kind, "metadata": about(server), "spec": spec}


def _metric(metric: QueueMetric) -> str:
    """Return the name as prometheus-adapter offers it: a colon is not allowed there."""
    return metric.name.replace(":", "_")
