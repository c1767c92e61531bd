"""The application in this process, and a browser."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from gyakusan.web import guard
from gyakusan.web.app import application

HOST = "http://127.0.0.1"


@pytest.fixture
def client() -> TestClient:
    return TestClient(application("127.0.0.1"), base_url=HOST, follow_redirects=False)


@pytest.fixture
def public() -> TestClient:
    return TestClient(application("127.0.0.1", public=True), base_url=HOST, follow_redirects=False)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A browser of this computer's owner, on a page of ours. There is no socket between them, so nobody asks whose it is."""
    monkeypatch.setattr(guard, "is_mine", lambda client: client == ("127.0.0.1", 50000))
    return TestClient(
        application("127.0.0.1"), base_url=HOST, follow_redirects=False, client=("127.0.0.1", 50000),
        headers={"origin": HOST},
    )  # fmt: skip
