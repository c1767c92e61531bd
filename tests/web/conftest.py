"""The application in this process, and a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.catalog.some import DEVICE

from gyakusan.web import guard, pages
from gyakusan.web.app import application

HOST = "http://127.0.0.1"


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No server and no bench of who runs the tests is in a page."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A program of this computer's owner."""
    monkeypatch.setattr(pages, "is_mine", lambda client, *, root: client == ("testclient", 50000))
    return TestClient(application("127.0.0.1"), base_url=HOST, follow_redirects=False)


@pytest.fixture
def public() -> TestClient:
    return TestClient(application("127.0.0.1", public=True), base_url=HOST, follow_redirects=False)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A browser of this computer's owner, on a page of ours. There is no socket between them, so nobody asks whose it is."""
    monkeypatch.setattr(guard, "is_mine", lambda client: client == ("127.0.0.1", 50000))
    monkeypatch.setattr(pages, "is_mine", lambda client, *, root: client == ("127.0.0.1", 50000))
    return TestClient(
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
