"""What a stranger, or the page of a stranger, asks is refused; every answer carries the headers that a browser obeys."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from gyakusan.errors import BadSetting
from gyakusan.web.app import application
from gyakusan.web.guard import HEADERS
from gyakusan.web.running import check_host

LINK = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1.evil.example"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({**LINK, "sec-fetch-dest": "iframe"}, 403),
        ({**LINK, "host": "evil.example"}, 421),
        (LINK, 200),
        ({"origin": "http://127.0.0.1"}, 200),
        ({"host": "localhost"}, 200),
    ],
)
def test_who_may_ask(client: TestClient, headers: dict[str, str], status: int) -> None:
    answer = client.get("/", headers=headers)
    assert answer.status_code == status
    for name, value in HEADERS:
        assert answer.headers[name.decode()] == value.decode()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_it_is_only_read(client: TestClient, method: str) -> None:
    assert client.request(method, "/fit").status_code == 405


def test_a_long_address(client: TestClient) -> None:
    assert client.get("/fit?model=" + "x" * 9000).status_code == 414


def test_another_name() -> None:
    named = TestClient(application("127.0.0.1", ("llm.office",)), base_url="http://llm.office")
    assert named.get("/").status_code == 200


def test_files_are_kept_and_nothing_else_is_served(client: TestClient) -> None:
    found = client.get("/static/page.css")
    assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/", "/static/nosuch.js"):
        assert client.get(path).status_code == 404


def test_only_a_public_copy_leaves_this_computer() -> None:
    for own in ("127.0.0.1", "::1", "localhost", "LOCALHOST"):
        check_host(own, public=False)
    check_host("0.0.0.0", public=True)
    check_host("127.0.0.1", public=False)
    with pytest.raises(BadSetting, match="--public"):
        check_host("0.0.0.0", public=False)
