"""One llama.cpp over several nodes: what is written, judged by the tools, and what makes the tools fail."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.exports import judges

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.engines.deployment import Deployment
from gyakusan.errors import BadSetting
from gyakusan.exports.export import export
from gyakusan.exports.pod_resources import group_memory
from gyakusan.exports.settings import ExportSettings, exported, spanned
from gyakusan.units import GIB, MIB

IMAGE = "registry.example.org/llama.cpp:full-rpc"
THREE = ExportSettings(nodes=3, image=IMAGE, namespace="llm")


def asked(device: str = "RTX 4090", model: str = "llama3.3-70b") -> Deployment:
    return api.deployment(model, load=Load(2, 8192), device=device)


def written(settings: ExportSettings = THREE, device: str = "RTX 4090") -> list[dict[str, Any]]:
    text = export([asked(device)], "kubernetes", settings)
    assert judges.kubernetes(text) == ""
    return list(yaml.safe_load_all(text))


def of_kind(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [part for part in found if part["kind"] == kind]


def pods(found: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    (group,) = of_kind(found, "LeaderWorkerSet")
    template = group["spec"]["leaderWorkerTemplate"]
    return template["leaderTemplate"], template["workerTemplate"]


def test_the_leader_computes_on_the_workers_of_its_group() -> None:
    found = written()
    leader, worker = pods(found)
    (server,), (lends,) = leader["spec"]["containers"], worker["spec"]["containers"]
    assert server["command"] == ["/app/llama-server"]
    named = server["args"][server["args"].index("--rpc") + 1].split(",")
    assert named == [f"$(GYAKUSAN_POD)-{i}.llama3-3-70b.llm:50052" for i in (1, 2)]
    assert {"name": "GYAKUSAN_POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}} in server["env"]
    assert lends["command"] + lends["args"] == ["/app/ggml-rpc-server", "--host", "0.0.0.0", "--port", "50052"]
    assert server["args"][server["args"].index("--tensor-split") + 1].count(",") == 2
    (group,) = of_kind(found, "LeaderWorkerSet")
    assert group["spec"]["leaderWorkerTemplate"]["size"] == 3
    (service,) = of_kind(found, "Service")
    assert service["metadata"]["name"] != group["metadata"]["name"]  # else the pods of a group have no names


def test_only_a_leader_reaches_a_worker() -> None:
    found = written()
    leader, worker = pods(found)
    policies = of_kind(found, "NetworkPolicy")

    def matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
        return selector.get("matchLabels", {}).items() <= labels.items()

    of_leader, of_worker = leader["metadata"]["labels"], worker["metadata"]["labels"]
    (guard,) = [p for p in policies if matches(p["spec"]["podSelector"], of_worker)]
    (rule,) = guard["spec"]["ingress"]
    assert rule["ports"] == [{"port": 50052, "protocol": "TCP"}]
    (source,) = rule["from"]
    assert matches(source["podSelector"], of_leader)
    assert not matches(source["podSelector"], of_worker)
    (front,) = [p for p in policies if p is not guard]
    assert matches(front["spec"]["podSelector"], of_leader)
    assert not matches(front["spec"]["podSelector"], of_worker)
    assert [r["ports"][0]["port"] for r in front["spec"]["ingress"]] == [8080]


def test_a_worker_has_no_key_and_no_model() -> None:
    leader, worker = pods(written())
    (server,), (lends,) = leader["spec"]["containers"], worker["spec"]["containers"]
    assert any(e["name"] == "LLAMA_API_KEY" and "secretKeyRef" in e["valueFrom"] for e in server["env"])
    assert "env" not in lends
    assert "volumes" not in worker["spec"]
    assert "LLAMA_API_KEY" not in str(leader["spec"]["initContainers"])


def test_what_each_pod_asks_for_is_in_the_ledger() -> None:
    """On cards: the leader has the host's RAM, a worker its process and the largest tensor; on Sparks each its own part."""
    server = exported(asked(), THREE)
    leading, lending = group_memory(server)
    host = server.deployment.ledger.accounts[-1]
    assert 0 <= leading.request - float(host.total) <= 64 * MIB
    largest = max(t.bytes for t in server.deployment.model.tensors)
    assert largest < lending.request < largest + 200 * MIB
    sparks = exported(asked("DGX Spark"), ExportSettings(nodes=2, image=IMAGE))
    leading, lending = group_memory(sparks)
    worker, own = sparks.deployment.ledger.accounts
    assert own.of("weights") > 10 * GIB
    assert lending.request > float(worker.total) > 10 * GIB
    assert 0 <= leading.request - float(own.total) <= 64 * MIB
    leader, lends = pods(written())
    asks = [p["spec"]["containers"][0]["resources"] for p in (leader, lends)]
    assert [a["requests"]["nvidia.com/gpu"] for a in asks] == [1, 1]


