"""The application in this process, and a browser."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from gyakusan.web.app import application

HOST = "http://127.0.0.1"


@pytest.fixture
def client() -> TestClient:
    return TestClient(application("127.0.0.1"), base_url=HOST, follow_redirects=False)


@pytest.fixture
def public() -> TestClient:
    return TestClient(application("127.0.0.1", public=True), base_url=HOST, follow_redirects=False)
