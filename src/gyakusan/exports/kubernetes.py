"""Kubernetes: a Deployment with its Service, storage and policy; a LeaderWorkerSet where several machines are one server.

Source: Kubernetes 1.37 API reference; kubernetes-sigs/lws 060ab4d, v1, and its documentation of LWS_LEADER_ADDRESS and
LWS_WORKER_INDEX; labels of NVIDIA's GPU feature discovery.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any

from gyakusan.engines.base import Command
from gyakusan.engines.container import QueueMetric
from gyakusan.engines.yaml_text import documents
from gyakusan.errors import BadSetting
from gyakusan.exports.settings import (
    NEW_KEY,
    Exported,
    arguments,
    gpu_memory_needed,
    gpu_resource,
    pod_memory,
)
from gyakusan.units import GIB, MIB

DOWNLOAD_MINUTES = 60
"""How long a pod may fetch and load its model before it counts as failed. [min]"""
LEADER, WORKER = "$(LWS_LEADER_ADDRESS)", "$(LWS_WORKER_INDEX)"
QUEUED = 2
"""Waiting requests of a replica beyond which another one is started."""
GPU_MEMORY_LABEL = "nvidia.com/gpu.memory"
"""Label of nodes with the memory of one GPU in MiB, by NVIDIA's GPU feature discovery."""
LEADER_ROLE = {"role": "leader"}


def kubernetes(server: Exported) -> str:
    """Return the manifests as one text. Raises BadSetting for a GPU without device plugin, and nodes that cannot be one."""
    body = _leader_worker_set(server) if server.settings.nodes > 1 else _deployment(server)
    more = [_autoscaler(server)] if server.settings.most_replicas > 1 else []
    more += [_ingress(server)] if server.settings.host else []
    return _head(server) + documents(_claim(server), body, _service(server), _policy(server), *more)


def _head(server: Exported) -> str:
    """Return comments: what has to be there before."""
    lines = [f"{server.deployment.name} on {server.deployment.engine}, written by gyakusan export."]
    if server.key:
        lines += [f"The key has to be there first: {NEW_KEY}"]
        names = f"{server.secret} --namespace {server.settings.namespace}"
        lines += [f"  kubectl create secret generic {names} --from-file=key=api-key.txt"]
    if server.settings.nodes > 1:
        lines += ["The cluster needs LeaderWorkerSet: https://lws.sigs.k8s.io/docs/installation/"]
    if server.settings.most_replicas > 1:
        metric = server.queue
        assert metric is not None  # _autoscaler has refused it
        lines += [
            f"The autoscaler needs prometheus-adapter, which has to offer {metric.name} as {_metric(metric)}.",
            f"Prometheus has to show the key, and to be in {server.settings.namespace} or admitted by the policy below.",
        ]
    if server.settings.host:
        lines += [
            f"{server.tls_secret} has to hold the certificate of {server.settings.host}: cert-manager makes it, or",
            f"  kubectl create secret tls {server.tls_secret} --namespace {server.settings.namespace} --cert=FILE --key=FILE",
            "An answer flows for as long as it takes: the ingress controller has limits of its own",
        ]
    lines += server.after(
        "kubectl", "exec", "--namespace", server.settings.namespace, f"deployment/{server.name}", "--"
    )
    return "".join(f"# {line}\n" for line in lines)


def _about(server: Exported, **more: Any) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": server.name, "app.kubernetes.io/managed-by": "gyakusan"}
    return {"name": server.name, "namespace": server.settings.namespace, "labels": labels, **more}


def _chosen(server: Exported) -> dict[str, str]:
    return {"app.kubernetes.io/name": server.name}


