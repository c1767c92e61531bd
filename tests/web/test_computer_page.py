"""This computer: servers with their memory as it is, benches with charts, and what is said where there is none."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs
from starlette.testclient import TestClient
from tests.documents.valid import valid
from tests.fakes.fake_model_server import Open, opened
from tests.machines.test_detect import fake_nvml
from tests.web.flex import Torn

from gyakusan.load_testing.result import BenchResult, Comparison, Figure, StepResult
from gyakusan.load_testing.store import Store
from gyakusan.load_testing.workload import Shape, Step
from gyakusan.serving import running_servers
from gyakusan.serving.running_servers import ComparedBuffer, RunningServer
from gyakusan.web.app import application

__all__ = ["opened"]  # the fixture

WEIGHTS = ComparedBuffer("weights", "host", 2.0**29, 2.0**29)
ENTRY = RunningServer(name="office", url="", model="m", users=2, context=512, bytes=2.0**30, buffers=(WEIGHTS,))
STEP = StepResult(Step(Shape(100, 8), users=2), 30.0, 5, each=Figure(10.0, 9.0, 11.0))
SAID = Comparison("decode", "", 2, "tokens/s", 9.0, 8.0, 10.0, 10.0)
BENCH = BenchResult("http://127.0.0.1:1/v1", "tiny", "2026-11-01T00:00:00Z", (STEP,), comparisons=(SAID,))


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("GYAKUSAN_API_KEY", raising=False)
    return tmp_path / "gyakusan"


def test_nothing_runs_and_nothing_was_measured(client: TestClient) -> None:
    text = client.get("/computer").text
    assert "Nothing runs here." in text
    assert "No bench is kept yet." in text
    assert "Benches over time" not in text


def test_memory_beside_its_plan(client: TestClient, opened: Open) -> None:
    running = opened(key=None)
    running.front.app.metrics.plan({("RAM", "weights"): 2**30})
    running.front.app.metrics.watch_memory(lambda: 2.0**29)
    running_servers.claim(running_servers.here(structs.replace(ENTRY, url=f"{running.url}/v1")))
    for path in ("/computer", "/computer/live"):
        text = client.get(path).text
        assert "Running as predicted." in text
        assert "Planned: 1.00 GiB; the server holds 0.50 GiB of RAM now." in text
        assert "the last figures: held: 512, planned at the start: 1,024" in text
        assert "Said and seen when it started" in text
    japanese = client.get("/computer/live?lang=ja").text
    assert "予測どおりに動作しています。" in japanese
    assert "held" not in re.sub(r"<[^>]+>", "", japanese)


@pytest.mark.parametrize(
    ("held", "sentence", "tone"),
    [
        (2**31, "Buffers as predicted; memory grows with use, at most 3.00 GiB.", "fits"),
        (2**32, "office holds 4.00 GiB of RAM; at most 3.00 were planned.", "doubt"),
    ],
)
def test_memory_that_grows_has_its_limit(held: int, sentence: str, tone: str, client: TestClient, opened: Open) -> None:
    """Green "Running as predicted." stood beside held memory above the line of what was planned at the start."""
    running = opened(key=None)
    metrics = running.front.app.metrics
    metrics.plan({("host", "weights"): 2**30}, {("host", "weights"): 3 * 2**30})
    metrics.watch_memory(lambda: float(held))
    entry = structs.replace(ENTRY, url=f"{running.url}/v1", bytes=float(2**30), most_bytes=3.0 * 2**30)
    running_servers.claim(running_servers.here(entry))
    text = client.get("/computer/live").text
    assert sentence in text
    assert "Running as predicted" not in text
    assert f"held: {held // 2**20:,}, planned at the start: 1,024, planned at most: 3,072" in text
    assert re.search(rf'class="[^"]*{tone}', text)
    assert "最大3.00" in client.get("/computer/live?lang=ja").text or tone == "doubt"
    assert Torn(text).found == []


def test_what_the_gpus_hold_stands_beside_the_plan(
    client: TestClient, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page told the RAM of a server's processes alone, whose model is on a GPU."""
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml())
    running = opened(key=None)
    running.front.app.metrics.plan({("NVIDIA GeForce RTX 4090", "weights"): 2**30})
    running_servers.claim(running_servers.here(structs.replace(ENTRY, url=f"{running.url}/v1")))
    for path in ("/computer", "/computer/live"):
        text = re.sub(r"\s+", " ", client.get(path).text.replace("\N{NO-BREAK SPACE}", " "))
        assert "NVIDIA GeForce RTX 4090: 0.55 of 23.99 GiB in use now, by all programs." in text


