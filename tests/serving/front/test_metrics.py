"""What the front tells of itself, and to whom."""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
from datetime import date
from pathlib import Path

import pytest
from tests.fakes.fake_model_server import KEY, Open, Running, opened, wait_for

from gyakusan.errors import ServerError
from gyakusan.serving import observed as module
from gyakusan.serving.endpoints import Endpoint
from gyakusan.serving.front import people
from gyakusan.serving.front.people import PeopleKeys
from gyakusan.serving.observed import Observed, Rates, observe, observed, rates

__all__ = ["opened"]  # the fixture


def look(running: Running, key: str | None = KEY) -> Observed:
    return observe(Endpoint("", running.url + "/v1", None, key))


def test_requests_tokens_and_memory_are_counted(opened: Open) -> None:
    running = opened()
    running.front.app.metrics.plan({("RTX 4090", "weights"): 7e9, ("RTX 4090", "kv.full"): 1e9})
    running.front.app.metrics.watch_memory(lambda: 5e8)
    before = look(running)
    assert (before.requests, before.running, before.waiting, before.resident) == (0, 0, 0, 5e8)
    assert before.planned == {("RTX 4090", "weights"): 7e9, ("RTX 4090", "kv.full"): 1e9}
    assert [running.post().status_code for _ in range(3)] == [200] * 3
    assert running.post("/v1/nowhere").status_code == 404
    assert wait_for(lambda: look(running).answer_tokens == 12)
    after = look(running)
    assert (after.requests, after.refusals, after.prompt_tokens) == (3, 1, 9)
    seen = rates(before, after)
    assert seen.answer_tokens == pytest.approx(12 / seen.seconds)
    assert seen.ttft is None  # no stream


def test_lists_of_models_are_no_requests(opened: Open) -> None:
    """`watch` counted them and `status` did not, so that the two differed."""
    running = opened()
    with running.client() as client:
        assert client.get("/v1/models").status_code == 200
        assert client.post("/v1/chat/completions", json={}).status_code == 200
    assert (look(running).requests, running.front.traffic.requests) == (1, 1)


def test_a_long_answer_counts_while_it_comes(opened: Open) -> None:
    running = opened()
    with running.client() as client, client.stream("POST", "/v1/chat/completions", json={"stream": 100}) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        assert wait_for(lambda: look(running).answer_tokens > 5)
        now = look(running)
        assert (now.running, now.unstreamed) == (1, 0)
        assert running.front.traffic.tokens > 5  # `status` counts while the answer comes, as `watch` does
        for _ in pieces:
            pass
    assert wait_for(lambda: look(running).running == 0)
    assert wait_for(lambda: look(running).answer_tokens == 100)
    streamed = rates(Observed(at=0.0), look(running)).ttft
    assert streamed is not None
    assert streamed <= 1.0
    late = Observed(at=1.0, ttft_counts=((300.0, 0.0), (math.inf, 2.0)))
    assert rates(Observed(at=0.0), late).ttft == math.inf


def test_only_the_owner_sees_what_others_ask(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    aiko = people.add("aiko", today=date.today())
    running = opened(owners=PeopleKeys(people.place()))
    for path in ("/metrics", "/slots"):
        with running.client(aiko) as client:
            assert (client.get(path).status_code, client.get("/v1/models").status_code) == (403, 200)
        with running.client() as client:
            assert client.get(path).status_code == 200
    with pytest.raises(ServerError, match="owner only"):
        look(running, aiko)
    with pytest.raises(ServerError, match="owner only"):
        look(running, None)
    assert look(opened(key=None), None).requests == 0


def test_metrics_of_the_server_follow_those_of_the_front(opened: Open) -> None:
    running = opened()
    assert look(running).cache == 0.5  # the stand-in says so
    running.front.point(None)
    assert look(running).cache is None


def test_a_server_that_drips_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            stranger, _ = listening.accept()
            with stranger, contextlib.suppress(OSError):
                stranger.sendall(b"HTTP/1.1 200 OK\r\n")
                while True:
                    stranger.sendall(b"X: y\r\n")
                    time.sleep(0.05)

        threading.Thread(target=drip, daemon=True).start()
        with pytest.raises(ServerError, match="does not answer"):
            observe(Endpoint("", f"http://127.0.0.1:{listening.getsockname()[1]}/v1"))


def test_another_text_is_no_metrics() -> None:
    for text in ("", "{}", "<html>", "a_metric 1\n", 'x{le="1"} nan\n', "gyakusan_requests_running{ 1\n"):
        with pytest.raises(ServerError, match="http://x/v1 tells no metrics"):
            observed(text, 0.0, "http://x/v1")
    with pytest.raises(ServerError, match="does not answer"):
        observe(Endpoint("", "http://127.0.0.1:1/v1"))


def test_a_cache_and_odd_numbers() -> None:
    text = """gyakusan_requests_running 2
gyakusan_requests_waiting NaN
gyakusan_refusals_total -5
vllm:kv_cache_usage_perc 0.25
gyakusan_requests_total{key="a"} +Inf
"""
    found = observed(text, 0.0, "")
    assert (found.cache, found.running, found.waiting, found.refusals, found.requests) == (0.25, 2, 0, 0, 0)
    many = observed('gyakusan_requests_running 0\ngyakusan_planned_bytes{device="x",line="kv"} Inf\n', 0.0, "")
    assert many.planned == {}
    assert observed("gyakusan_requests_running 0\nvllm:kv_cache_usage_perc 7\n", 0.0, "").cache is None


def test_a_server_that_began_anew_has_no_negative_speed() -> None:
    before = Observed(at=0.0, requests=10, answer_tokens=500, ttft_counts=((1.0, 5.0),))
    assert rates(before, Observed(at=1.0)) == Rates(
        seconds=1.0, requests=0, prompt_tokens=0, answer_tokens=0, ttft=None
    )
