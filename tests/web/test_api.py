"""The API answers what the commands print with --json, and describes itself."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from starlette.testclient import TestClient

from gyakusan.cli import main
from gyakusan.web.app import application
from gyakusan.web.openapi import PATH
from gyakusan.web.queries import InspectQuery
from gyakusan.web.routes import ROUTES

SAME = {
    "/api/v1/inspect?model=gpt-oss-20b&device=RTX+4090&context=131072&users=2": (
        "inspect", "gpt-oss-20b", "--device", "RTX 4090", "--context", "131072", "--users", "2", "--offline",
    ),
    "/api/v1/inspect?model=qwen3.6-27b&device=RTX+3060+12GB&kv_type=q8_0&lang=ja": (
        "inspect", "qwen3.6-27b", "--device", "RTX 3060 12GB", "--kv-type", "q8_0", "--offline", "--lang", "ja",
    ),
    "/api/v1/plan?device=RTX+4090&users=2&task=coding&currency=JPY": (
        "plan", "--device", "RTX 4090", "--users", "2", "--task", "coding", "--currency", "JPY",
    ),
    "/api/v1/compare?device=RTX+5090&device=RTX+4090&model=gpt-oss-20b": (
        "compare", "RTX 5090", "RTX 4090", "--model", "gpt-oss-20b",
    ),
    "/api/v1/record?name=RTX+4090": ("catalog", "show", "RTX 4090"),
    "/api/v1/devices?search=4090": ("catalog", "list", "devices", "--search", "4090"),
}  # fmt: skip


@pytest.mark.parametrize("address", SAME)
def test_the_api_is_the_command(client: TestClient, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([*SAME[address], "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert client.get(address).json() == printed


def _described(client: TestClient) -> Any:
    return client.get(PATH).json()


def test_every_answer_is_as_described(client: TestClient) -> None:
    described = _described(client)
    questions = {
        "inspect": "device=RTX+4090", "memory-map": "device=RTX+4090", "plan": "device=RTX+4090",
        "compare": "device=RTX+4090&model=gpt-oss-20b", "devices": "search=4090", "machines": "", "models": "search=gpt",
        "record": "name=gpt-oss-20b", "accuracy": "", "article": "",
    }  # fmt: skip
    assert set(questions) == {route.name for route in ROUTES}
    for route in ROUTES:
        operation = described["paths"][route.path]["get"]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        answer = client.get(f"{route.path}?{questions[route.name]}")
        assert answer.status_code == 200, route.name
        jsonschema.Draft202012Validator({**schema, "components": described["components"]}).validate(answer.json())


def test_every_parameter_is_described(client: TestClient) -> None:
    described = _described(client)
    assert described["openapi"].startswith("3.1")
    given = {p["name"]: p for p in described["paths"]["/api/v1/inspect"]["get"]["parameters"]}
    assert set(given) == {*InspectQuery.__struct_fields__, "lang"}
    for operation in (path["get"] for path in described["paths"].values()):
        for parameter in operation["parameters"]:
            assert parameter["description"]
            jsonschema.Draft202012Validator.check_schema(parameter["schema"])


@pytest.mark.parametrize(
    ("address", "status", "kind"),
    [
        ("/api/v1/inspect?model=nosuch", 404, "UnknownName"),
        ("/api/v1/inspect?users=0", 400, "BadQuantity"),
        ("/api/v1/inspect?users=-1", 400, "BadQuantity"),
        ("/api/v1/inspect?model=../secret.gguf", 400, "BadReference"),
        ("/api/v1/inspect?model=hf:owner/nosuch-model-at-all", 404, "UnknownName"),
        ("/api/v1/compare?device=RTX+4090&model=hf:owner/nosuch", 404, "UnknownName"),
        ("/api/v1/compare?device=RTX+4090&model=ollama:127.0.0.1:1/foo/bar", 422, "SourceError"),
        ("/api/v1/plan?model=https://huggingface.co/owner/nosuch", 404, "UnknownName"),
        ("/api/v1/plan?task=cooking", 400, "BadSetting"),
        ("/api/v1/compare", 400, "BadSetting"),
    ],
)
def test_problems(client: TestClient, address: str, status: int, kind: str) -> None:
    answer = client.get(address)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")
    found = answer.json()
    assert (found["status"], found["kind"]) == (status, kind)
    described = _described(client)["components"]["schemas"]["problem"]
    jsonschema.Draft202012Validator(described).validate(found)


def test_choices_may_be_named_in_japanese(client: TestClient) -> None:
    asked = {"device": "RTX 4090", "model": "gpt-oss-20b"}
    usual = client.get("/api/v1/plan", params={**asked, "task": "coding", "lang": "ja"})
    assert client.get("/api/v1/plan", params={**asked, "task": "コーディング", "lang": "日本語"}).json() == usual.json()
    for name, value, told in (
        ("task", "くっきんぐ", "チャット(chat)、コーディング(coding)"),
        ("lang", "仏語", "英語(en)、日本語(ja)"),
    ):
        answer = client.get("/api/v1/plan", params={**asked, name: value}, headers={"accept-language": "ja"})
        assert answer.status_code in (400, 404)
        assert told in answer.json()["mend"]


def test_an_answer_is_fetched_once(client: TestClient) -> None:
    address = "/api/v1/inspect?device=RTX+4090"
    first = client.get(address)
    again = client.get(address, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    other = client.get("/api/v1/inspect?device=RTX+5090", headers={"if-none-match": first.headers["etag"]})
    assert other.status_code == 200


def test_large_answers_are_compressed(client: TestClient) -> None:
    answer = client.get("/api/v1/memory-map?device=RTX+4090", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < 20_000 < len(answer.content)


def test_the_map_is_the_ledger(client: TestClient) -> None:
    address = "model=gpt-oss-20b&device=RTX+4090&context=20000&users=3"
    found = client.get(f"/api/v1/memory-map?{address}").json()
    ledger = client.get(f"/api/v1/inspect?{address}").json()
    u, c, layer = found["users"].index(3), found["contexts"].index(20000), found["layers"][0]
    for device, account in zip(layer["devices"], ledger["devices"], strict=True):
        kinds = {"weights", "kv_cache", "recurrent_state", "scratch", "overhead"}
        assert sum(device[kind][u][c] for kind in kinds) == account["total"]


def test_slow_questions_wait_and_quick_ones_do_not() -> None:
    """One client has its share of slow questions, everybody together has theirs, and a quick one passes them."""
    import threading

    import anyio

    from gyakusan.web.problems import Busy
    from gyakusan.web.work import MOST_OF_ONE, MOST_WAITING, Work

    work, go = Work(), threading.Event()

    async def run() -> list[str]:
        refused: list[str] = []

        async def ask(client: str) -> None:
            try:
                await work.run(go.wait, heavy=True, client=client)
            except Busy:
                refused.append(client)

        async with anyio.create_task_group() as group:
            for client in "abcdefgh":
                for _ in range(MOST_OF_ONE + 1):
                    group.start_soon(ask, client)
            await anyio.sleep(0.2)
            assert work.waiting.total() == MOST_WAITING
            assert await work.run(lambda: "quick") == "quick"
            go.set()
        return refused

    refused = anyio.run(run)
    assert refused.count("a") == 1
    assert len(refused) == 8 * (MOST_OF_ONE + 1) - MOST_WAITING
    assert not work.waiting


@pytest.mark.parametrize("address", ["/api/v1/nosuch", "/api/v2/plan", "/api/v1/inspect/more"])
def test_an_address_that_is_none_is_a_problem(client: TestClient, address: str) -> None:
    answer = client.get(f"{address}?lang=ja")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    found = answer.json()
    assert (found["status"], found["kind"]) == (404, "UnknownName")
    assert address in found["detail"]
    assert PATH in found["mend"]


def test_what_nobody_thought_of_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("gyakusan.web.api.read", failing)
    client = TestClient(application("127.0.0.1"), base_url="http://127.0.0.1", raise_server_exceptions=False)
    answer = client.get("/api/v1/devices")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "ZeroDivisionError" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("words", "status"),
    [("prompt=-1", 400), ("prompt=9000", 400), ("prompt=500", 200), ("lang=xx", 404), ("lang=ja", 200), ("lang=", 200)],
)
def test_a_map_refuses_what_inspect_refuses(client: TestClient, words: str, status: int) -> None:
    for name in ("inspect", "memory-map"):
        answer = client.get(f"/api/v1/{name}?model=gpt-oss-20b&device=RTX+4090&context=8192&{words}")
        assert answer.status_code == status, answer.text[:300]
