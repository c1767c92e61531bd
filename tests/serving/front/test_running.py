"""The front: nobody locks others out, nobody without the key gets in, answers pass as they come."""

from __future__ import annotations

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from tests.fakes.fake_model_server import INNER, KEY, Open, Running, opened, wait_for

from gyakusan.errors import BadSetting, ServerError
from gyakusan.serving.front.keys import Keys
from gyakusan.serving.front.limits import Limits
from gyakusan.serving.front.running import Front

__all__ = ["opened"]  # the fixture

HALF = b"GET /health HTTP/1.1\r\nHost: x\r\nX: "


def raw(running: Running, data: bytes) -> socket.socket:
    found = socket.create_connection(("127.0.0.1", running.front.port), timeout=10)
    found.sendall(data)
    return found


def closed(stranger: socket.socket) -> bool:
    try:
        return stranger.recv(100) == b""
    except ConnectionResetError:
        return True


def kind_of(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, json.loads(response.content)["error"]["type"]


def test_an_answer_passes_with_the_inner_key(opened: Open) -> None:
    running = opened()
    found = running.post()
    assert (found.status_code, found.json()["usage"]["completion_tokens"]) == (200, 4)
    assert running.heard.keys == {f"Bearer {INNER}"}
    assert INNER not in str(found.headers)
    assert wait_for(lambda: running.front.traffic.tokens == 7)
    assert running.front.traffic.requests == 1


@pytest.mark.parametrize("key", [None, "x" * 24, KEY[:-1], KEY + "0"])
def test_nobody_without_the_key(opened: Open, key: str | None) -> None:
    running = opened()
    with running.client(key) as client:
        assert kind_of(client.post("/v1/chat/completions", json={})) == (401, "no_key")
        assert kind_of(client.get("/v1/models")) == (401, "no_key")
        assert kind_of(client.get("/")) == (401, "no_key")
        assert client.get("/health").status_code == 200
    assert running.heard.paths == []


def test_both_ways_to_show_a_key(opened: Open) -> None:
    with opened().client(None) as client:
        assert client.get("/v1/models", headers={"X-Api-Key": KEY}).status_code == 200
        assert client.get("/v1/models", headers={"Authorization": f"bearer {KEY}"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "path", "expected"),
    [
        ({"Host": "evil.example"}, "/v1/models", (421, "unknown_host")),
        ({"Host": "evil.example"}, "/health", (421, "unknown_host")),
        ({"Origin": "http://evil.example"}, "/v1/models", (403, "unknown_origin")),
        ({"Origin": "null"}, "/v1/models", (403, "unknown_origin")),
        ({"Origin": "http://203.0.113.5"}, "/v1/models", (403, "unknown_origin")),
        ({"Sec-Fetch-Site": "cross-site"}, "/v1/models", (403, "unknown_origin")),
        ({}, "/models/load", (404, "not_found")),
        ({}, "/v1%2Fslots", (404, "not_found")),
        ({}, "/v1/chat/completions", (405, "method_not_allowed")),
    ],
)
def test_heads_that_are_refused_on_loopback_too(
    opened: Open, headers: dict[str, str], path: str, expected: tuple[int, str]
) -> None:
    """F10: a page of a stranger could use the server under another name, or from its own origin."""
    running = opened(key=None)
    with running.client(None) as client:
        answer = client.get(path, headers=headers)
        assert kind_of(answer) == expected
        if expected[0] in (403, 421):
            assert "Access-Control-Allow-Origin" not in answer.headers, "a stranger's page reads nothing"
    assert running.heard.paths == []


def test_two_origins_are_refused(opened: Open) -> None:
    with opened(key=None).client(None) as client:
        answer = client.get("/v1/models", headers=[("Origin", "http://localhost"), ("Origin", "http://evil.example")])
    assert answer.status_code == 400


def test_names_and_sites_that_are_allowed(opened: Open) -> None:
    running = opened(key=None, names=("llm.example.org",))
    with running.client(None) as client:
        for host in ("localhost", "127.0.0.1:80", "[::1]:1", "llm.example.org", "LLM.example.org:443"):
            assert client.get("/v1/models", headers={"Host": host}).status_code == 200
        for page in ("http://127.0.0.1:3000", "http://[::1]:3000"):
            assert client.get("/v1/models", headers={"Origin": page}).status_code == 200
        there = {"Host": "192.0.2.7:8080", "Origin": "http://192.0.2.7:3000"}
        assert client.get("/v1/models", headers=there).status_code == 200, "a page of the same computer"
        answer = client.get("/v1/models", headers={"Origin": "https://llm.example.org"})
        assert answer.headers["Access-Control-Allow-Origin"] == "https://llm.example.org"
        asked = client.options("/v1/models", headers={"Origin": "http://localhost:3000"})
        assert (asked.status_code, asked.headers["Access-Control-Allow-Origin"]) == (204, "http://localhost:3000")
    assert set(running.heard.paths) == {"/v1/models"}


@pytest.mark.parametrize("kind", ["text/plain", "", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_only_json_is_taken(opened: Open, kind: str) -> None:
    """F10: a form of a stranger could post text/plain."""
    running = opened()
    assert kind_of(running.post(json=None, content="{}", headers={"Content-Type": kind})) == (415, "not_json")
    assert running.heard.paths == []


def test_a_body_that_is_too_large(opened: Open) -> None:
    running = opened(body=1000)
    assert kind_of(running.post(json={"prompt": "x" * 1000})) == (413, "too_large")
    chunks = iter([b'{"prompt": "', b"x" * 600, b"x" * 600, b'"}'])
    sent = running.post(json=None, content=chunks, headers={"Content-Type": "application/json"})
    assert kind_of(sent) == (413, "too_large")
    assert running.post(json={"prompt": "x" * 900}).status_code == 200


def test_300_half_open_connections_lock_nobody_out(opened: Open) -> None:
    """F5: connections that began a request and waited kept everybody out, without a key."""
    running = opened(header_time=3000.0)
    strangers = [raw(running, HALF) for _ in range(300)]
    assert all(running.post().status_code == 200 for _ in range(5))
    for stranger in strangers:
        stranger.close()


def test_half_open_connections_are_ended(opened: Open) -> None:
    running = opened(header_time=1.0)
    strangers = [raw(running, HALF) for _ in range(20)]
    assert all(closed(s) for s in strangers)
    for stranger in strangers:
        stranger.close()


def test_a_full_table_closes_who_asked_for_nothing_longest(opened: Open) -> None:
    running = opened(connections=8, header_time=60.0)
    strangers = [raw(running, HALF) for _ in range(30)]
    assert running.post().status_code == 200
    assert closed(strangers[0])
    strangers[-1].settimeout(0.2)
    with pytest.raises(TimeoutError):
        strangers[-1].recv(100)
    for stranger in strangers:
        stranger.close()


def test_a_body_that_does_not_come(opened: Open) -> None:
    running = opened(body_time=0.3)
    head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
    slow = raw(running, (head + "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{").encode())
    assert b" 408 " in slow.recv(1000)
    slow.close()


def test_a_large_head_is_refused(opened: Open) -> None:
    running = opened(header=2000)
    large = raw(running, b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"X: " + b"y" * 5000)
    assert b" 400 " in large.recv(1000)
    large.close()


def test_a_stream_passes_as_it_comes(opened: Open) -> None:
    running = opened()
    with running.client() as client, client.stream("POST", "/v1/completions", json={"stream": 100}) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        lines = answer.iter_lines()
        assert next(lines) == "data: 0"
    assert wait_for(lambda: running.heard.cut == 1)  # it was being written when its first line was read
    assert wait_for(lambda: running.front.busy == 0)


def test_who_hangs_up_frees_the_server_and_the_queue(opened: Open) -> None:
    running = opened(slots=1)
    sent = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
    body = b'{"stream": 1000}'
    head = f"{sent}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    gone = [raw(running, head + body) for _ in range(10)]
    assert wait_for(lambda: running.front.app.slots.queued == 9)
    for connection in gone:
        connection.close()
    assert running.post().status_code == 200
    assert running.front.app.slots.queued == 0


def test_one_client_takes_all_slots_but_one(opened: Open) -> None:
    running = opened(slots=3)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: running.post(json={"wait": 0.05}).status_code, range(8)))
    assert answers == [200] * 8
    assert running.heard.most == 2


def test_too_many_that_wait(opened: Open) -> None:
    running = opened(slots=1, waiting=2)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: running.post(json={"wait": 2.0}), range(6)))
    assert sorted(a.status_code for a in answers) == [200, 200, 200, 429, 429, 429]
    assert {a.headers["Retry-After"] for a in answers if a.status_code == 429} == {"5"}