def test_what_the_process_takes_is_charged_to_the_leader() -> None:
    worker, own = spanned(asked("DGX Spark"), ExportSettings(nodes=2, image=IMAGE)).ledger.accounts
    assert any(line.part == "overhead.process" for line in own.lines)
    assert not any(line.part == "overhead.process" for line in worker.lines)


@pytest.mark.parametrize(
    "change",
    [
        ("initContainers:", "initcontainers:"), ("fieldPath: metadata.name", "fieldpath: metadata.name"),
        ("fieldRef:", "fieldref:"), ("startupProbe:", "startProbe:"), ("size: 3", "size: three"),
        ("workerTemplate:", "workersTemplate:"), ("podSelector:", "podselector:"), ("containerPort: 50052", "containerPort: rpc"),
        ("exec:", "execute:"), ("secretKeyRef:", "secretRef:"), ("policyTypes:", "policyType:"),
        ("restartPolicy: Recreate", "restartPolicy: Recrete"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_found(change: tuple[str, str]) -> None:
    text = export([asked()], "kubernetes", THREE)
    assert change[0] in text
    assert judges.kubernetes(text.replace(*change))


@pytest.mark.parametrize(
    ("device", "settings", "said"),
    [
        ("RTX 4090", ExportSettings(nodes=18, image=IMAGE), "17 RPC workers are too many"),
        ("RTX 4090", ExportSettings(nodes=2), "built without RPC. Build one with it"),
        ("RTX 4090", ExportSettings(nodes=2, image="a b"), "no name of an image"),
        ("RTX 4090", ExportSettings(nodes=2, image="-x"), "no name of an image"),
        ("RTX 4090", ExportSettings(nodes=2, image=IMAGE, most_replicas=2), "spans machines"),
    ],
)
def test_what_cannot_be_written(device: str, settings: ExportSettings, said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        export([asked(device)], "kubernetes", settings)


def test_nodes_without_a_gpu() -> None:
    small = api.deployment("qwen3-8b", load=Load(1, 4096), device="cpu", memory="64GiB")
    with pytest.raises(BadSetting, match="no GPU that it could lend"):
        export([small], "kubernetes", ExportSettings(nodes=2, image=IMAGE))


def test_a_replica_reads_its_model_alone_and_several_share_it() -> None:
    (claim,) = of_kind(written(), "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    (claim,) = of_kind(written(ExportSettings(nodes=2, image=IMAGE, replicas=2)), "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_an_ingress_leads_to_the_leader() -> None:
    found = written(ExportSettings(nodes=2, image=IMAGE, host="llm.example.org"))
    (ingress,), (service,) = of_kind(found, "Ingress"), of_kind(found, "Service")
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend["name"] == service["metadata"]["name"] == "llama3-3-70b-leader"


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_the_leader_waits_for_every_worker() -> None:
    """The words of the manifest, as Kubernetes hands them on, against real ports."""
    leader, _ = pods(written())
    (waiting,) = leader["spec"]["initContainers"]
    script = waiting["args"][0].replace("$$", "$")
    first, second = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    ports = [s.getsockname()[1] for s in (first, second)]
    second.close()
    command = [*waiting["command"], script, "wait", *(f"127.0.0.1:{p}" for p in ports)]
    with subprocess.Popen(command) as started:
        try:
            time.sleep(1.0)
            assert started.poll() is None
            with socket.create_server(("127.0.0.1", ports[1])):
                assert started.wait(30) == 0
        finally:
            started.kill()
            first.close()


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc/net/tcp")
def test_the_probe_sees_a_port_that_listens_and_takes_no_connection() -> None:
    _, worker = pods(written())
    (container,) = worker["spec"]["containers"]
    command = container["readinessProbe"]["exec"]["command"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        here = [w.replace("C384", f"{listener.getsockname()[1]:04X}") for w in command]
        assert subprocess.run(here, check=False).returncode == 0
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert subprocess.run(here, check=False).returncode == 1
    assert f":{50052:04X} " in command[2]
