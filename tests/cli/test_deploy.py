"""gyakusan deploy: what it says without Ray, without a cluster, and of a plan that does not fit."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from gyakusan.cli import main
from gyakusan.deploying import cluster, throughput
from gyakusan.deploying.cluster import Replicas
from gyakusan.planning.predict.speed import Estimate

SMALL = ("deploy", "smollm2", "--context", "2k", "--cpu")


class FakeServe:
    """Stands in for Ray Serve, which needs a cluster: tests/deploying/test_cluster.py runs a real one."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, str]] = []
        self.deleted: list[str] = []

    def start(self, http_options: dict[str, Any]) -> None:
        self.http = http_options

    def deployment(self, kind: type) -> Any:
        return self

    def options(self, **options: Any) -> Any:
        self.asked = options
        return self

    def bind(self, order: Any) -> Any:
        return order

    def run(self, order: Any, name: str, route_prefix: str) -> None:
        self.ran.append((name, route_prefix))

    def delete(self, name: str) -> None:
        self.deleted.append(name)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> FakeServe:
    fake = FakeServe()
    found = (Replicas("smollm2", "RUNNING", {"RUNNING": 2}, ""),)
    monkeypatch.setattr(cluster, "connect", lambda address: fake)
    monkeypatch.setattr(cluster, "_check_port", lambda scale: None)
    monkeypatch.setattr(cluster, "computers", lambda: 1)
    monkeypatch.setattr(cluster, "status", lambda serve: () if serve.deleted else found)
    return fake


def test_a_plan_is_deployed(serve: FakeServe, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--users", "3", "--replicas", "2", "--port", "8100", "--path", "/small"]) == 0
    assert serve.ran == [("smollm2", "/small")]
    assert serve.http == {"host": "127.0.0.1", "port": 8100, "location": "EveryNode"}
    assert serve.asked["num_replicas"] == 2
    assert serve.asked["max_ongoing_requests"] == 3
    assert serve.asked["ray_actor_options"]["memory"] > 2**26
    assert "http://127.0.0.1:8100/small/v1" in capsys.readouterr().out


def test_what_the_replicas_answer_together_is_said(
    serve: FakeServe, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []

    def known(_deployment: object, *counts: int, computers: int, **_turn: float) -> Estimate:
        asked.append((*counts, computers))
        return Estimate(96.4, 48.2, 192.8, "derived", "", None)

    monkeypatch.setattr(throughput, "throughput", known)
    monkeypatch.setattr(cluster, "computers", lambda: 5)
    command = [*SMALL, "--users", "3", "--replicas", "2"]
    assert main(command) == 0
    assert "together: 96 tokens/s (48-193, 80 %)" in " ".join(capsys.readouterr().out.split())
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["throughput"]["value"] == 96.4
    assert asked == [(2, 6, 2)] * 2
    monkeypatch.setattr(throughput, "throughput", lambda *_, **__: None)
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["throughput"] is None


def test_replicas_follow_the_queue(serve: FakeServe) -> None:
    assert main([*SMALL, "--most-replicas", "4"]) == 0
    assert serve.asked["autoscaling_config"] == {"min_replicas": 1, "max_replicas": 4, "target_ongoing_requests": 1}


def test_it_is_looked_at_and_deleted(serve: FakeServe, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "status"]) == 0
    assert "2 RUNNING" in capsys.readouterr().out
    assert main(["deploy", "delete", "nosuch"]) == 2
    assert "There are: smollm2" in capsys.readouterr().err
    assert main(["deploy", "delete", "smollm2"]) == 0
    assert "Nothing is deployed." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*SMALL, "--port", "0"], "--port cannot be 0"),
        ([*SMALL, "--path", "small"], "Begin with /."),
        ([*SMALL, "--replicas", "3", "--most-replicas", "2"], "Raise --most-replicas"),
        ([*SMALL, "--on", "kubernetes"], "ray"),
        ([*SMALL, "--replicas", "0"], "--replicas takes 1 to 1,000"),
        ([*SMALL, "--device", "RTX 4090"], "its own devices"),
    ],
)
def test_errors_name_the_mend(
    serve: FakeServe, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert said in capsys.readouterr().err


LLM = ("deploy", "qwen3-8b", "--engine", "vllm", "--device", "2x L40S", "--users", "6", "--context", "8k")


def test_a_plan_on_vllm_is_one_of_ray_serve_llm(serve: FakeServe, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Any] = []
    monkeypatch.setattr(cluster, "llm_builder", lambda: lambda config: built.append(config) or "application")
    assert main([*LLM, "--replicas", "2", "--path", "/qwen"]) == 0
    assert serve.ran == [("qwen3-8b", "/qwen")]
    (config,) = built[0]["llm_configs"]
    assert config["accelerator_type"] == "L40S"
    assert config["engine_kwargs"]["max_model_len"] == 8192
    assert config["deployment_config"]["num_replicas"] == 2
    assert config["deployment_config"]["max_ongoing_requests"] == 6


def test_without_ray_serve_llm(
    serve: FakeServe, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray.serve.llm", None)
    assert main([*LLM]) == 3
    told = capsys.readouterr().err
    assert "Ray Serve LLM cannot be used here" in told
    assert "pip install 'ray[llm]'" in told
    assert serve.ran == []


def test_the_ingress_is_no_replica() -> None:
    part = SimpleNamespace(replica_states={"RUNNING": 2})
    parts = {"LLMServer:qwen3-8b": part, cluster.INGRESS: part}
    application = SimpleNamespace(status="RUNNING", message="", deployments=parts)
    seen = SimpleNamespace(status=lambda: SimpleNamespace(applications={"qwen3-8b": application}))
    assert cluster.status(seen) == (Replicas("qwen3-8b", "RUNNING", {"RUNNING": 2}, ""),)


def test_without_ray(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([*SMALL]) == 3
    assert "pip install 'gyakusan[ray]'" in capsys.readouterr().err