def _claim(server: Exported) -> dict[str, Any]:
    """Return the storage for the model's files: one and a half times their size, for a newer revision beside the old."""
    size = max(ceil(1.5 * server.deployment.model.bytes / GIB), 1)
    mode = "ReadWriteMany" if max(server.settings.most_replicas, server.settings.nodes) > 1 else "ReadWriteOnce"
    mode = "ReadWriteMany" if server.settings.replicas > 1 else mode
    spec = {"accessModes": [mode], "resources": {"requests": {"storage": f"{size}Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": _about(server), "spec": spec}


def _deployment(server: Exported) -> dict[str, Any]:
    scaled = server.settings.most_replicas > 1
    spec = {
        **({} if scaled else {"replicas": server.settings.replicas}),
        "selector": {"matchLabels": _chosen(server)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
        "template": {"metadata": {"labels": _chosen(server)}, "spec": _pod(server, server.words, server.command)},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _about(server), "spec": spec}


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
            "metadata": {"labels": {**_chosen(server), **LEADER_ROLE}},
            "spec": _pod(server, leader, commands[0]),
        },
        "workerTemplate": {
            "metadata": {"labels": _chosen(server)},
            "spec": _pod(server, ranked, commands[1], answers=False),
        },
    }
    spec = {"replicas": server.settings.replicas, "leaderWorkerTemplate": template}
    kind = {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet"}
    return {**kind, "metadata": _about(server), "spec": spec}


def _pairs(worker: tuple[str, ...], leader: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield each word of a worker with the leader's word in its place."""
    for i, word in enumerate(worker):
        yield word, leader[i] if i < len(leader) else ""


def _pod(server: Exported, words: tuple[str, ...], command: Command, *, answers: bool = True) -> dict[str, Any]:
    """Return the pod. answers: False for a worker, which no request reaches."""
    shared = server.container.shared_memory
    volumes: list[dict[str, Any]] = [{"name": "models", "persistentVolumeClaim": {"claimName": server.name}}]
    volumes += [{"name": "shm", "emptyDir": {"medium": "Memory"}}] if shared else []
    mounts = [{"name": "models", "mountPath": server.container.folder}]
    mounts += [{"name": "shm", "mountPath": "/dev/shm"}] if shared else []
    container = {
        "name": "server",
        "image": server.container.image,
        "args": [_literal(w) for w in words],
        "env": _environment(server, command),
        "ports": [{"name": "http", "containerPort": server.port}],
        **(_probes(server) if answers else {}),
        "resources": _resources(server),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": mounts,
    }
    pod: dict[str, Any] = {
        "containers": [{k: v for k, v in container.items() if v != []}],
        "volumes": volumes,
        "automountServiceAccountToken": False,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 60,
    }
    affinity = _affinity(server)
    return {**pod, "affinity": affinity} if affinity else pod


def _literal(word: str) -> str:
    """Return a word in which Kubernetes expands nothing but the two that we mean."""
    return word if word in (LEADER, WORKER) else word.replace("$", "$$")


def _environment(server: Exported, command: Command) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"name": k, "value": _literal(v)} for k, v in command.environment.items()]
    if server.key:
        found.append(
            {"name": server.key, "valueFrom": {"secretKeyRef": {"name": server.secret, "key": "key"}}},
        )
    return found


def _probes(server: Exported) -> dict[str, Any]:
    """Return how Kubernetes sees that the server has loaded, answers, and lives."""
    get = {"httpGet": {"path": server.deployment.rules.HEALTH, "port": "http"}}
    return {
        "startupProbe": {**get, "periodSeconds": 10, "failureThreshold": DOWNLOAD_MINUTES * 6},
        "readinessProbe": {**get, "periodSeconds": 10, "timeoutSeconds": 5},
        "livenessProbe": {**get, "periodSeconds": 30, "timeoutSeconds": 10, "failureThreshold": 6},
    }


def _resources(server: Exported) -> dict[str, Any]:
    memory, (resource, gpus) = pod_memory(server), gpu_resource(server)
    cards = {resource: gpus} if gpus else {}
    requests = {"cpu": "1", "memory": f"{memory.request // MIB}Mi", **cards}
    return {"requests": requests, "limits": {"memory": f"{memory.limit // MIB}Mi", **cards}}


def _affinity(server: Exported) -> dict[str, Any]:
    """Return which nodes have GPUs with enough memory; only NVIDIA's labels tell."""
    resource, _ = gpu_resource(server)
    needed = gpu_memory_needed(server.deployment)
    if resource != "nvidia.com/gpu" or not needed:
        return {}
    enough = {"key": GPU_MEMORY_LABEL, "operator": "Gt", "values": [str(needed)]}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [enough]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def _service(server: Exported) -> dict[str, Any]:
    selector = {**_chosen(server), **(LEADER_ROLE if server.settings.nodes > 1 else {})}
    spec = {"selector": selector, "ports": [{"name": "http", "port": server.port, "targetPort": "http"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _about(server), "spec": spec}


def _policy(server: Exported) -> dict[str, Any]:
    """Return who may reach the pods: those of the same namespace, and with an Ingress its controller, wherever it is."""
    ports = [] if server.settings.nodes > 1 else [{"port": server.port, "protocol": "TCP"}]
    inside = {"from": [{"podSelector": {}}], **({"ports": ports} if ports else {})}
    door = {"from": [{"namespaceSelector": {}}], "ports": [{"port": server.port, "protocol": "TCP"}]}
    allowed = [inside, door] if server.settings.host else [inside]
    spec = {"podSelector": {"matchLabels": _chosen(server)}, "policyTypes": ["Ingress"], "ingress": allowed}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": _about(server), "spec": spec}


def _ingress(server: Exported) -> dict[str, Any]:
    """Return how others reach the service by its name, encrypted only: a key is sent with each request."""
    host = server.settings.host
    backend = {"service": {"name": server.name, "port": {"name": "http"}}}
    spec = {
        "tls": [{"hosts": [host], "secretName": server.tls_secret}],
        "rules": [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}],
    }
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": _about(server), "spec": spec}


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
    about = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": _about(server)}
    return {**about, "spec": spec}


def _metric(metric: QueueMetric) -> str:
    """Return the name as prometheus-adapter offers it: a colon is not allowed there."""
    return metric.name.replace(":", "_")
