"""The API against its own description, by schemathesis: whatever is sent, no 500, and every answer as it is described."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from starlette.testclient import TestClient

from gyakusan.web.app import application
from gyakusan.web.openapi import PATH
from gyakusan.web.routes import ROUTES

schemathesis = pytest.importorskip("schemathesis")
HOST = {"Host": "127.0.0.1"}
SCHEMA = schemathesis.openapi.from_asgi(PATH, application("127.0.0.1"), headers=HOST)
OPERATIONS = {o.ok().path: o.ok() for o in SCHEMA.get_all_operations()}
QUICK, SLOW = 60, 12
"""Requests to an operation; one that plans takes up to a second."""


def test_every_route_is_described() -> None:
    assert set(OPERATIONS) == {route.path for route in ROUTES}


@pytest.mark.parametrize("path", sorted(OPERATIONS))
def test_no_request_breaks_it(path: str) -> None:
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    heavy = next(r.heavy for r in ROUTES if r.path == path)

    @given(case=OPERATIONS[path].as_strategy())
    @settings(max_examples=SLOW if heavy else QUICK, deadline=None, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        # A name that no catalogue has is refused, which no description of its form can say: that check is left out.
        case.validate_response(case.call(headers=HOST), excluded_checks=[positive_data_acceptance])

    ask()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_another_method_is_refused_in_words(client: TestClient, method: str) -> None:
    answer = client.request(method, "/api/v1/inspect?model=gpt-oss-20b")
    assert answer.status_code == 405
