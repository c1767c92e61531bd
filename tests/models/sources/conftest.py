"""A server for each test, and no proxies or tokens from outside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.models import building
from tests.models.sources.serving import BIG, Site, serving


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        found.files["/big.bin"] = BIG
        found.files["/small.gguf"] = building.small()
        found.files["/empty.gguf"] = b""
        yield found
