"""Pods of Kubernetes: what each manifest says of a server's container, its key, its probes and its resources."""

from __future__ import annotations

from typing import Any

from gyakusan.engines.base import Command
from gyakusan.exports.pod_resources import PodMemory, gpu_memory_needed, gpu_resource, pod_memory
from gyakusan.exports.settings import POD, Exported
from gyakusan.units import MIB

DOWNLOAD_MINUTES = 60
"""How long a pod may fetch and load its model before it counts as failed. [min]"""
LEADER, WORKER = "$(LWS_LEADER_ADDRESS)", "$(LWS_WORKER_INDEX)"
GPU_MEMORY_LABEL = "nvidia.com/gpu.memory"
"""Label of nodes with the memory of one GPU in MiB, by NVIDIA's GPU feature discovery."""
LEADER_ROLE = {"role": "leader"}
UNPRIVILEGED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
"""No container of ours needs more."""


def about(server: Exported, **more: Any) -> dict[str, Any]:
    """Return the metadata of a manifest."""
    labels = {"app.kubernetes.io/name": server.name, "app.kubernetes.io/managed-by": "gyakusan"}
    return {"name": server.name, "namespace": server.settings.namespace, "labels": labels, **more}


def chosen(server: Exported) -> dict[str, str]:
    """Return the label by which the server's pods are chosen."""
    return {"app.kubernetes.io/name": server.name}


def pod(server: Exported, words: tuple[str, ...], command: Command, *, answers: bool = True) -> dict[str, Any]:
    """Return the pod. answers: False for a worker, which no request reaches."""
    shared = server.container.shared_memory
    volumes: list[dict[str, Any]] = [{"name": "models", "persistentVolumeClaim": {"claimName": server.name}}]
    volumes += [{"name": "shm", "emptyDir": {"medium": "Memory"}}] if shared else []
    mounts = [{"name": "models", "mountPath": server.container.folder}]
    mounts += [{"name": "shm", "mountPath": "/dev/shm"}] if shared else []
    container = {
        "name": "server",
        "image": server.container.image,
        "args": [literal(w) for w in words],
        "env": environment(server, command),
        "ports": [{"name": "http", "containerPort": server.port}],
        **(probes(server) if answers else {}),
        "resources": resources(server),
        "securityContext": UNPRIVILEGED,
        "volumeMounts": mounts,
    }
    return pod_of(server, [{k: v for k, v in container.items() if v != []}], volumes)


def pod_of(server: Exported, containers: list[dict[str, Any]], volumes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a pod of these containers, on nodes whose GPUs have room."""
    made: dict[str, Any] = {
        "containers": containers,
        **({"volumes": volumes} if volumes else {}),
        "automountServiceAccountToken": False,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 60,
    }
    where = affinity(server)
    return {**made, "affinity": where} if where else made


def literal(word: str) -> str:
    """Return a word in which Kubernetes expands nothing but what we mean."""
    return word if word in (LEADER, WORKER) else word.replace("$", "$$").replace(POD.replace("$", "$$"), POD)


def environment(server: Exported, command: Command) -> list[dict[str, Any]]:
    """Return the variables of a container, the key from its secret."""
    found: list[dict[str, Any]] = [{"name": k, "value": literal(v)} for k, v in command.environment.items()]
    if server.key:
        found.append(
            {"name": server.key, "valueFrom": {"secretKeyRef": {"name": server.secret, "key": "key"}}},
        )
    return found


def probes(server: Exported) -> dict[str, Any]:
    """Return how Kubernetes sees that the server has loaded, answers, and lives."""
    get = {"httpGet": {"path": server.deployment.rules.HEALTH, "port": "http"}}
    return {
        "startupProbe": {**get, "periodSeconds": 10, "failureThreshold": DOWNLOAD_MINUTES * 6},
        "readinessProbe": {**get, "periodSeconds": 10, "timeoutSeconds": 5},
        "livenessProbe": {**get, "periodSeconds": 30, "timeoutSeconds": 10, "failureThreshold": 6},
    }


def resources(server: Exported, memory: PodMemory | None = None) -> dict[str, Any]:
    """Return what a pod asks for and may take. memory: None for an equal part of the ledger."""
    memory, (resource, gpus) = memory or pod_memory(server), gpu_resource(server)
    cards = {resource: gpus} if gpus else {}
    requests = {"cpu": "1", "memory": f"{memory.request // MIB}Mi", **cards}
    return {"requests": requests, "limits": {"memory": f"{memory.limit // MIB}Mi", **cards}}


def affinity(server: Exported) -> dict[str, Any]:
    """Return which nodes have GPUs with enough memory; only NVIDIA's labels tell."""
    resource, _ = gpu_resource(server)
    needed = gpu_memory_needed(server.deployment)
    if resource != "nvidia.com/gpu" or not needed:
        return {}
    enough = {"key": GPU_MEMORY_LABEL, "operator": "Gt", "values": [str(needed)]}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [enough]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
