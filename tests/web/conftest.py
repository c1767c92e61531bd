"""The application in this process, and a browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.catalog.some import DEVICE

from gyakusan.web import guard, pages
from gyakusan.web.app import application

HOST = "http://127.0.0.1"
_KEPT = re.compile(rb'<span class="q">(.*?)</span>')


class Reading(TestClient):
    """A client that reads pages without the spans that keep a number and its unit on one line: see show.quantities."""

    def request(self, *args: Any, **options: Any) -> Any:
        answer = super().request(*args, **options)
        if answer.headers.get("content-type", "").startswith("text/html"):
            answer._content = _KEPT.sub(rb"\1", answer.content)
        return answer


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No server and no bench of who runs the tests is in a page."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A program of this computer's owner."""
    monkeypatch.setattr(pages, "is_mine", lambda client, *, root: client == ("testclient", 50000))
    return Reading(application("127.0.0.1"), base_url=HOST, follow_redirects=False)


@pytest.fixture
def public() -> TestClient:
    return Reading(application("127.0.0.1", public=True), base_url=HOST, follow_redirects=False)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A browser of this computer's owner, on a page of ours. There is no socket between them, so nobody asks whose it is."""
    monkeypatch.setattr(guard, "is_mine", lambda client: client == ("127.0.0.1", 50000))
    monkeypatch.setattr(pages, "is_mine", lambda client, *, root: client == ("127.0.0.1", 50000))
    return Reading(
        application("127.0.0.1"), base_url=HOST, follow_redirects=False, client=("127.0.0.1", 50000),
        headers={"origin": HOST},
    )  # fmt: skip


@pytest.fixture
def own_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a record that the user has added."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    file = tmp_path / "config" / "gyakusan" / "catalog" / "mine.toml"
    file.parent.mkdir(parents=True)
    file.write_text(DEVICE)
    return file
