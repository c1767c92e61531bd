"""Certificates and keys: what is refused, by which names a server is called, and that an encrypted front answers."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest
from tests.fakes.fake_model_server import INNER, KEY, Handler, Heard
from tests.serving.certificates import made

from gyakusan.errors import BadSetting
from gyakusan.serving.front.keys import Keys
from gyakusan.serving.front.limits import Limits
from gyakusan.serving.front.running import Front
from gyakusan.serving.front.upstream import Target
from gyakusan.serving.tls import open_tls


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return made(tmp_path_factory.mktemp("tls"), "good", names="DNS:localhost,IP:127.0.0.1,DNS:*.example.org")


def refused(certificate: Path, key: Path) -> str:
    with pytest.raises(BadSetting) as error:
        open_tls(str(certificate), str(key))
    return str(error.value)


def test_a_good_pair(pair: tuple[Path, Path]) -> None:
    tls = open_tls(*map(str, pair))
    assert tls.names == ("localhost", "127.0.0.1", "*.example.org")
    assert tls.self_signed
    assert "context" not in repr(tls)
    assert tls.context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls.is_for("LOCALHOST")
    assert tls.is_for("127.0.0.1")
    assert tls.is_for("llm.example.org")
    assert not tls.is_for("example.org")
    assert not tls.is_for("a.b.example.org")
    assert not tls.is_for("127.0.0.2")
    assert tls.host_for(["127.0.0.2", "localhost"]) == "localhost"
    assert tls.host_for(["192.0.2.7"]) == "localhost", "a name of the certificate, whatever it means there"
    assert tls.host_for(["127.0.0.9"]) == "127.0.0.9"


def test_what_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    certificate, key = pair
    open_key = tmp_path / "open.key"
    shutil.copy(key, open_key)
    open_key.chmod(0o644)
    assert "chmod 600" in refused(certificate, open_key)
    assert "has expired" in refused(*made(tmp_path, "old", days=-1))
    other = made(tmp_path, "other")
    assert "is not that of the certificate" in refused(certificate, other[1])
    rsa = made(tmp_path, "rsa", kind=("-newkey", "rsa:2048"))
    assert "is not that of the certificate" in refused(certificate, rsa[1])
    locked = tmp_path / "locked.key"
    command = ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:secret", "-out", str(locked)]
    subprocess.run(command, check=True, capture_output=True)
    locked.chmod(0o600)
    assert "locked by a password" in refused(certificate, locked)
    rubbish = tmp_path / "rubbish"
    rubbish.write_bytes(b"\x00rubbish")
    rubbish.chmod(0o600)
    assert "PEM" in refused(rubbish, key)
    assert "PEM" in refused(certificate, rubbish)
    for gone in (tmp_path / "gone", tmp_path):
        assert "cannot be read" in refused(gone, key)
        assert "cannot be read" in refused(certificate, gone)


@pytest.fixture
def front(pair: tuple[Path, Path]) -> Iterator[Front]:
    kind = type("Bound", (Handler,), {"heard": Heard()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    limits = Limits(header_time=0.5, idle_time=1.0, connections=4)
    made_front = Front("127.0.0.1", 0, Keys.of(KEY), limits, (), {}, open_tls(*map(str, pair)).context)
    made_front.point(Target(f"http://127.0.0.1:{server.server_port}", INNER))
    made_front.start()
    yield made_front
    made_front.stop()
    server.shutdown()
    server.server_close()


def client(front: Front, certificate: Path) -> httpx2.Client:
    context = ssl.create_default_context(cafile=certificate)
    headers = {"Authorization": f"Bearer {KEY}"}
    return httpx2.Client(base_url=f"https://localhost:{front.port}", verify=context, headers=headers, trust_env=False)


def test_encrypted_requests_and_streams(front: Front, pair: tuple[Path, Path]) -> None:
    with client(front, pair[0]) as https:
        for _ in range(3):
            assert https.post("/v1/chat/completions", json={}).json()["usage"]["prompt_tokens"] == 3
        told = https.post("/v1/chat/completions", json={"stream": 5})
        assert told.text.count("data:") == 5
        assert https.post("/v1/chat/completions", json={}, headers={"Authorization": "Bearer x"}).status_code == 401


def test_a_port_in_clear_for_this_computer(front: Front) -> None:
    assert front.local_port != front.port
    with httpx2.Client(base_url=f"http://127.0.0.1:{front.local_port}", trust_env=False) as http:
        assert http.post("/v1/chat/completions", json={}).status_code == 401
        answer = http.post("/v1/chat/completions", json={}, headers={"Authorization": f"Bearer {KEY}"})
        assert answer.status_code == 200


def test_clear_text_is_not_answered(front: Front) -> None:
    with socket.create_connection(("127.0.0.1", front.port), timeout=5) as plain:
        plain.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"HTTP" not in plain.recv(100)


def test_who_does_not_shake_hands_keeps_nobody_away(front: Front, pair: tuple[Path, Path]) -> None:
    """Silent connections stand in the table, go when it is full, and have the time of a head."""
    silent = [socket.create_connection(("127.0.0.1", front.port), timeout=5) for _ in range(12)]
    try:
        with client(front, pair[0]) as https:
            assert https.post("/v1/chat/completions", json={}).status_code == 200
        assert len(front.connections) <= 4
        end = time.monotonic() + 5
        while time.monotonic() < end and front.connections:
            time.sleep(0.05)
        assert not front.connections
    finally:
        for one in silent:
            one.close()


def test_half_a_handshake_and_a_cut_one(front: Front, pair: tuple[Path, Path]) -> None:
    hello = ssl.MemoryBIO()
    begun = ssl.create_default_context(cafile=pair[0]).wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        begun.do_handshake()
    text = hello.read()
    for cut in (1, len(text) // 2, len(text)):
        with socket.create_connection(("127.0.0.1", front.port), timeout=5) as half:
            half.sendall(text[:cut])
    with client(front, pair[0]) as https:
        assert https.post("/v1/chat/completions", json={}).status_code == 200