def test_the_same_for_programs(client: TestClient) -> None:
    running_servers.claim(running_servers.here(structs.replace(ENTRY, url="http://127.0.0.1:1/v1")))
    found = valid(client.get("/computer.json").json())
    assert [server["name"] for server in found["servers"]] == ["office"]


def test_a_server_that_is_not_as_predicted(client: TestClient) -> None:
    wrong = structs.replace(WEIGHTS, reported=2.0**28)
    running_servers.claim(
        running_servers.here(structs.replace(ENTRY, url="http://127.0.0.1:1/v1", buffers=(WEIGHTS, wrong)))
    )
    text = client.get("/computer").text
    assert "1 of 2 memory buffers are not as predicted." in text
    assert "0.50 GiB" not in text, "it does not answer: nothing is known of its memory now"


def test_a_server_beside_its_bench(client: TestClient) -> None:
    """Its last bench since it started says whether it runs as predicted; an older one, or of another address, does not."""
    url = BENCH.endpoint
    entry = structs.replace(running_servers.here(structs.replace(ENTRY, url=url)), started="2026-11-01T00:00:00Z")
    running_servers.claim(entry)
    old = replace(BENCH, started="2026-10-01T00:00:00Z")
    for other in (old, replace(BENCH, endpoint="http://127.0.0.1:2/v1"), replace(BENCH, comparisons=())):
        Store().keep(other)
        assert "Said and seen in its last bench" not in client.get("/computer/live").text
    Store().keep(BENCH)
    text = client.get("/computer/live").text
    assert text.count("Said and seen in its last bench") == 1
    assert 'href="/computer?bench=4#bench"' in text
    assert "Running as predicted." in text, "10 lies between 8 and 10"
    Store().keep(replace(BENCH, comparisons=(SAID, replace(SAID, measured=20.0))))
    text = client.get("/computer/live").text
    assert "1 of 2 measured figures are outside what was predicted." in text
    assert 'href="/computer?bench=5#bench"' in text
    assert "外れています" in client.get("/computer/live?lang=ja").text


def test_benches_over_time(client: TestClient) -> None:
    Store().keep(BENCH)
    Store().keep(replace(BENCH, started="2026-11-09T00:00:00Z", steps=(replace(STEP, each=Figure(20.0)),)))
    text = client.get("/computer").text
    assert "Last bench" in text
    assert "Said and seen, tokens/s" in text
    assert "answer tokens/s of one person over time; the last figures: 2 people, 100 + 8 tokens, tiny: 20" in text
    assert text.index("2026-11-09</td>") < text.index("2026-11-01</td>"), "the newest first"
    assert "<h2>Bench 1</h2>" in client.get("/computer?bench=1").text
    assert "There is no bench 7." in client.get("/computer?bench=7").text
    assert client.get("/computer?bench=x").status_code == 400


def test_benches_that_cannot_be_read_are_a_sentence(client: TestClient, state: Path) -> None:
    state.mkdir()
    (state / "bench.sqlite").write_bytes(b"no database" * 100)
    answer = client.get("/computer")
    assert answer.status_code == 200
    assert "cannot be read or written" in answer.text


def test_a_public_copy_has_none_of_it(public: TestClient) -> None:
    for path in ("/computer", "/computer/live", "/computer.json"):
        assert public.get(path).status_code == 404


def test_only_its_owner_reads_it() -> None:
    """Another account of this computer reaches the port, too: it is told why in words, and nothing else."""
    running_servers.claim(running_servers.here(structs.replace(ENTRY, url="http://127.0.0.1:1/v1")))
    other = TestClient(application("127.0.0.1"), base_url="http://127.0.0.1", client=("127.0.0.1", 1))
    for path in ("/computer", "/computer/live", "/computer.json", "/computer?bench=1"):
        answer = other.get(path)
        assert answer.status_code == 403, path
        assert "only to the account that runs gyakusan web" in answer.text
        assert "office" not in answer.text
    assert "だけに表示" in other.get("/computer?lang=ja").text
    assert other.get("/catalogue").status_code == 200


@pytest.mark.parametrize(("slots", "people"), [(1, "1"), (2, "1,2"), (3, "1,2"), (8, "1,2,4,8")])
def test_the_form_of_a_bench_asks_for_no_more_people_than_are_served(
    own: TestClient, opened: Open, slots: int, people: str
) -> None:
    """It was filled with 1,2,4 for a server of two people, where the command keeps to the slots."""
    running = opened(key=None)
    running_servers.claim(
        running_servers.here(structs.replace(ENTRY, url=f"{running.url}/v1", users=slots, ready=True))
    )
    assert f'name="users" value="{people}"' in own.get("/computer/live").text
