"""One replica without Ray: a real small server, a request passed on, a server that ends and is started again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.deploying.order import order_of
from gyakusan.deploying.replica import Replica

pytest.importorskip("aiohttp")
pytest.importorskip("xllamacpp")


def asked(path: str, body: dict[str, Any] | None = None) -> Request:
    data = b"" if body is None else json.dumps(body).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": data, "more_body": False}

    method = "GET" if body is None else "POST"
    heads = [(b"content-type", b"application/json"), (b"host", b"elsewhere")]
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": heads, "root_path": ""}
    return Request(scope, receive)


async def told(replica: Replica, request: Request) -> tuple[int, bytes]:
    answer = await replica(request)
    if not isinstance(answer, StreamingResponse):
        return answer.status_code, bytes(answer.body)
    return answer.status_code, b"".join([p async for p in answer.body_iterator])  # type: ignore[misc]


def test_a_request_is_passed_on_and_a_server_that_ends_is_started_again() -> None:
    async def run() -> None:
        deployment = api.deployment("smollm2", load=Load(1, 2048), settings={"backend": "cpu"})
        replica = Replica(order_of(deployment, "smollm2"))
        try:
            replica.check_health()
            hello = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
            status, body = await told(replica, asked("/v1/chat/completions", hello))
            assert status == 200
            assert json.loads(body)["choices"]
            before = replica._server.pid
            assert before is not None
            os.kill(before, signal.SIGKILL)
            status, body = await told(replica, asked("/v1/models"))
            assert status == 200
            assert replica._server.pid != before
        finally:
            if replica._session is not None:
                await replica._session.close()
            replica._server.stop()

    asyncio.run(run())