def test_a_wait_that_is_too_long(opened: Open) -> None:
    running = opened(slots=1, wait=0.1)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: running.post(json={"wait": 0.5}).status_code, range(2)))
    assert sorted(answers) == [200, 503]


def test_requests_and_tokens_of_a_minute(opened: Open) -> None:
    running = opened(key_requests=2)
    answers = [running.post() for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 30
    running = opened(key_tokens=10)
    assert [running.post().status_code for _ in range(2)] == [200, 200]
    assert wait_for(lambda: running.post().status_code == 429)


def test_light_requests_wait_for_nobody(opened: Open) -> None:
    running = opened(slots=1)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(running.post, json={"wait": 3.0})
        assert wait_for(lambda: running.front.busy == 1)
        assert running.post("/tokenize", json={"content": "x"}).status_code == 200
        assert not slow.done()
        assert slow.result().status_code == 200


def test_without_a_server_it_says_so(opened: Open) -> None:
    running = opened()
    running.front.point(None)
    assert kind_of(running.post()) == (503, "starting")
    with running.client() as client:
        assert client.get("/health").status_code == 503


def test_who_does_not_read_is_cut_off(opened: Open) -> None:
    running = opened(send_time=0.5)
    data = json.dumps({"stream": 100000}).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    deaf = raw(running, head.encode() + data)
    try:
        assert wait_for(lambda: running.front.busy == 1)
        # What the kernel takes for the client is more than this stream has in a test: the front is told that it is full.
        (connection,) = (c for c in running.front.connections if not c.waits)
        connection.pause_writing()
        assert wait_for(lambda: running.front.busy == 0, 5)
    finally:
        deaf.close()


def test_pipelined_requests_are_answered_in_turn(opened: Open) -> None:
    running = opened()
    one = f"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode()
    both = raw(running, one + one)
    got = b""
    while got.count(b"HTTP/1.1 200") < 2:
        got += both.recv(1000)
    both.close()
    assert got.count(b"HTTP/1.1") == 2


def test_two_lengths_are_refused(opened: Open) -> None:
    running = opened()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
    sly = raw(running, (head + "Content-Length: 2\r\nContent-Length: 30\r\n\r\n{}").encode())
    assert b" 400 " in sly.recv(1000)
    sly.close()


def test_addresses_and_ports_that_cannot_be_had(opened: Open) -> None:
    running = opened()
    with pytest.raises(
        ServerError, match=rf"Another program listens on port {running.front.port} of 127\.0\.0\.1.*--port"
    ):
        Front("127.0.0.1", running.front.port, Keys(), Limits())
    with pytest.raises(BadSetting, match=r"cannot listen on 192\.0\.2\.1"):
        Front("192.0.2.1", 0, Keys(), Limits())
    with pytest.raises(BadSetting, match=r"cannot listen on no\.such\.host\.invalid"):
        Front("no.such.host.invalid", 0, Keys(), Limits())


def test_it_ends_while_a_stream_runs(opened: Open) -> None:
    running = opened()
    ended = threading.Event()

    def read() -> None:
        with running.client() as client, client.stream("POST", "/v1/completions", json={"stream": 10000}) as answer:
            try:
                for _ in answer.iter_lines():
                    pass
            except httpx2.HTTPError:
                ended.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert wait_for(lambda: running.front.busy == 1)
    running.front.stop()
    assert ended.wait(10)
    running.front.stop()


def test_a_port_that_one_of_ours_has_names_it(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    port = opened().front.port
    folder = tmp_path / "gyakusan" / "servers"
    folder.mkdir(parents=True)
    (folder / "office.json").write_text(json.dumps({"url": f"http://127.0.0.1:{port}/v1"}))
    with pytest.raises(ServerError) as caught:
        Front("127.0.0.1", port, Keys(KEY), Limits())
    assert str(caught.value.message) == f"office runs on port {port} already: http://127.0.0.1:{port}/v1"
    for command in ("gyakusan chat office", "gyakusan stop office", "--port 0"):
        assert command in str(caught.value)


def test_an_address_without_a_page_names_what_shows_the_state() -> None:
    """It said at /v1 that the API is at /v1."""
    from gyakusan.serving.front.heads import NOTHING_HERE

    for named in ("/v1/chat/completions", "gyakusan status", "gyakusan web"):
        assert named in NOTHING_HERE
